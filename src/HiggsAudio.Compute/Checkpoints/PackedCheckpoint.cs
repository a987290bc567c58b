using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>How a tensor of a <see cref="PackedCheckpoint"/> lies in the file.</summary>
/// <param name="Format">The format of its values.</param>
/// <param name="Rows">Outputs.</param>
/// <param name="Columns">Inputs.</param>
internal readonly record struct Packing(WeightFormat Format, int Rows, int Columns)
{
    private bool IsQuantized => BlockQuantization.IsQuantized(Format);

    private int ElementBytes => Format == WeightFormat.BFloat16 ? sizeof(ushort) : sizeof(float);

    /// <summary>Bytes of all panels.</summary>
    public long Bytes => IsQuantized
        ? QuantizedPanels.Bytes(Rows, Columns, Format)
        : checked(WeightPacking.Elements(Rows, Columns, WeightLayout.Panels) * ElementBytes);

    /// <summary>Number of panels.</summary>
    public int Panels => IsQuantized ? QuantizedPanels.Panels(Rows) : (int)(((long)Rows + WeightPacking.PanelOutputs - 1) / WeightPacking.PanelOutputs);

    /// <summary>The layout that the CPU device computes on.</summary>
    public WeightLayout Layout => IsQuantized ? WeightLayout.QuantizedPanels : WeightLayout.Panels;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Format} {Rows} {Columns}");

    public static bool TryParse(string text, out Packing packing)
    {
        string[] words = text.Split(' ');
        packing = default;
        if (words.Length != 3 || !int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out int rows) || !int.TryParse(words[2], NumberStyles.None, CultureInfo.InvariantCulture, out int columns))
            return false;
        foreach (WeightFormat format in (ReadOnlySpan<WeightFormat>)[WeightFormat.Float32, WeightFormat.BFloat16, WeightFormat.Int8, WeightFormat.Int4])
            if (words[0] == format.ToString() && rows > 0 && columns > 0 && rows <= 1 << 24 && columns <= 1 << 24)
            {
                packing = new Packing(format, rows, columns);
                return true;
            }
        return false;
    }
}

/// <summary>
/// A safetensors file whose linear weights are panels as the CPU device computes on them, so that loading maps them and copies nothing. Its
/// metadata says so: a version of the layout, the sizes of panels and blocks, the identity of the checkpoint that it was made of, and for every
/// tensor of panels (stored as bytes, [panels, bytes of a panel]) its format, rows and columns; for every convolution the shape that it had. All
/// panels begin at multiples of 64 bytes. Other tensors are plain.
/// </summary>
public sealed class PackedCheckpoint : Checkpoint
{
    /// <summary>The version of the layout that this library writes, and the only one that it reads.</summary>
    public const string LayoutVersion = "1";

    private const string VersionKey = "higgs_audio.layout", PanelsKey = "higgs_audio.panels", SourceKey = "higgs_audio.source", PackedPrefix = "higgs_audio.packed.", ShapePrefix = "higgs_audio.shape.";
    private const int Piece = 16 << 20, Alignment = 4096;

    private static readonly string PanelSizes = string.Create(CultureInfo.InvariantCulture,
        $"integers: {QuantizedPanels.Outputs} outputs, {QuantizedPanels.Inputs} inputs, blocks of {BlockQuantization.Size}; floats: {WeightPacking.PanelOutputs} outputs");

    private readonly Checkpoint _file;
    private readonly Dictionary<string, CheckpointTensor> _tensors = [];

    private PackedCheckpoint(Checkpoint file)
    {
        _file = file;
        if (file.Metadata[VersionKey] != LayoutVersion)
            throw Error(null, $"has layout {Shortened(file.Metadata[VersionKey])} of packed weights, this version of the library reads layout {LayoutVersion}: quantize the original checkpoint again");
        if (!BitConverter.IsLittleEndian)
            throw Error(null, "is little-endian, this machine is not");
        if (file.Metadata.GetValueOrDefault(PanelsKey) is var panels && panels != PanelSizes)
            throw Error(null, $"has panels of '{Shortened(panels ?? "")}', expected '{PanelSizes}'");
        foreach ((string name, CheckpointTensor tensor) in file.Tensors)
            _tensors.Add(name, Described(name, tensor));
        foreach (string key in file.Metadata.Keys)
            foreach (string prefix in (ReadOnlySpan<string>)[PackedPrefix, ShapePrefix])
                if (key.StartsWith(prefix, StringComparison.Ordinal) && !file.Tensors.ContainsKey(key[prefix.Length..]))
                    throw Error(key[prefix.Length..], "is described in the metadata, but missing");
    }

    /// <inheritdoc/>
    public override string Path => _file.Path;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Metadata => _file.Metadata;

    /// <summary>The identity of the checkpoint that it was made of, see <see cref="IdentityOf"/>.</summary>
    public string Source => Metadata.GetValueOrDefault(SourceKey) ?? "";

    /// <summary>The file as a packed checkpoint if its metadata says that it is one, else as it is. Takes the file over.</summary>
    internal static Checkpoint Recognize(Checkpoint file)
    {
        if (!file.Metadata.ContainsKey(VersionKey))
            return file;
        try
        {
            return new PackedCheckpoint(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// What tells checkpoints apart without reading all of them: a SHA-256 hash of the names, types and shapes of the tensors and of the first and
    /// last 16 elements of each.
    /// </summary>
    public static string IdentityOf(Checkpoint checkpoint)
    {
        if (checkpoint is PackedCheckpoint packed)
            return packed.Source;
        var sample = new float[16];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((string name, CheckpointTensor tensor) in checkpoint.Tensors.OrderBy(t => t.Key, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{name} {tensor.Type} [{string.Join(',', tensor.Shape.ToArray())}]\n"));
            Span<float> elements = sample.AsSpan(0, (int)Math.Min(sample.Length, tensor.Count));
            foreach (long start in (ReadOnlySpan<long>)[0, tensor.Count - elements.Length])
            {
                tensor.CopyTo(elements, start);
                hash.AppendData(MemoryMarshal.AsBytes(elements));
            }
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Writes weights as their device keeps them. The file appears whole or not at all.</summary>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <param name="weights">Weights of a <see cref="CpuDevice"/> by name.</param>
    /// <param name="source">The checkpoint that they were made of.</param>
    /// <param name="originalShapes">The shapes that convolutions had in it (<see cref="WeightReader.OriginalShapes"/>), by name; null if there are none.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="NotSupportedException">A weight belongs to another kind of device.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    public static void Save(string path, IReadOnlyDictionary<string, Weight> weights, Checkpoint source,
        IReadOnlyDictionary<string, long[]>? originalShapes = null, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(source);
        var metadata = new Dictionary<string, string> { [VersionKey] = LayoutVersion, [PanelsKey] = PanelSizes, [SourceKey] = IdentityOf(source) };
        var plans = new List<TensorPlan>();
        foreach ((string name, Weight weight) in weights)
        {
            CpuWeight kept = weight as CpuWeight ?? throw new NotSupportedException($"'{name}' is not a weight of the CPU device; only those can be saved as they are kept.");
            plans.Add(Plan(name, kept));
            if (kept.Layout != WeightLayout.Rows)
                metadata.Add(PackedPrefix + name, new Packing(kept.Format, kept.Rows, kept.Columns).ToString());
            if (originalShapes?.GetValueOrDefault(name) is { } shape)
                metadata.Add(ShapePrefix + name, string.Join(' ', shape));
        }
        using var writer = new SafeTensorsWriter(path, plans, metadata, Alignment);
        long all = plans.Sum(plan => plan.ByteLength), done = 0;
        foreach (TensorPlan plan in plans)
            for (long start = 0; start < plan.ByteLength; start += Piece)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int count = (int)Math.Min(Piece, plan.ByteLength - start);
                writer.Write(plan.Name, ((CpuWeight)weights[plan.Name]).Bytes(start, count), start);
                progress?.Report((double)(done += count) / all);
            }
        writer.Complete();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => _file.Dispose();

    private static TensorPlan Plan(string name, CpuWeight weight)
    {
        if (weight.Layout == WeightLayout.Rows)
            return new TensorPlan(name, weight.IsBFloat16 ? TensorType.BFloat16 : TensorType.Float32, [weight.Rows, weight.Columns]);
        var packing = new Packing(weight.Format, weight.Rows, weight.Columns);
        return new TensorPlan(name, TensorType.UInt8, [packing.Panels, packing.Bytes / packing.Panels]);
    }

    // A tensor as its metadata describe it.
    private CheckpointTensor Described(string name, CheckpointTensor tensor)
    {
        string? packing = Metadata.GetValueOrDefault(PackedPrefix + name), shape = Metadata.GetValueOrDefault(ShapePrefix + name);
        return packing is null && shape is null ? tensor : tensor.As(packing is null ? null : Unpack(tensor, packing), shape is null ? null : Shape(tensor, shape));
    }

    private Packing Unpack(CheckpointTensor tensor, string text)
    {
        if (!Packing.TryParse(text, out Packing packing))
            throw Error(tensor.Name, $"is packed as '{Shortened(text)}', which is no format, rows and columns");
        if (tensor.Type != TensorType.UInt8 || tensor.Shape.Length != 2 || tensor.Shape[0] != packing.Panels || tensor.ByteLength != packing.Bytes)
            throw Error(tensor.Name, $"{packing} has {packing.Panels} panels of {packing.Bytes} bytes together, found {tensor.Type} [{string.Join(", ", tensor.Shape.ToArray())}]");
        if (tensor.Address % CpuMemory.Alignment != 0)
            throw Error(tensor.Name, $"does not begin at a multiple of {CpuMemory.Alignment} bytes");
        return packing;
    }

    private long[] Shape(CheckpointTensor tensor, string text)
    {
        string[] words = text.Split(' ');
        var shape = new long[words.Length];
        for (int i = 0; i < words.Length; i++)
            if (words.Length > 8 || !long.TryParse(words[i], NumberStyles.None, CultureInfo.InvariantCulture, out shape[i]))
                throw Error(tensor.Name, $"had the shape '{Shortened(text)}', which is no numbers");
        return shape;
    }

    private static string Shortened(string text) => text.Length > 60 ? text[..60] + "…" : text;

    private CheckpointException Error(string? tensor, string problem) => new(_file.Path, tensor, problem);
}
