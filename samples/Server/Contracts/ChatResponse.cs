using System.Text.Json.Serialization;

namespace HiggsAudio.Server.Contracts;

/// <summary>An answer, or a piece of one.</summary>
internal sealed record ChatResponse
{
    /// <summary>The answer's id.</summary>
    public required string Id { get; init; }

    /// <summary>chat.completion or chat.completion.chunk.</summary>
    public required string Object { get; init; }

    /// <summary>When it was begun, in seconds since 1970.</summary>
    public required long Created { get; init; }

    /// <summary>The model's name.</summary>
    public required string Model { get; init; }

    /// <summary>One; none in the piece that says what the answer cost.</summary>
    public required IReadOnlyList<ChatChoice> Choices { get; init; }

    /// <summary>What it cost.</summary>
    public ChatUsage? Usage { get; init; }
}

/// <summary>The answer.</summary>
internal sealed record ChatChoice
{
    /// <summary>0.</summary>
    public int Index { get; init; }

    /// <summary>The whole.</summary>
    public ChatMessage? Message { get; init; }

    /// <summary>A piece.</summary>
    public ChatMessage? Delta { get; init; }

    /// <summary>stop or length, at the end.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? FinishReason { get; init; }
}

/// <summary>A turn of the assistant, or a piece of one.</summary>
internal sealed record ChatMessage
{
    /// <summary>assistant.</summary>
    public string? Role { get; init; }

    /// <summary>The text.</summary>
    public string? Content { get; init; }

    /// <summary>The sound.</summary>
    public ChatAudio? Audio { get; init; }
}

/// <summary>The sound of an answer.</summary>
/// <param name="Id">With it a later request can refer to it.</param>
/// <param name="Data">A whole file; in a stream samples alone (24 kHz, 16 bit, little-endian, mono). Base64.</param>
/// <param name="ExpiresAt">Until when the id is good, in seconds since 1970.</param>
/// <param name="Transcript">Empty: the model does not say what it speaks.</param>
internal sealed record ChatAudio(string Id, byte[] Data, long ExpiresAt, string Transcript);

/// <summary>What an answer cost.</summary>
/// <param name="PromptTokens">Text tokens and columns of audio of the conversation.</param>
/// <param name="CompletionTokens">Steps of the model.</param>
/// <param name="TotalTokens">Both.</param>
/// <param name="PromptTokensDetails">Of the conversation.</param>
/// <param name="CompletionTokensDetails">Of the answer.</param>
internal sealed record ChatUsage(int PromptTokens, int CompletionTokens, int TotalTokens, ChatPromptDetails PromptTokensDetails, ChatCompletionDetails CompletionTokensDetails);

/// <summary>Of the conversation.</summary>
/// <param name="CachedTokens">What was not computed again.</param>
internal sealed record ChatPromptDetails(int CachedTokens);

/// <summary>Of the answer.</summary>
/// <param name="AudioTokens">Columns of audio.</param>
internal sealed record ChatCompletionDetails(int AudioTokens);
