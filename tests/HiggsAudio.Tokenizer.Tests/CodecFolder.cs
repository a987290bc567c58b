using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;

namespace HiggsAudio.Tests;

/// <summary>A codec's folder that is changed in memory and written to a temporary folder.</summary>
internal sealed class CodecFolder : IDisposable
{
    private static readonly string[] UnitParts = ["snake1", "conv1", "snake2", "conv2"];

    public CodecFolder(string fixture = "codec_b")
    {
        string source = System.IO.Path.Combine(Golden.Repository, "tests", "golden", fixture);
        using Checkpoint checkpoint = Checkpoint.Open(source);
        Tensors = checkpoint.Tensors.ToDictionary(t => t.Key, t => (t.Value.Shape.ToArray(), t.Value.ToFloats()));
        Config = JsonNode.Parse(File.ReadAllText(System.IO.Path.Combine(source, "config.json")))!.AsObject();
        Hubert = JsonNode.Parse(File.ReadAllText(System.IO.Path.Combine(source, "hubert_config.json")))!.AsObject();
    }

    public Dictionary<string, (long[] Shape, float[] Values)> Tensors { get; private set; }

    public JsonObject Config { get; private set; }

    public JsonObject? Hubert { get; set; }

    public string Path { get; } = Directory.CreateTempSubdirectory("codec").FullName;

    public CodecFolder Write()
    {
        File.WriteAllText(System.IO.Path.Combine(Path, "config.json"), Config.ToJsonString());
        if (Hubert is not null)
            File.WriteAllText(System.IO.Path.Combine(Path, "hubert_config.json"), Hubert.ToJsonString());
        using var writer = new SafeTensorsWriter(System.IO.Path.Combine(Path, "model.safetensors"),
            Tensors.Select(t => new TensorPlan(t.Key, TensorType.Float32, t.Value.Shape)));
        foreach ((string name, (_, float[] values)) in Tensors)
            writer.Write(name, MemoryMarshal.AsBytes(values.AsSpan()));
        writer.Complete();
        return this;
    }

    /// <summary>Gives everything the names, and the configuration, of the transformers library; merges weight norm but the semantic model's.</summary>
    public void ToTransformersLayout()
    {
        MergeWeightNorm();
        Tensors.Remove("semantic_model.masked_spec_embed");
        Tensors = Tensors.ToDictionary(t => TransformersName(t.Key), t => t.Value);
        JsonObject acoustic = new()
        {
            ["model_type"] = "dac",
            ["downsampling_ratios"] = Config["ratios"]!.DeepClone(),
            ["upsampling_ratios"] = Config["ratios"]!.DeepClone(),
            ["hidden_size"] = Config["D"]!.DeepClone(),
        };
        Config = new JsonObject
        {
            ["model_type"] = "higgs_audio_v2_tokenizer",
            ["acoustic_model_config"] = acoustic,
            ["semantic_model_config"] = Hubert!.DeepClone(),
            ["codebook_size"] = Config["bins"]!.DeepClone(),
            ["codebook_dim"] = Config["codebook_dim"]?.DeepClone(),
            ["sample_rate"] = Config["sample_rate"]!.DeepClone(),
            ["semantic_sample_rate"] = 16000,
            ["downsample_factor"] = 320,
            ["strides"] = new JsonArray(1, 1),
            ["block_dilations"] = new JsonArray(1, 1),
        };
        Hubert = null;
    }

    // The rules of convert_higgs_audio_v2_tokenizer_to_hf.py.
    public static string TransformersName(string name)
    {
        name = Regex.Replace(name, @"^encoder\.block\.(\d+)\.block\.([0-2])\.block\.(\d)",
            m => $"acoustic_encoder.block.{Number(m, 1) - 1}.res_unit{Number(m, 2) + 1}.{UnitParts[Number(m, 3)]}");
        name = Regex.Replace(name, @"^encoder\.block\.(\d+)\.block\.([34])", m => $"acoustic_encoder.block.{Number(m, 1) - 1}.{(Number(m, 2) == 3 ? "snake1" : "conv1")}");
        name = Regex.Replace(name, @"^decoder_2\.model\.(\d+)\.block\.([2-4])\.block\.(\d)",
            m => $"acoustic_decoder.block.{Number(m, 1) - 1}.res_unit{Number(m, 2) - 1}.{UnitParts[Number(m, 3)]}");
        name = Regex.Replace(name, @"^decoder_2\.model\.(\d+)\.block\.([01])", m => $"acoustic_decoder.block.{Number(m, 1) - 1}.{(Number(m, 2) == 0 ? "snake1" : "conv_t1")}");
        name = Regex.Replace(name, @"^(encoder\.block|decoder_2\.model)\.(\d+)\.(alpha|weight|bias)",
            m => $"acoustic_{(name[0] == 'e' ? "en" : "de")}coder.{(m.Groups[3].Value == "alpha" ? "snake1" : Number(m, 2) == 0 ? "conv1" : "conv2")}.{m.Groups[3].Value}");
        name = name.Replace("quantizer.vq.layers.", "quantizer.quantizers.").Replace("._codebook.", ".codebook.");
        name = name.Replace("fc_prior.", "fc.").Replace("fc_post1.", "fc1.").Replace("fc_post2.", "fc2.");
        return name.StartsWith("semantic_model.", StringComparison.Ordinal) ? name : Regex.Replace(name, @"\.(conv|conv1|conv2)\.conv\.", ".$1.");
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].Value);

    private void MergeWeightNorm()
    {
        foreach (string gainName in Tensors.Keys.Where(k => k.EndsWith(".weight_g", StringComparison.Ordinal) && !k.StartsWith("semantic_model", StringComparison.Ordinal)).ToArray())
        {
            string name = gainName[..^2];
            ((_, float[] gains), (long[] shape, float[] values)) = (Tensors[gainName], Tensors[name + "_v"]);
            float[][] rows = [.. values.Chunk(values.Length / gains.Length)];
            Tensors[name] = (shape, [.. rows.SelectMany((row, i) => row.Select(v => (float)(v * (gains[i] / Math.Sqrt(row.Sum(w => (double)w * w))))))]);
            Tensors.Remove(gainName);
            Tensors.Remove(name + "_v");
        }
    }
}
