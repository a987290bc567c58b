using System.Text.Json;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Tests;

/// <summary>The codec against what the reference computed, stage by stage (fixtures codec_* and e2e).</summary>
public class GoldenCodecTests
{
    private const float Tolerance = 1e-4f;      // of the largest value of a tensor
    private const float SafeMargin = 1e-3f;     // a code is sure if the next nearest entry is so much further away
    private const int FewSamples = 8000;        // as many as the scalar device encodes in a blink

    private static IEnumerable<TestCaseData> EncodingCases() => CodecCase.Of(kind => kind == "encode_decode");

    private static IEnumerable<TestCaseData> ShortEncodingCases() => CodecCase.Of(kind => kind == "encode_decode", FewSamples);

    private static IEnumerable<TestCaseData> DecodingCases() => CodecCase.Of(kind => kind is "encode_decode" or "decode_only");

    private static IEnumerable<TestCaseData> ShortDecodingCases() => CodecCase.Of(kind => kind is "encode_decode" or "decode_only", FewSamples);

    private static IEnumerable<TestCaseData> LengthCases() => CodecCase.Of(kind => kind is not ("encode_decode" or "decode_only"));

    private static IEnumerable<TestCaseData> RecordingCases() => Golden.TestCases("e2e").Where(test =>
    {
        using var file = new CodecCase((string)test.Arguments[0]!, (string)test.Arguments[1]!);
        return file.Has("ref_wave_24k") && file.Has("ref_codes");
    });

    [TestCaseSource(nameof(EncodingCases))]
    public void Encoding_equals_the_reference_at_every_stage(string folder, string name) => CompareEncoding(folder, name, On.Cpu);

    [TestCaseSource(nameof(ShortEncodingCases))]
    public void Encoding_with_scalar_kernels_equals_the_reference_at_every_stage(string folder, string name) => CompareEncoding(folder, name, On.Reference);

    [TestCaseSource(nameof(DecodingCases))]
    public void Decoding_equals_the_reference_at_every_stage(string folder, string name) => CompareDecoding(folder, name, On.Cpu);

    [TestCaseSource(nameof(ShortDecodingCases))]
    public void Decoding_with_scalar_kernels_equals_the_reference_at_every_stage(string folder, string name) => CompareDecoding(folder, name, On.Reference);

    [TestCaseSource(nameof(EncodingCases))]
    public void The_acoustic_encoder_is_padded_where_the_reference_pads_it(string folder, string name)
    {
        using var fixture = new CodecFixture(folder, On.Cpu);
        using var expected = new CodecCase(folder, name);
        int[] calls = expected.Integers("acoustic_encoder_calls");   // [1 or 2, (B, 1, samples, B, latent, frames)]
        int samples = expected.Floats("input_wave").Length;
        EncodingPlan plan = fixture.Codec.PlanEncoding(samples);
        Assert.That(samples + 2 * plan.AcousticPadding, Is.EqualTo(calls[^4]));
        Assert.That(plan.AcousticFrames, Is.EqualTo(calls[^1]));
        Assert.That(plan.AcousticPadding > 0, Is.EqualTo(calls.Length == 12));
    }

    [TestCaseSource(nameof(LengthCases))]
    public void Clips_have_the_reference_s_number_of_frames_and_too_short_ones_are_padded(string folder, string name)
    {
        JsonElement expected = Golden.Cases(folder).Single(c => c.Name == name).Case;
        using var fixture = new CodecFixture(folder, On.Cpu);
        var samples = new float[CodecCase.Samples(expected)];
        if (samples.Length == 0)
        {
            Assert.That(() => fixture.Codec.EncodeMono(samples), Throws.ArgumentException);
            return;
        }
        AudioCodes codes = fixture.Codec.EncodeMono(samples);
        int frames = expected.TryGetProperty("n_frames", out JsonElement n) ? n.GetInt32() : 1;
        Assert.That(codes.Frames, Is.EqualTo(frames));
    }

    [TestCaseSource(nameof(RecordingCases))]
    public void A_reference_recording_of_a_whole_run_has_the_reference_s_codes(string folder, string name)
    {
        using JsonDocument meta = JsonDocument.Parse(File.ReadAllText(System.IO.Path.Combine(folder, "meta.json")));
        using var fixture = new CodecFixture(System.IO.Path.Combine(folder, meta.RootElement.GetProperty("codec").GetString()!), On.Cpu);
        using var expected = new CodecCase(folder, name);
        Assert.That(fixture.Codec.EncodeMono(expected.Floats("ref_wave_24k")), Is.EqualTo(expected.Codes("ref_codes")));
    }

    private static void CompareEncoding(string folder, string name, On device)
    {
        using var fixture = new CodecFixture(folder, device);
        using var expected = new CodecCase(folder, name);
        (AudioCodes codes, Dictionary<string, float[]> stages) = fixture.Encode(expected.Floats("input_wave"));
        Assert.Multiple(() =>
        {
            foreach (string stage in new[] { "hubert_conv_features", "hubert_hidden_first", "hubert_hidden_last", "hubert_hidden_mean",
                "semantic_target", "e_semantic", "e_acoustic", "concat", "pre_quant" })
                if (expected.Has(stage))
                    AssertClose(stages[stage], expected.Floats(stage), stage);
            AssertClose(stages["resampled"], expected.Floats("resampled_16k"), "resampled");
            AssertSameCodes(codes, expected.Codes(), expected.Floats("code_margin"));
        });
    }

    private static void CompareDecoding(string folder, string name, On device)
    {
        using var fixture = new CodecFixture(folder, device);
        using var expected = new CodecCase(folder, name);
        (float[] samples, Dictionary<string, float[]> stages) = fixture.Decode(expected.Codes());
        Assert.Multiple(() =>
        {
            foreach (string stage in new[] { "quantized", "decoder_in" })
                if (expected.Has(stage))
                    AssertClose(stages[stage], expected.Floats(stage), stage);
            AssertClose(samples, expected.Floats("decoded_wave"), "decoded_wave");
        });
    }

    // A code that differs where two entries are nearly as near changes the codes after it in the same frame, and only those.
    private static void AssertSameCodes(AudioCodes codes, AudioCodes expected, float[] margins)
    {
        Assert.That((codes.Codebooks, codes.Frames), Is.EqualTo((expected.Codebooks, expected.Frames)));
        for (int frame = 0; frame < codes.Frames; frame++)
            for (int codebook = 0; codebook < codes.Codebooks; codebook++)
            {
                float margin = margins[codebook * codes.Frames + frame];
                if (codes[codebook, frame] == expected[codebook, frame])
                    continue;
                Assert.That(margin, Is.LessThanOrEqualTo(SafeMargin),
                    $"codebook {codebook}, frame {frame}: {codes[codebook, frame]}, expected {expected[codebook, frame]}");
                break;
            }
    }

    private static void AssertClose(float[] found, float[] expected, string what)
    {
        Assert.That(found, Has.Length.EqualTo(expected.Length), what);
        float peak = expected.Max(Math.Abs), worst = 0;
        for (int i = 0; i < expected.Length; i++)
            worst = Math.Max(worst, float.IsNaN(found[i]) ? float.PositiveInfinity : Math.Abs(found[i] - expected[i]));
        Assert.That(worst, Is.LessThanOrEqualTo(Tolerance * Math.Max(peak, 1e-6f)), $"{what} (peak {peak})");
    }
}
