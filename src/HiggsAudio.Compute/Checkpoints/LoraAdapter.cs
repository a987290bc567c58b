namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// A LoRA adapter (arXiv:2106.09685) in the format of PEFT: a folder with <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>. It
/// changes a weight W to W + s·B·A, with s = alpha / r, or alpha / √r where the configuration says <c>use_rslora</c>; ranks and alphas of single
/// modules (<c>rank_pattern</c>, <c>alpha_pattern</c>), adapted embeddings, and whole weights (<c>modules_to_save</c>) are understood.
/// </summary>
public sealed class LoraAdapter : IDisposable
{
    private const string ConfigName = "adapter_config.json", TensorsName = "adapter_model.safetensors";

    private readonly SafeTensorsFile _file;
    private readonly LoraConfig _config;

    private LoraAdapter(string path, float weight, LoraConfig config, SafeTensorsFile file) => (Path, Weight, _config, _file) = (path, weight, config, file);

    /// <summary>Its folder.</summary>
    public string Path { get; }

    /// <summary>What its change is multiplied with: 1 as it was trained, less for less of it.</summary>
    public float Weight { get; }

    /// <summary>The model it was trained for, as its configuration names it; a name or a path of the machine that trained it.</summary>
    public string? BaseModel => _config.BaseModel;

    /// <summary>Opens an adapter.</summary>
    /// <param name="folder">Its folder.</param>
    /// <param name="weight">What its change is multiplied with; a finite number.</param>
    /// <exception cref="CheckpointException">A file is missing or broken, or asks for something that cannot be merged into weights.</exception>
    public static LoraAdapter Open(string folder, float weight = 1)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!float.IsFinite(weight))
            throw new ArgumentOutOfRangeException(nameof(weight), weight, "The weight of an adapter is a finite number.");
        LoraConfig config = LoraConfig.Load(System.IO.Path.Combine(folder, ConfigName));
        string tensors = System.IO.Path.Combine(folder, TensorsName);
        if (!File.Exists(tensors) && File.Exists(System.IO.Path.Combine(folder, "adapter_model.bin")))
            throw new CheckpointException(tensors, null, "is missing; adapter_model.bin is a pickle: save the adapter again as safetensors");
        return new LoraAdapter(folder, weight, config, new SafeTensorsFile(tensors));
    }

    /// <summary>What it adds, by canonical name of the tensor.</summary>
    /// <param name="model">The tensors it is for, by canonical name.</param>
    /// <param name="canonicalName">The canonical name of a stored one.</param>
    /// <exception cref="CheckpointException">It does not fit: a name, a shape or a rank is not what it should be.</exception>
    internal Dictionary<string, TensorChange> Changes(IReadOnlyDictionary<string, CheckpointTensor> model, Func<string, string?> canonicalName)
    {
        var changes = new Dictionary<string, TensorChange>();
        var seconds = new HashSet<string>();
        foreach (CheckpointTensor tensor in _file.Tensors.Values)
        {
            CheckType(tensor);
            LoraTensorName name = LoraTensorName.Parse(tensor.Name) ?? throw Error(tensor, "is not a tensor of a LoRA adapter that can be merged");
            if (name.Part is LoraPart.B or LoraPart.EmbeddingB)
            {
                seconds.Add(tensor.Name);
                continue;
            }
            string canonical = canonicalName(name.Target) ?? throw Error(tensor, $"changes '{name.Target}', which is not used");
            if (!model.TryGetValue(canonical, out CheckpointTensor? target))
                throw Error(tensor, $"changes '{name.Target}', which the model does not have{ForAnother()}");
            if (!changes.TryAdd(canonical, Change(tensor, name, target)))
                throw Error(tensor, $"changes '{name.Target}' a second time");
        }
        foreach (CheckpointTensor tensor in _file.Tensors.Values)
            if (LoraTensorName.Parse(tensor.Name) is { Part: LoraPart.A or LoraPart.EmbeddingA } name)
                seconds.Remove(name.Partner!);
        if (seconds.Count > 0)
            throw Error(_file.Tensors[seconds.Min(StringComparer.Ordinal)!], "has no lora_A beside it");
        return changes.Count > 0 ? changes : throw new CheckpointException(_file.Path, null, "has no tensors");
    }

    private TensorChange Change(CheckpointTensor tensor, LoraTensorName name, CheckpointTensor target)
    {
        if (name.Part == LoraPart.Whole)
        {
            if (!tensor.Shape.SequenceEqual(target.Shape))
                throw Error(tensor, $"is {Text(tensor.Shape)}, the model's '{target.Name}' is {Text(target.Shape)}{ForAnother()}");
            return new WholeChange(tensor, target, Weight);
        }
        if (target.Shape.Length != 2)
            throw Error(tensor, $"changes '{target.Name}', which is {Text(target.Shape)}; only matrices can be changed by a low rank");
        if (!_file.Tensors.TryGetValue(name.Partner!, out CheckpointTensor? second))
            throw Error(tensor, $"has no '{name.Partner}' beside it");
        (int rank, float scale) = _config.RankAndScale(name.Module);
        bool embedding = name.Part == LoraPart.EmbeddingA;
        (long rows, long columns) = embedding ? (target.Shape[1], target.Shape[0]) : (target.Shape[0], target.Shape[1]);
        CheckShape(tensor, [rank, columns], target, rank);
        CheckShape(second, [rows, rank], target, rank);
        return embedding ? new LowRankTableChange(tensor, second, scale * Weight) : new LowRankChange(tensor, second, scale * Weight);
    }

    private void CheckShape(CheckpointTensor tensor, ReadOnlySpan<long> expected, CheckpointTensor target, int rank)
    {
        if (!tensor.Shape.SequenceEqual(expected))
            throw Error(tensor, $"is {Text(tensor.Shape)}, expected {Text(expected)}: rank {rank} by {ConfigName}, and the model's '{target.Name}' is {Text(target.Shape)}{ForAnother()}");
    }

    private void CheckType(CheckpointTensor tensor)
    {
        if (tensor.Type is not (TensorType.Float32 or TensorType.BFloat16 or TensorType.Float16))
            throw Error(tensor, $"has elements of type {tensor.Type}; an adapter has Float32, BFloat16 or Float16");
    }

    private string ForAnother() => BaseModel is null ? "" : $"; the adapter was trained for '{BaseModel}'";

    private CheckpointException Error(CheckpointTensor tensor, string problem) => new(_file.Path, tensor.Name, problem);

    private static string Text(ReadOnlySpan<long> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    /// <summary>Closes its file.</summary>
    public void Dispose() => _file.Dispose();
}
