using System.Runtime.InteropServices;
using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing.Checkpoints;

namespace HiggsAudio.Testing.RandomModels;

/// <summary>Writes folders like the published ones, with random values: for tests of whole engines, and for benchmarks at full size.</summary>
public static class RandomCheckpoint
{
    private const int PieceLength = 1 << 20;
    private const long MaxShardLength = 5_000_000_000;

    /// <summary>
    /// Writes a language model and its text tokenizer: the legacy layout in shards as transformers splits them (three), the other as one file.
    /// </summary>
    public static void WriteLanguageModel(string folder, LanguageModelSizes sizes, CheckpointLayout layout, int seed = 0)
    {
        Directory.CreateDirectory(folder);
        var values = new RandomValues(seed);
        List<RandomTensor> tensors = sizes.Tensors(layout);
        if (layout == CheckpointLayout.HuggingFace)
            WriteSafeTensors(Path.Combine(folder, "model.safetensors"), tensors, values);
        else
            WriteShards(folder, tensors, values);
        File.WriteAllText(Path.Combine(folder, "config.json"), sizes.Config(layout));
        File.WriteAllText(Path.Combine(folder, "generation_config.json"), LanguageModelSizes.GenerationConfig(layout));
        File.WriteAllBytes(Path.Combine(folder, "tokenizer.json"), ByteTokenizer.Json());
    }

    /// <summary>Writes a codec: model.pth in the legacy layout, model.safetensors in the other.</summary>
    public static void WriteCodec(string folder, CodecSizes sizes, CheckpointLayout layout, int seed = 0)
    {
        Directory.CreateDirectory(folder);
        var values = new RandomValues(seed);
        List<RandomTensor> tensors = sizes.Tensors(layout);
        if (layout == CheckpointLayout.HuggingFace)
            WriteSafeTensors(Path.Combine(folder, "model.safetensors"), tensors, values);
        else
            WriteTorch(Path.Combine(folder, "model.pth"), tensors, values);
        File.WriteAllText(Path.Combine(folder, "config.json"), sizes.Config(layout));
        if (layout == CheckpointLayout.Legacy && sizes != CodecSizes.Published)
            File.WriteAllText(Path.Combine(folder, "hubert_config.json"), sizes.HubertConfig);
    }

    /// <summary>Splits tensors over shards: a new one begins when the next tensor would make it too long.</summary>
    public static List<List<RandomTensor>> Shards(IReadOnlyList<RandomTensor> tensors)
    {
        long most = Math.Min(MaxShardLength, tensors.Sum(t => t.Plan.ByteLength) * 45 / 100), length = 0;
        var shards = new List<List<RandomTensor>> { new() };
        foreach (RandomTensor tensor in tensors)
        {
            if (shards[^1].Count > 0 && length + tensor.Plan.ByteLength > most)
            {
                shards.Add([]);
                length = 0;
            }
            shards[^1].Add(tensor);
            length += tensor.Plan.ByteLength;
        }
        return shards;
    }

    private static void WriteShards(string folder, List<RandomTensor> tensors, RandomValues values)
    {
        List<List<RandomTensor>> shards = Shards(tensors);
        string FileOf(int shard) => $"model-{shard + 1:D5}-of-{shards.Count:D5}.safetensors";
        for (int i = 0; i < shards.Count; i++)
            WriteSafeTensors(Path.Combine(folder, FileOf(i)), shards[i], values);
        using FileStream stream = File.Create(Path.Combine(folder, "model.safetensors.index.json"));
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", tensors.Sum(t => t.Plan.ByteLength));
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        foreach ((string name, int shard) in shards.SelectMany((s, i) => s.Select(t => (t.Name, i))).OrderBy(t => t.Name, StringComparer.Ordinal))
            json.WriteString(name, FileOf(shard));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteSafeTensors(string path, List<RandomTensor> tensors, RandomValues values)
    {
        using var writer = new SafeTensorsWriter(path, tensors.Select(t => t.Plan), new Dictionary<string, string> { ["format"] = "pt" });
        IEnumerable<(RandomTensor, long)> pieces = tensors.SelectMany(t => Starts(t).Select(start => (t, start)));
        Parallel.ForEach(pieces, () => new byte[PieceLength * sizeof(float)], (piece, _, buffer) =>
        {
            (RandomTensor tensor, long start) = piece;
            ReadOnlySpan<byte> bytes = Make(tensor, start, (int)Math.Min(PieceLength, tensor.Count - start), values, buffer);
            writer.Write(tensor.Name, bytes, start * CheckpointTensor.SizeOf(tensor.Type));
            return buffer;
        }, _ => { });
        writer.Complete();
    }

    // Norms are few, and need the whole of their tensor: one piece.
    private static IEnumerable<long> Starts(RandomTensor tensor)
    {
        for (long start = 0; start < tensor.Count; start += PieceLength)
            yield return start;
    }

    private static ReadOnlySpan<byte> Make(RandomTensor tensor, long start, int count, RandomValues values, byte[] buffer)
    {
        Span<byte> bytes = buffer.AsSpan(0, count * CheckpointTensor.SizeOf(tensor.Type));
        if (tensor.Type == TensorType.BFloat16)
            values.Fill(tensor, start, MemoryMarshal.Cast<byte, ushort>(bytes));
        else
            values.Fill(tensor, start, MemoryMarshal.Cast<byte, float>(bytes));
        return bytes;
    }

    private static void WriteTorch(string path, List<RandomTensor> tensors, RandomValues values)
    {
        string temporary = path + ".tmp";
        using (FileStream stream = File.Create(temporary))
        {
            var writer = new TorchFileWriter(stream);
            var buffer = new byte[tensors.Max(t => t.Plan.ByteLength)];
            foreach (RandomTensor tensor in tensors)
                writer.Add(tensor.Name, tensor.Type, tensor.Shape, Make(tensor, 0, (int)tensor.Count, values, buffer));
            writer.Finish();
        }
        File.Move(temporary, path, overwrite: true);
    }
}
