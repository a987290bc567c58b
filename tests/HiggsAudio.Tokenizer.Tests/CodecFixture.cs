using System.Text.Json;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Tests;

/// <summary>The devices that the codec is tested on.</summary>
public enum On
{
    Cpu,
    Reference,
}

/// <summary>A codec of a fixture folder on a device of its own.</summary>
internal sealed class CodecFixture : IDisposable
{
    public CodecFixture(string folder, On device, bool decodeOnly = false)
    {
        Device = device == On.Cpu ? new CpuDevice(2) : new ReferenceDevice();
        Codec = AudioCodec.Load(folder, Device, new AudioCodecOptions { DecodeOnly = decodeOnly });
    }

    public Device Device { get; }

    public AudioCodec Codec { get; }

    /// <summary>Encodes on a lane of its own and keeps what the lane shows: (name, values).</summary>
    public (AudioCodes Codes, Dictionary<string, float[]> Stages) Encode(float[] samples)
    {
        using Backend lane = Device.CreateLane();
        Dictionary<string, float[]> stages = Record(lane);
        return (Codec.EncodeMono(lane, samples), stages);
    }

    /// <summary>Decodes on a lane of its own and keeps what the lane shows: (name, values).</summary>
    public (float[] Samples, Dictionary<string, float[]> Stages) Decode(AudioCodes codes)
    {
        using Backend lane = Device.CreateLane();
        Dictionary<string, float[]> stages = Record(lane);
        return (Codec.DecodeWhole(lane, codes), stages);
    }

    public void Dispose()
    {
        Codec.Dispose();
        Device.Dispose();
    }

    private static Dictionary<string, float[]> Record(Backend lane)
    {
        var stages = new Dictionary<string, float[]>();
        lane.Observer = (name, _, value) => stages[name] = lane.Read(value);
        return stages;
    }
}

/// <summary>The tensors of a fixture case.</summary>
internal sealed class CodecCase(string folder, string name) : IDisposable
{
    private readonly Checkpoint _file = Checkpoint.Open(System.IO.Path.Combine(folder, name + ".safetensors"));

    public bool Has(string tensor) => _file.Tensors.ContainsKey(tensor);

    public float[] Floats(string tensor) => _file.Tensors[tensor].ToFloats();

    public int[] Integers(string tensor) => [.. Floats(tensor).Select(v => (int)v)];

    /// <summary>[codebooks, frames]</summary>
    public AudioCodes Codes(string tensor = "codes") => new((int)_file.Tensors[tensor].Shape[0], Integers(tensor));

    public void Dispose() => _file.Dispose();

    /// <summary>The cases of a kind, with how many samples they have (0 if they have none).</summary>
    public static IEnumerable<TestCaseData> Of(Func<string, bool> kind, int mostSamples = int.MaxValue) =>
        Golden.TestCases("codec_", e => kind(e.GetProperty("kind").GetString()!) && Samples(e) <= mostSamples);

    public static int Samples(JsonElement element) => element.TryGetProperty("n_samples", out JsonElement n) ? n.GetInt32() : 0;
}
