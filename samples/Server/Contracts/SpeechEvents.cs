namespace HiggsAudio.Server.Contracts;

/// <summary>A piece of sound.</summary>
/// <param name="Type">speech.audio.delta.</param>
/// <param name="Audio">The bytes; Base64.</param>
/// <param name="ResponseFormat">wav or pcm.</param>
internal sealed record SpeechDelta(string Type, byte[] Audio, string ResponseFormat);

/// <summary>The end of a speech.</summary>
/// <param name="Type">speech.audio.done.</param>
/// <param name="Usage">What it cost.</param>
/// <param name="FinishReason">Why it ended.</param>
internal sealed record SpeechDone(string Type, SpeechUsage Usage, string FinishReason);

/// <summary>A speech that failed after it had begun.</summary>
/// <param name="Type">speech.audio.error.</param>
/// <param name="Error">Why.</param>
internal sealed record SpeechError(string Type, ErrorDetail Error);

/// <summary>What a speech cost.</summary>
/// <param name="InputTokens">Text and audio together.</param>
/// <param name="OutputTokens">Steps of the model.</param>
/// <param name="TotalTokens">All together.</param>
/// <param name="InputTokenDetails">The input's parts.</param>
internal sealed record SpeechUsage(int InputTokens, int OutputTokens, int TotalTokens, SpeechInputDetails InputTokenDetails);

/// <summary>The input's parts.</summary>
/// <param name="TextTokens">Tokens of the text and its instructions.</param>
/// <param name="AudioTokens">Frames of the voices' recordings.</param>
internal sealed record SpeechInputDetails(int TextTokens, int AudioTokens);
