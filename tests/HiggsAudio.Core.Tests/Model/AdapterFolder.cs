using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>Writes random LoRA adapters as PEFT does, and says independently what they make of a weight.</summary>
internal sealed class AdapterFolder : IDisposable
{
    private readonly Dictionary<string, (long[] Shape, float[] Values)> _tensors = [];
    private readonly Random _random;

    public AdapterFolder(int rank = 4, double alpha = 8, int seed = 0)
    {
        _random = new Random(seed);
        Config = new JsonObject { ["peft_type"] = "LORA", ["r"] = rank, ["lora_alpha"] = alpha, ["base_model_name_or_path"] = "someone/base-model", ["target_modules"] = new JsonArray("q_proj") };
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("higgs-audio-adapter-").FullName;

    public JsonObject Config { get; }

    public TensorType Type { get; init; } = TensorType.Float32;

    public string TensorsFile => System.IO.Path.Combine(Path, "adapter_model.safetensors");

    public void Remove(string name) => _tensors.Remove(name);

    /// <summary>Adds random values of about the size of a trained adapter's effect.</summary>
    public float[] Add(string name, params long[] shape)
    {
        long count = shape.Aggregate(1L, (product, d) => product * d);
        float[] values = [.. Enumerable.Range(0, (int)count).Select(_ => Stored((float)(_random.NextDouble() - 0.5) * 0.2f))];
        _tensors[name] = (shape, values);
        return values;
    }

    /// <summary>Adds both matrices of a module, and gives the change s·B·A, row by row.</summary>
    public double[] AddLinear(string module, long outputs, long inputs, int rank, double scale)
    {
        float[] a = Add($"base_model.model.{module}.lora_A.weight", rank, inputs), b = Add($"base_model.model.{module}.lora_B.weight", outputs, rank);
        var change = new double[outputs * inputs];
        for (long o = 0; o < outputs; o++)
            for (long i = 0; i < inputs; i++)
                for (int k = 0; k < rank; k++)
                    change[o * inputs + i] += scale * b[o * rank + k] * a[k * inputs + i];
        return change;
    }

    public AdapterFolder Write()
    {
        File.WriteAllText(System.IO.Path.Combine(Path, "adapter_config.json"), Config.ToJsonString());
        using var writer = new SafeTensorsWriter(TensorsFile, _tensors.Select(t => new TensorPlan(t.Key, Type, t.Value.Shape)));
        foreach ((string name, (long[] Shape, float[] Values) tensor) in _tensors)
            writer.Write(name, Bytes(tensor.Values));
        writer.Complete();
        return this;
    }

    private float Stored(float value) => Type switch
    {
        TensorType.Float16 => (float)(Half)value,
        TensorType.BFloat16 => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000),
        _ => value,
    };

    private byte[] Bytes(float[] values) => Type switch
    {
        TensorType.Float16 => MemoryMarshal.AsBytes<Half>(values.Select(v => (Half)v).ToArray()).ToArray(),
        TensorType.BFloat16 => MemoryMarshal.AsBytes<ushort>(values.Select(v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16)).ToArray()).ToArray(),
        _ => MemoryMarshal.AsBytes<float>(values).ToArray(),
    };

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
