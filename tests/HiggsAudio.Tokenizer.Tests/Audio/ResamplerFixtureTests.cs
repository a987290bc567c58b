using System.Text.Json;
using System.Text.RegularExpressions;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Tokenizer.Tests.Audio;

public sealed partial class ResamplerFixtureTests
{
    [TestCaseSource(nameof(Cases), new object[] { "soxr" })]
    public void Equals_soxr(string file, string name, int from, int to)
    {
        Dictionary<string, float[]> tensors = Read(file);
        float[] expected = tensors[name];
        float[] actual = Resampler.HighQuality(from, to).Resample(tensors[$"in_{from}"]);
        double error = Difference(actual, expected);
        TestContext.Out.WriteLine($"largest difference {error:g3}");
        Assert.That(actual, Has.Length.EqualTo(expected.Length));
        // Up to a ratio of 4 and if the ratio is one of small numbers, the stages are soxr's; else some have other weights.
        bool sameStages = from < 4 * to && to <= 4 * from && to / Resampling.GreatestCommonDivisor(from, to) <= 1024;
        Assert.That(error, Is.LessThanOrEqualTo(sameStages ? 1e-6 : 2e-5));
    }

    [TestCaseSource(nameof(Cases), new object[] { "torchaudio" })]
    public void Equals_torchaudio(string file, string name, int from, int to)
    {
        Dictionary<string, float[]> tensors = Read(file);
        float[] expected = tensors[name];
        // The fixture does not always hold the input under its own name: it may be one of the signals that were resampled to this rate.
        var inputs = tensors.Where(t => t.Key == $"in_{from}" || t.Key.EndsWith($"_to_{from}", StringComparison.Ordinal)).Select(t => t.Value)
            .Where(input => ((long)input.Length * to + from - 1) / from == expected.Length).ToList();
        Assert.That(inputs, Is.Not.Empty);
        double error = inputs.Min(input => Difference(Resampler.SincHann(from, to).Resample(input), expected));
        TestContext.Out.WriteLine($"largest difference {error:g3}");
        Assert.That(error, Is.LessThanOrEqualTo(1e-6));
    }

    [TestCaseSource(nameof(Cases), new object[] { "torchaudio_kernel" })]
    public void Has_the_kernel_of_torchaudio(string file, string name, int from, int to)
    {
        float[] expected = Read(file)[name]; // [up, taps]
        int divisor = Resampling.GreatestCommonDivisor(from, to), up = to / divisor, down = from / divisor;
        double cutoff = Math.Min(up, down) * 0.99;
        int width = (int)Math.Ceiling(6 * down / cutoff), taps = 2 * width + down;
        Assert.That(expected, Has.Length.EqualTo(up * taps));
        // An impulse at each place of a period shows every weight.
        for (int i = 0; i < down; i++)
        {
            var impulse = new float[(2 * width / down + 3) * down];
            int at = (width / down + 1) * down + i;
            impulse[at] = 1;
            float[] response = Resampler.SincHann(from, to).Resample(impulse);
            for (int m = 0; m < response.Length; m++)
            {
                int tap = at - m / up * down + width;
                float weight = tap >= 0 && tap < taps ? expected[m % up * taps + tap] : 0;
                Assert.That(response[m], Is.EqualTo(weight).Within(1e-7), $"phase {m % up}, tap {tap}");
            }
        }
    }

    [TestCaseSource(nameof(References))]
    public void Loads_and_resamples_a_recording_as_the_reference_does(string folder, string name, string recording)
    {
        using var checkpoint = Checkpoint.Open(Path.Combine(folder, name + ".safetensors"));
        float[] expected = checkpoint.Tensors["ref_wave_24k"].ToFloats();
        Assert.That(Difference(Waveform.Load(Path.Combine(folder, recording)).ResampleTo(24000).Span.ToArray(), expected), Is.LessThanOrEqualTo(1e-6));
    }

    private static IEnumerable<TestCaseData> References() =>
        from folder in Golden.Folders("e2e")
        from item in Golden.Cases(folder)
        let file = Path.Combine(folder, item.Name + ".safetensors")
        where File.Exists(file) && Names(file).Contains("ref_wave_24k")
        let recording = Strings(item.Case).FirstOrDefault(s => s.EndsWith(".wav", StringComparison.Ordinal) && File.Exists(Path.Combine(folder, s)))
        where recording is not null
        select new TestCaseData(folder, item.Name, recording).SetArgDisplayNames(Golden.Display(folder), item.Name, recording);

    private static IEnumerable<string> Strings(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.String => [json.GetString()!],
        JsonValueKind.Object => json.EnumerateObject().SelectMany(p => Strings(p.Value)),
        JsonValueKind.Array => json.EnumerateArray().SelectMany(Strings),
        _ => [],
    };

    private static IEnumerable<TestCaseData> Cases(string kind) =>
        from folder in Golden.Folders("resample")
        from file in Directory.GetFiles(folder, "*.safetensors").Order(StringComparer.Ordinal)
        from name in Names(file)
        let match = Name().Match(name)
        where match.Success && match.Groups["kind"].Value == kind
        select new TestCaseData(file, name, int.Parse(match.Groups["from"].Value), int.Parse(match.Groups["to"].Value))
            .SetArgDisplayNames(Golden.Display(folder), Path.GetFileNameWithoutExtension(file), name);

    [GeneratedRegex("^(?<kind>soxr|torchaudio|torchaudio_kernel)_(?<from>[0-9]+)_(to_)?(?<to>[0-9]+)$", RegexOptions.ExplicitCapture)]
    private static partial Regex Name();

    private static double Difference(float[] actual, float[] expected) =>
        actual.Length != expected.Length ? double.PositiveInfinity
        : actual.Length == 0 ? 0
        : Enumerable.Range(0, actual.Length).Max(i => Math.Abs((double)actual[i] - expected[i]));

    private static Dictionary<string, float[]> Read(string file)
    {
        using var checkpoint = Checkpoint.Open(file);
        return checkpoint.Tensors.ToDictionary(t => t.Key, t => t.Value.ToFloats());
    }

    private static List<string> Names(string file)
    {
        using var checkpoint = Checkpoint.Open(file);
        return [.. checkpoint.Tensors.Keys];
    }
}
