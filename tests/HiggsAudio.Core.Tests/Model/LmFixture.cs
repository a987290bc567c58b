using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Model;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>The model of a fixture folder on a device, with a lane.</summary>
internal sealed class LmFixture : IDisposable
{
    public const string Reference = "reference", Cpu = "cpu";

    private readonly Checkpoint _checkpoint;

    public LmFixture(string folder, string device = Cpu, WeightFormat format = WeightFormat.AsStored)
    {
        _checkpoint = Checkpoint.Open(folder);
        Device = device == Cpu ? new CpuDevice(threads: 2) : new ReferenceDevice();
        Model = HiggsAudioModel.Load(_checkpoint, HiggsAudioConfig.Load(folder), Device, format);
        Lane = Device.CreateLane();
    }

    public Device Device { get; }

    public HiggsAudioModel Model { get; }

    public Backend Lane { get; }

    /// <summary>The committed fixture folder of this name.</summary>
    public static string Folder(string name) => Path.Combine(Golden.Repository, "tests", "golden", name);

    /// <summary>One NUnit case per fixture case of these kinds and device.</summary>
    public static IEnumerable<TestCaseData> Cases(string[] kinds, params string[] devices) =>
        from folder in Golden.Folders("lm_")
        from item in Golden.Cases(folder, c => c.TryGetProperty("kind", out var kind) && kinds.Contains(kind.GetString()))
        from device in devices
        select new TestCaseData(folder, item.Name, device).SetArgDisplayNames(Golden.Display(folder), item.Name, device);

    public void Dispose()
    {
        Lane.Dispose();
        Device.Dispose();
        _checkpoint.Dispose();
    }
}

/// <summary>The tensors of one fixture case.</summary>
internal sealed class LmCase : IDisposable
{
    private readonly Checkpoint _file;

    public LmCase(string folder, string name) => _file = Checkpoint.Open(Path.Combine(folder, name + ".safetensors"));

    public bool Has(string name) => _file.Tensors.ContainsKey(name);

    public float[] Floats(string name) => _file.Tensors[name].ToFloats();

    public int[] Ints(string name) => [.. Floats(name).Select(v => (int)v)];

    public int Size(string name, int dimension) => (int)_file.Tensors[name].Shape[dimension];

    /// <summary>One dimension's slice of a matrix [codebooks, columns].</summary>
    public int[] Column(string name, int column)
    {
        int[] all = Ints(name);
        int columns = Size(name, 1);
        return [.. Enumerable.Range(0, Size(name, 0)).Select(c => all[c * columns + column])];
    }

    public void Dispose() => _file.Dispose();
}

/// <summary>A row of an expanded prompt: a token, a frame, or padding (neither).</summary>
internal sealed record PromptRow(int Token, int[]? Codes)
{
    public static readonly PromptRow Padding = new(-1, null);

    public void AddTo(TokenBatch batch, SequenceState sequence)
    {
        if (Codes is not null)
            batch.AddAudio(sequence, Codes);
        else if (Token >= 0)
            batch.AddText(sequence, Token);
        else
            batch.AddPadding(sequence);
    }

    /// <summary>The prompt of a fixture case with every placeholder of audio replaced by its clip's columns.</summary>
    public static PromptRow[] Expand(LmCase golden, HiggsAudioConfig config, string ids = "input_ids")
    {
        var rows = new List<PromptRow>();
        int clipsIn = 0, clipsOut = 0;
        foreach (int token in golden.Ints(ids))
        {
            if (token == config.AudioInTokenId)
                rows.AddRange(Clip(golden, "audio_in_ids", clipsIn++));
            else if (token == config.AudioOutTokenId)
                rows.AddRange(Clip(golden, "audio_out_ids", clipsOut++));
            else
                rows.Add(new PromptRow(token, null));
        }
        return [.. rows];
    }

    private static IEnumerable<PromptRow> Clip(LmCase golden, string name, int clip)
    {
        if (!golden.Has(name) || golden.Size(name, 1) == 0)
            return [Padding];
        int[] starts = [.. golden.Has(name + "_start") ? golden.Ints(name + "_start") : [0], golden.Size(name, 1)];
        return Enumerable.Range(starts[clip], starts[clip + 1] - starts[clip]).Select(column => new PromptRow(-1, golden.Column(name, column)));
    }
}

internal static class Near
{
    /// <summary>Whether values are within a distance of what was expected; the message says where they are farthest apart.</summary>
    public static void AssertWithin(double tolerance, ReadOnlySpan<float> actual, ReadOnlySpan<float> expected, string what)
    {
        Assert.That(actual.Length, Is.EqualTo(expected.Length), what);
        Assert.That(Distance(actual, expected), Is.LessThanOrEqualTo(tolerance), what);
    }

    /// <summary>The largest difference; infinite if there is something that is not a number.</summary>
    public static double Distance(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        double largest = 0;
        for (int i = 0; i < actual.Length; i++)
            largest = Math.Abs(actual[i] - expected[i]) is var d && double.IsNaN(d) ? double.PositiveInfinity : Math.Max(largest, d);
        return largest;
    }

    /// <summary>The index of the first largest value in each of some equal parts.</summary>
    public static int[] Largest(ReadOnlySpan<float> values, int parts)
    {
        var largest = new int[parts];
        for (int i = 0; i < values.Length; i++)
        {
            (int part, int index) = Math.DivRem(i, values.Length / parts);
            if (index == 0 || values[i] > values[part * (values.Length / parts) + largest[part]])
                largest[part] = index;
        }
        return largest;
    }
}
