using System.Text.Json;

namespace HiggsAudio.Testing.RandomModels;

/// <summary>
/// A tokenizer.json of our own: the 256 bytes and no merges, with the special tokens of Higgs Audio v2 at their published ids, so that
/// prompts look as they do with the published vocabulary (with more tokens for the same text).
/// </summary>
public static class ByteTokenizer
{
    private const int FirstSpecial = 128000, Specials = 256;

    private static readonly string[] Names =
    [
        "<|begin_of_text|>", "<|end_of_text|>", Reserved(0), Reserved(1), "<|finetune_right_pad_id|>", Reserved(2),
        "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>",
        "<|audio_bos|>", "<|audio_eos|>", "<|audio_out_bos|>", Reserved(6), "<|AUDIO|>", "<|AUDIO_OUT|>", "<|recipient|>",
        "<|scene_desc_start|>", "<|scene_desc_end|>", "<|generation_instruction_start|>", "<|generation_instruction_end|>",
        "<SE>", "</SE>", "<SE_s>", "</SE_s>", "<SE_e>", "</SE_e>",
    ];

    /// <summary>The special tokens by id.</summary>
    public static IEnumerable<(int Id, string Content)> SpecialTokens =>
        Enumerable.Range(0, Specials).Select(i => (FirstSpecial + i, i < Names.Length ? Names[i] : Reserved(i - 8)));

    /// <summary>The text of tokenizer.json.</summary>
    public static byte[] Json()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteStartArray("added_tokens");
            foreach ((int id, string content) in SpecialTokens)
                WriteSpecial(json, id, content);
            json.WriteEndArray();
            json.WriteNull("normalizer");
            json.WritePropertyName("pre_tokenizer");
            json.WriteRawValue("""{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}""");
            json.WriteNull("post_processor");
            json.WritePropertyName("decoder");
            json.WriteRawValue("""{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}""");
            json.WriteStartObject("model");
            json.WriteString("type", "BPE");
            json.WriteBoolean("byte_fallback", false);
            json.WriteBoolean("ignore_merges", true);
            json.WriteStartObject("vocab");
            for (int i = 0; i < 256; i++)
                json.WriteNumber(ByteCharacter(i).ToString(), i);
            json.WriteEndObject();
            json.WriteStartArray("merges");
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return buffer.ToArray();
    }

    private static void WriteSpecial(Utf8JsonWriter json, int id, string content)
    {
        json.WriteStartObject();
        json.WriteNumber("id", id);
        json.WriteString("content", content);
        foreach (string flag in new[] { "single_word", "lstrip", "rstrip", "normalized" })
            json.WriteBoolean(flag, false);
        json.WriteBoolean("special", true);
        json.WriteEndObject();
    }

    private static string Reserved(int number) => $"<|reserved_special_token_{number}|>";

    // Byte-level vocabularies write bytes as visible characters: printable ones as they are, the others from U+0100 on (GPT-2).
    private static char ByteCharacter(int value)
    {
        int hidden = 0;
        for (int b = 0; b < 256; b++)
        {
            bool visible = b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF;
            if (b == value)
                return (char)(visible ? b : 256 + hidden);
            hidden += visible ? 0 : 1;
        }
        throw new ArgumentOutOfRangeException(nameof(value), value, "Not a byte.");
    }
}
