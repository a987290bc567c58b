using System.Runtime.InteropServices;
using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Generation;

namespace HiggsAudio.Core.Tests.Generation;

/// <summary>A generation that the reference made and recorded: a case of kind greedy or sampled of an lm_* folder.</summary>
internal sealed class RecordedRun
{
    private readonly Dictionary<string, (long[] Shape, byte[] Bytes)> _tensors = [];

    public RecordedRun(string folder, string name)
    {
        using JsonDocument meta = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "meta.json")));
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "config.json")));
        JsonElement c = config.RootElement;
        Case = meta.RootElement.GetProperty("cases").GetProperty(name).Clone();
        Tokens = new GenerationTokens(Id(c, "audio_out_bos_token_id"), Id(c, "audio_out_token_idx"), Id(c, "audio_eos_token_id"),
            Id(c, "audio_stream_bos_id"), Id(c, "audio_stream_eos_id"), Id(c, "audio_num_codebooks"));
        CodebookSize = Id(c, "audio_codebook_size");
        Stop = new StopCondition(StopTokens(folder));
        Options = ReadOptions(Case);
        using var file = new SafeTensorsFile(Path.Combine(folder, name + ".safetensors"));
        foreach ((string tensor, CheckpointTensor values) in file.Tensors)
            _tensors[tensor] = (values.Shape.ToArray(), values.Bytes(0, (int)values.ByteLength).ToArray());
    }

    public JsonElement Case { get; }

    public GenerationTokens Tokens { get; }

    public int CodebookSize { get; }

    public StopCondition Stop { get; }

    public GenerationOptions Options { get; }

    public bool Has(string tensor) => _tensors.ContainsKey(tensor);

    public int[] Ints(string tensor) => [.. MemoryMarshal.Cast<byte, int>(_tensors[tensor].Bytes)];

    public float[] Floats(string tensor) => [.. MemoryMarshal.Cast<byte, float>(_tensors[tensor].Bytes)];

    public int[,] Matrix(string tensor)
    {
        (long[] shape, _) = _tensors[tensor];
        int[] values = Ints(tensor);
        var matrix = new int[shape[0], shape[1]];
        for (int i = 0; i < values.Length; i++)
            matrix[i / matrix.GetLength(1), i % matrix.GetLength(1)] = values[i];
        return matrix;
    }

    /// <summary>The state before the first step.</summary>
    public GenerationState Begin(Sampler? sampler = null)
    {
        int[] columns = [], starts = [0];
        if (Has("audio_out_ids"))
            (columns, starts) = ([.. GoldenJson.Transpose(Matrix("audio_out_ids")).Cast<int>()], Ints("audio_out_ids_start"));
        return new GenerationState(Tokens, Options, Stop, Ints("input_ids"), columns, starts[^1], sampler);
    }

    private static int Id(JsonElement config, string key) => config.GetProperty(key).GetInt32();

    private static int[] StopTokens(string folder)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "generation_config.json")));
        JsonElement eos = document.RootElement.GetProperty("eos_token_id");
        return eos.ValueKind == JsonValueKind.Array ? GoldenJson.Ints(eos) : [eos.GetInt32()];
    }

    private static GenerationOptions ReadOptions(JsonElement c)
    {
        bool sample = c.TryGetProperty("do_sample", out JsonElement doSample) && doSample.GetBoolean();
        return new GenerationOptions
        {
            MaxNewTokens = c.GetProperty("max_new_tokens").GetInt32(),
            Temperature = sample && c.TryGetProperty("temperature", out JsonElement t) ? t.GetSingle() : sample ? 1 : 0,
            TopK = c.TryGetProperty("top_k", out JsonElement k) ? GoldenJson.NullableInt(k) : null,
            TopP = c.TryGetProperty("top_p", out JsonElement p) && p.ValueKind == JsonValueKind.Number ? p.GetSingle() : 1,
            RasWinLen = c.TryGetProperty("ras_win_len", out JsonElement w) ? GoldenJson.NullableInt(w) : null,
            RasWinMaxNumRepeat = c.TryGetProperty("ras_win_max_num_repeat", out JsonElement m) ? m.GetInt32() : 2,
            Seed = 1,
        };
    }
}
