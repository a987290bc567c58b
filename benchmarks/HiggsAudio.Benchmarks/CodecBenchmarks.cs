using System.Runtime.InteropServices;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Benchmarks;

/// <summary>Ten seconds of sound through a codec of the published size with random weights.</summary>
[MemoryDiagnoser]
public class CodecBenchmarks
{
    private const int Seconds = 10;

    private readonly RandomCodec _folder = new();
    private AudioCodec _codec = null!;
    private Waveform _waveform = null!;
    private AudioCodes _codes = null!;
    private AudioCodes _oneSecond = null!;

    /// <summary>Threads; 0 for one per core.</summary>
    [Params(1, 0)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _codec = AudioCodec.Load(_folder.Path, new AudioCodecOptions { Threads = Threads });
        var random = new Random(1);
        _waveform = new Waveform([.. Enumerable.Range(0, Seconds * _codec.SamplingRate).Select(_ => random.NextSingle() - 0.5f)], _codec.SamplingRate);
        _codes = new AudioCodes(8, [.. Enumerable.Range(0, 8 * 25 * Seconds).Select(_ => random.Next(1024))]);
        _oneSecond = _codes.Slice(0, 25);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _codec.Dispose();
        _folder.Dispose();
    }

    [Benchmark]
    public AudioCodes Encode() => _codec.Encode(_waveform);

    [Benchmark]
    public Waveform Decode() => _codec.Decode(_codes);

    [Benchmark]
    public Waveform DecodeOneSecond() => _codec.Decode(_oneSecond);
}

/// <summary>A temporary folder with a codec of the published shapes and random weights of sensible sizes.</summary>
internal sealed class RandomCodec : IDisposable
{
    public RandomCodec()
    {
        using JsonDocument published = JsonDocument.Parse(File.ReadAllText(FindShapes()));
        File.WriteAllText(System.IO.Path.Combine(Path, "config.json"), published.RootElement.GetProperty("config").GetRawText());
        TensorPlan[] plans = [.. published.RootElement.GetProperty("tensors").EnumerateObject()
            .Select(t => new TensorPlan(t.Name, TensorType.Float32, [.. t.Value.EnumerateArray().Select(d => d.GetInt64())]))];
        using var writer = new SafeTensorsWriter(System.IO.Path.Combine(Path, "model.safetensors"), plans);
        var random = new Random(1);
        foreach (TensorPlan plan in plans)
        {
            var values = new float[plan.ByteLength / sizeof(float)];
            float scale = plan.Shape.Length < 2 ? 0.1f : 1 / MathF.Sqrt(values.Length / plan.Shape[0]);
            bool isGain = plan.Name.EndsWith("weight_g", StringComparison.Ordinal) || plan.Name.EndsWith("original0", StringComparison.Ordinal)
                || plan.Name.EndsWith("alpha", StringComparison.Ordinal) || plan.Name.Contains("norm.weight", StringComparison.Ordinal);
            for (int i = 0; i < values.Length; i++)
                values[i] = isGain ? 0.7f : scale * (random.NextSingle() - 0.5f);
            writer.Write(plan.Name, MemoryMarshal.AsBytes(values.AsSpan()));
        }
        writer.Complete();
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("codec").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private static string FindShapes()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (System.IO.Path.Combine(folder.FullName, "tests", "golden", "published_shapes", "codec.json") is var path && File.Exists(path))
                return path;
        throw new FileNotFoundException("tests/golden/published_shapes/codec.json was not found above " + AppContext.BaseDirectory);
    }
}
