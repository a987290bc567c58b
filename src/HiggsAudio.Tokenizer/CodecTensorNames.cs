using System.Globalization;

namespace HiggsAudio;

/// <summary>
/// Both published naming schemes of the codec's tensors, mapped to one: that of the transformers library
/// (<c>convert_higgs_audio_v2_tokenizer_to_hf.py</c>), which the modules use. Weight norm, stored apart or merged, is the reader's business.
/// </summary>
internal static class CodecTensorNames
{
    private static readonly string[] UnitParts = ["snake1", "conv1", "snake2", "conv2"];

    /// <summary>The name that the modules ask for; null for what is not needed to encode and decode.</summary>
    public static string? Canonical(string stored)
    {
        string name = Renamed(stored.Split('.'));
        return IsTrainingOnly(name) ? null : name;
    }

    /// <summary>As <see cref="Canonical"/>, and null for what only encoding needs.</summary>
    public static string? CanonicalForDecoding(string stored) => Canonical(stored) is { } name && !IsForEncoding(name) ? name : null;

    // The semantic decoder is a training target; the rest are statistics of the codebooks and of masking.
    private static bool IsTrainingOnly(string name) =>
        name.StartsWith("decoder_semantic.", StringComparison.Ordinal) || name.StartsWith("fc1.", StringComparison.Ordinal)
        || name == "semantic_model.masked_spec_embed"
        || (name.StartsWith("quantizer.", StringComparison.Ordinal)
            && (name.EndsWith(".codebook.inited", StringComparison.Ordinal) || name.EndsWith(".codebook.cluster_size", StringComparison.Ordinal)
                || name.EndsWith(".codebook.embed_avg", StringComparison.Ordinal)));

    private static bool IsForEncoding(string name) =>
        name.StartsWith("acoustic_encoder.", StringComparison.Ordinal) || name.StartsWith("semantic_model.", StringComparison.Ordinal)
        || name.StartsWith("encoder_semantic.", StringComparison.Ordinal) || name.StartsWith("fc.", StringComparison.Ordinal)
        || (name.StartsWith("quantizer.", StringComparison.Ordinal) && name.Contains(".project_in.", StringComparison.Ordinal));

    private static string Renamed(string[] name) => name switch
    {
        // encoder.block.{0 | 1..n | n+1 | n+2}; the blocks' own parts: .block.{0 1 2 | 3 | 4}; a residual unit's: .block.{0..3}
        ["encoder", "block", var m, "block", var k, "block", var j, .. var rest] when Unit(k, first: 0) is { } unit && Part(j) is { } part =>
            Join("acoustic_encoder.block", Previous(m), unit, part, rest),
        ["encoder", "block", var m, "block", "3", .. var rest] => Join("acoustic_encoder.block", Previous(m), "snake1", null, rest),
        ["encoder", "block", var m, "block", "4", .. var rest] => Join("acoustic_encoder.block", Previous(m), "conv1", null, rest),
        ["encoder", "block", var m, .. var rest] => Join("acoustic_encoder", Outer(m, rest), null, null, rest),

        // decoder_2.model.{0 | 1..n | n+1 | n+2}; .block.{0 | 1 | 2 3 4}
        ["decoder_2", "model", var m, "block", var k, "block", var j, .. var rest] when Unit(k, first: 2) is { } unit && Part(j) is { } part =>
            Join("acoustic_decoder.block", Previous(m), unit, part, rest),
        ["decoder_2", "model", var m, "block", "0", .. var rest] => Join("acoustic_decoder.block", Previous(m), "snake1", null, rest),
        ["decoder_2", "model", var m, "block", "1", .. var rest] => Join("acoustic_decoder.block", Previous(m), "conv_t1", null, rest),
        ["decoder_2", "model", var m, .. var rest] => Join("acoustic_decoder", Outer(m, rest), null, null, rest),

        ["quantizer", "vq", "layers", var n, "_codebook", .. var rest] => Join("quantizer.quantizers", n, "codebook", null, rest),
        ["quantizer", "vq", "layers", .. var rest] => Join("quantizer.quantizers", null, null, null, rest),
        ["fc_prior", .. var rest] => Join("fc", null, null, null, rest),
        ["fc_post1", .. var rest] => Join("fc1", null, null, null, rest),
        ["fc_post2", .. var rest] => Join("fc2", null, null, null, rest),
        ["encoder_semantic" or "decoder_semantic", .. var path, "conv" or "conv1" or "conv2", "conv", var leaf] =>
            Join(name[0], null, null, null, [.. path, name[^3], leaf]),
        _ => string.Join('.', name),
    };

    private static string Join(string prefix, string? second, string? third, string? fourth, string[] rest) =>
        string.Join('.', new[] { prefix, second, third, fourth }.Where(part => part is not null).Concat(rest));

    private static string? Unit(string k, int first) => Number(k) is { } unit && unit >= first && unit < first + 3 ? $"res_unit{unit - first + 1}" : null;

    private static string? Part(string j) => Number(j) is { } part && part < UnitParts.Length ? UnitParts[part] : null;

    private static string Previous(string m) => Number(m) is { } block and > 0 ? $"{block - 1}" : m;

    private static int? Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;

    private static string Outer(string m, string[] rest) => rest is ["alpha"] ? "snake1" : m == "0" ? "conv1" : "conv2";
}
