namespace HiggsAudio.Prompts;

/// <summary>How the assistant's turn that is to be generated begins.</summary>
internal enum AssistantStart
{
    /// <summary>It does not: the messages only.</summary>
    None,

    /// <summary>Its header; the model decides whether text or audio follows.</summary>
    Text,

    /// <summary>Its header and <c>&lt;|audio_out_bos|&gt;</c>: audio follows.</summary>
    Audio,
}

/// <summary>A clip in a prompt.</summary>
/// <param name="Content">The sound.</param>
/// <param name="Kind"><see cref="PromptRowKind.AudioIn"/> or <see cref="PromptRowKind.AudioOut"/>.</param>
/// <param name="Message">The number of its message.</param>
internal sealed record PromptAudio(AudioContent Content, PromptRowKind Kind, int Message);

/// <summary>A prompt as tokens, each clip one placeholder.</summary>
/// <param name="InputIds">The ids.</param>
/// <param name="LabelIds">For each id itself where a model in training would learn it, else −100.</param>
/// <param name="Audio">The clips in order of their placeholders.</param>
internal sealed record PromptTokens(int[] InputIds, int[] LabelIds, IReadOnlyList<PromptAudio> Audio)
{
    /// <summary>Ids before the last message of the user: what requests are likely to have in common. 0 if there is none.</summary>
    public int PrefixIds { get; init; }
}

/// <summary>
/// Turns conversations into tokens (the reference's <c>prepare_chatml_sample</c>, chatml_dataset.py). Every piece is tokenized by itself, so
/// that tokens never reach across the borders of pieces.
/// </summary>
internal sealed class PromptBuilder(TextTokenizer tokenizer, SpecialTokens special)
{
    private const int NoLabel = -100;

    /// <summary>The tokens of a conversation.</summary>
    /// <param name="sample">The conversation.</param>
    /// <param name="start">How the turn to be generated begins.</param>
    /// <exception cref="ArgumentException">A text contains a placeholder of audio, for which there is no audio.</exception>
    public PromptTokens Build(ChatMLSample sample, AssistantStart start = AssistantStart.None)
    {
        var pieces = new Pieces(tokenizer);
        var audio = new List<PromptAudio>();
        int prefix = 0;
        for (int turn = 0; turn < sample.Messages.Count; turn++)
        {
            Message message = sample.Messages[turn];
            bool assistant = message.Role == Message.Assistant, learned = assistant && turn >= (sample.StartIndex ?? 0);
            if (message.Role == Message.User)
                prefix = pieces.Ids.Count;
            pieces.Add($"{(turn == 0 ? "<|begin_of_text|>" : "")}<|start_header_id|>{message.Role}<|end_header_id|>\n\n", learned: false);
            if (!string.IsNullOrEmpty(message.Recipient))
                AddText(pieces, $"{message.Recipient}<|recipient|>", learned: true, turn);   // learned in any turn, as the reference has it
            foreach (MessageContent content in message.Content)
                if (content is TextContent text)
                    AddText(pieces, text.Text, learned, turn);
                else
                {
                    PromptRowKind kind = assistant ? PromptRowKind.AudioOut : PromptRowKind.AudioIn;
                    audio.Add(new PromptAudio((AudioContent)content, kind, turn));
                    pieces.Add(assistant ? "<|audio_out_bos|><|AUDIO_OUT|><|audio_eos|>" : "<|audio_bos|><|AUDIO|><|audio_eos|>", learned);
                }
            bool goesOn = assistant && turn + 1 < sample.Messages.Count && sample.Messages[turn + 1].Role == Message.Assistant;
            pieces.Add(goesOn ? "<|eom_id|>" : "<|eot_id|>", learned);
        }
        if (start != AssistantStart.None)
        {
            pieces.Add($"<|start_header_id|>{Message.Assistant}<|end_header_id|>\n\n", learned: false);
            if (start == AssistantStart.Audio)
                pieces.Add("<|audio_out_bos|>", learned: false);
        }
        return new PromptTokens([.. pieces.Ids], [.. pieces.Labels], audio) { PrefixIds = prefix };
    }

    private void AddText(Pieces pieces, string text, bool learned, int turn)
    {
        int first = pieces.Ids.Count;
        pieces.Add(text, learned);
        for (int i = first; i < pieces.Ids.Count; i++)
            if (pieces.Ids[i] == special.AudioIn || pieces.Ids[i] == special.AudioOut)
                throw new ArgumentException(
                    $"The text of message {turn} contains {tokenizer.IdToToken(pieces.Ids[i])}, which stands for a clip: give it as {nameof(AudioContent)}.");
    }

    private sealed class Pieces(TextTokenizer tokenizer)
    {
        public List<int> Ids { get; } = [];

        public List<int> Labels { get; } = [];

        public void Add(string text, bool learned)
        {
            tokenizer.EncodeTo(text, Ids);
            while (Labels.Count < Ids.Count)
                Labels.Add(learned ? Ids[Labels.Count] : NoLabel);
        }
    }
}
