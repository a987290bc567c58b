using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Prompts;

/// <summary>The ids of the special tokens that prompts are built of; they differ between checkpoints.</summary>
internal sealed record SpecialTokens
{
    private SpecialTokens()
    {
    }

    /// <summary><c>&lt;|begin_of_text|&gt;</c></summary>
    public required int BeginOfText { get; init; }

    /// <summary><c>&lt;|end_of_text|&gt;</c>, also used for padding</summary>
    public required int EndOfText { get; init; }

    /// <summary><c>&lt;|eot_id|&gt;</c>: end of a turn</summary>
    public required int EndOfTurn { get; init; }

    /// <summary><c>&lt;|eom_id|&gt;</c>: end of a message, but not of the turn</summary>
    public required int EndOfMessage { get; init; }

    /// <summary><c>&lt;|AUDIO|&gt;</c>: stands for a clip in a system or user message</summary>
    public required int AudioIn { get; init; }

    /// <summary><c>&lt;|AUDIO_OUT|&gt;</c>: stands for a clip in an assistant message</summary>
    public required int AudioOut { get; init; }

    /// <summary><c>&lt;|audio_out_bos|&gt;</c>: a clip of the assistant begins</summary>
    public required int AudioOutBos { get; init; }

    /// <summary><c>&lt;|audio_eos|&gt;</c>: a clip ends</summary>
    public required int AudioEos { get; init; }

    /// <summary>Finds the ids.</summary>
    /// <param name="tokenizer">The text tokenizer.</param>
    /// <param name="config">The model whose ids must be the same; null to check none.</param>
    /// <exception cref="CheckpointException">The tokenizer lacks special tokens, or gives them other ids than the model.</exception>
    public static SpecialTokens From(TextTokenizer tokenizer, HiggsAudioConfig? config = null)
    {
        string[] needed =
        [
            "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>",
            "<|AUDIO|>", "<|AUDIO_OUT|>", "<|audio_bos|>", "<|audio_out_bos|>", "<|audio_eos|>", "<|recipient|>",
        ];
        string[] missing = [.. needed.Where(token => tokenizer.TokenToId(token) is null)];
        if (missing.Length > 0)
            throw new CheckpointException(tokenizer.Path, null, $"these special tokens are missing: {string.Join(", ", missing)}");
        var tokens = new SpecialTokens
        {
            BeginOfText = Id("<|begin_of_text|>"),
            EndOfText = Id("<|end_of_text|>"),
            EndOfTurn = Id("<|eot_id|>"),
            EndOfMessage = Id("<|eom_id|>"),
            AudioIn = Id("<|AUDIO|>"),
            AudioOut = Id("<|AUDIO_OUT|>"),
            AudioOutBos = Id("<|audio_out_bos|>"),
            AudioEos = Id("<|audio_eos|>"),
        };
        if (config is not null)
            tokens.CompareTo(config, tokenizer);
        return tokens;

        int Id(string token) => tokenizer.TokenToId(token)!.Value;
    }

    private void CompareTo(HiggsAudioConfig config, TextTokenizer tokenizer)
    {
        (string Name, int Here, int There)[] pairs =
        [
            ("<|AUDIO|>", AudioIn, config.AudioInTokenId), ("<|AUDIO_OUT|>", AudioOut, config.AudioOutTokenId),
            ("<|audio_out_bos|>", AudioOutBos, config.AudioOutBosTokenId), ("<|audio_eos|>", AudioEos, config.AudioEosTokenId),
        ];
        string[] different = [.. pairs.Where(pair => pair.Here != pair.There).Select(pair => $"{pair.Name} is {pair.Here} here and {pair.There} in the model")];
        if (different.Length > 0)
            throw new CheckpointException(tokenizer.Path, null, $"ids are not those of the model's config.json: {string.Join(", ", different)}");
        if (tokenizer.VocabularySize > config.VocabSize)
            throw new CheckpointException(tokenizer.Path, null, $"has {tokenizer.VocabularySize} tokens, but the model only {config.VocabSize}");
    }
}
