using HiggsAudio.Generation;

namespace HiggsAudio.Prompts;

/// <summary>
/// Puts clips in the places of their placeholders (the reference's <c>HiggsAudioSampleCollator</c>, higgs_audio_collator.py, and
/// <c>merge_input_ids_with_audio_features</c>, utils.py, for one sample without rounding up): BOS and EOS around each clip, then the delay pattern.
/// </summary>
internal sealed class PromptCollator(HiggsAudioConfig config)
{
    /// <summary>
    /// Whether clips of system and user messages are given to the model (as the reference's examples/generation.py does). If not, their
    /// placeholder stays one row of padding (as its serve engine has it).
    /// </summary>
    public bool ReturnAudioInTokens { get; init; } = true;

    /// <summary>The rows of a prompt.</summary>
    /// <param name="tokens">The prompt's tokens.</param>
    /// <param name="clips">The codes of each of its clips, in order; null for one that is not used.</param>
    /// <exception cref="ArgumentException">Codes are missing or not the model's.</exception>
    public Prompt Collate(PromptTokens tokens, IReadOnlyList<AudioCodes?> clips)
    {
        if (clips.Count != tokens.Audio.Count)
            throw new ArgumentException($"the prompt has {tokens.Audio.Count} clips, but there are codes of {clips.Count}", nameof(clips));
        var rows = new List<PromptRow>(tokens.InputIds.Length);
        Columns audioIn = new(), audioOut = new();
        int clip = 0, prefix = 0;
        for (int i = 0; i < tokens.InputIds.Length; i++)
        {
            int id = tokens.InputIds[i];
            if (i == tokens.PrefixIds)
                prefix = rows.Count;
            if (id != config.AudioInTokenId && id != config.AudioOutTokenId)
            {
                rows.Add(new PromptRow(PromptRowKind.Text, id, 0));
                continue;
            }
            PromptRowKind kind = tokens.Audio[clip].Kind;
            if (kind == PromptRowKind.AudioIn && !ReturnAudioInTokens)
                rows.Add(new PromptRow(PromptRowKind.Padding, config.PadTokenId, 0));
            else
                AddClip(rows, kind, id, kind == PromptRowKind.AudioIn ? audioIn : audioOut, ColumnsOf(clips[clip], clip, tokens.Audio[clip]));
            clip++;
        }
        return new Prompt(tokens.InputIds, [.. rows], audioIn.ToClips(config.AudioNumCodebooks), audioOut.ToClips(config.AudioNumCodebooks)) { PrefixRows = prefix };
    }

    // [codebooks, frames + 2], or with the delay pattern [codebooks, frames + 1 + codebooks]
    private int[,] ColumnsOf(AudioCodes? codes, int clip, PromptAudio audio)
    {
        string name = $"clip {clip}, in message {audio.Message},";
        if (codes is null)
            throw new ArgumentException($"{name} has no codes");
        if (codes.Codebooks != config.AudioNumCodebooks)
            throw new ArgumentException($"{name} has {codes.Codebooks} codebooks, expected {config.AudioNumCodebooks}");
        var columns = new int[codes.Codebooks, codes.Frames + 2];
        for (int c = 0; c < codes.Codebooks; c++)
        {
            (columns[c, 0], columns[c, codes.Frames + 1]) = (config.AudioStreamBosId, config.AudioStreamEosId);
            ReadOnlySpan<int> codebook = codes.Codebook(c);
            for (int t = 0; t < codes.Frames; t++)
            {
                int code = codebook[t];
                if ((uint)code >= (uint)config.CodebookSize || code == config.AudioStreamBosId || code == config.AudioStreamEosId)
                    throw new ArgumentException(
                        $"{name} has the code {code} in codebook {c} at frame {t}, expected one of {config.CodebookSize - 2}");
                columns[c, t + 1] = code;
            }
        }
        return config.UseDelayPattern ? DelayPattern.Build(columns, config.AudioStreamBosId, config.AudioStreamEosId) : columns;
    }

    private static void AddClip(List<PromptRow> rows, PromptRowKind kind, int id, Columns target, int[,] columns)
    {
        (int codebooks, int count) = (columns.GetLength(0), columns.GetLength(1));
        target.Starts.Add(target.Count);
        for (int t = 0; t < count; t++)
        {
            rows.Add(new PromptRow(kind, id, target.Count++));
            for (int c = 0; c < codebooks; c++)
                target.Codes.Add(columns[c, t]);
        }
    }

    private sealed class Columns
    {
        public List<int> Codes { get; } = [];

        public List<int> Starts { get; } = [];

        public int Count { get; set; }

        public PromptClips ToClips(int codebooks) => new(codebooks, [.. Codes], [.. Starts]);
    }
}
