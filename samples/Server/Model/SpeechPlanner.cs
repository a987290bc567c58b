using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Model;

/// <summary>What the engine is asked for.</summary>
/// <param name="Text">The text.</param>
/// <param name="Options">How it is spoken.</param>
/// <param name="Speed">How many times as fast the sound is made.</param>
/// <param name="TextTokens">Tokens of the text and its instructions.</param>
/// <param name="AudioTokens">Frames of the voices' recordings.</param>
internal sealed record SpeechPlan(string Text, SpeakOptions Options, float Speed, int TextTokens, int AudioTokens);

/// <summary>Turns orders into what the engine is asked for, in the way that the model at hand was taught.</summary>
internal sealed class SpeechPlanner(HiggsAudioServeEngine engine, VoiceCatalog voices, IOptions<ServerOptions> options)
{
    // Larger pieces cost less, and are exact from the start; nobody listens before the end.
    internal static StreamOptions WholePieces { get; } = new() { Sound = new CodecStreamOptions { FirstChunkFrames = 150, ChunkFrames = 150 }, MaxUnreadSteps = int.MaxValue };

    private bool IsNano => options.Value.IsNano;

    /// <summary>Finds the voices, and makes the plan.</summary>
    /// <exception cref="Http.ApiException">There is no such voice.</exception>
    /// <exception cref="ArgumentException">There is nothing in the text that the model could say.</exception>
    public async Task<SpeechPlan> PlanAsync(SpeechOrder order, CancellationToken cancellationToken)
    {
        if (IsNano)
            NanoVoice.Normalize(order.Text);   // throws if nothing can be said
        ChosenVoices chosen = order.Recording is { } recording
            ? await EncodeAsync(recording, order.Transcript!, cancellationToken)
            : await voices.ChooseAsync(order.Voice, "voice", cancellationToken);
        GenerationOptions generation = order.Generation with { ForceAudioGeneration = true, StopAtAudioEnd = true };
        var speak = new SpeakOptions { Generation = generation, Speakers = chosen.Speakers, Streaming = order.Delivery == Delivery.Whole ? WholePieces : order.Pieces };
        speak = IsNano ? ForNano(speak) : speak with { Scene = Scene(order, chosen) };
        return new SpeechPlan(order.Text, speak, order.Speed,
            engine.Tokenizer.Encode(order.Text).Length + engine.Tokenizer.Encode(order.Instructions ?? "").Length, chosen.Frames);
    }

    // It knows one speaker at a time, short sentences, lower case, and no scenes.
    private static SpeakOptions ForNano(SpeakOptions options) => options with
    {
        SeparateSpeakers = true,
        Chunking = new ChunkOptions { MaxWords = 15, MaxCharacters = NanoVoice.LongestSentence },
        ChunkBufferSize = 0,
        ChunkRewriter = NormalizeOrDrop,
    };

    private static string NormalizeOrDrop(string text)
    {
        try
        {
            return NanoVoice.Normalize(text);
        }
        catch (ArgumentException)
        {
            return "";   // a part in another script
        }
    }

    private string Scene(SpeechOrder order, ChosenVoices chosen) =>
        string.Join('\n', new[] { order.Scene ?? chosen.Scene ?? options.Value.Scene, order.Instructions }.Where(part => !string.IsNullOrWhiteSpace(part)));

    private async Task<ChosenVoices> EncodeAsync(Waveform recording, string transcript, CancellationToken cancellationToken)
    {
        AudioCodes codes = await engine.Codec.EncodeAsync(recording, cancellationToken);
        var speaker = SpeakerPrompt.FromAudio(AudioContent.FromCodes(codes), IsNano ? NanoVoice.Normalize(transcript) : transcript);
        return new ChosenVoices([speaker], null, codes.Frames);
    }
}
