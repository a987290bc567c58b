using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Testing.Checkpoints;

/// <summary>Writes what torch.save writes for a dict of contiguous tensors: a zip file with a pickle and one entry per tensor.</summary>
public sealed class TorchFileWriter(Stream stream, string root = "model")
{
    private readonly StoredZipWriter _zip = new(stream);
    private readonly PickleWriter _pickle = new PickleWriter().Protocol().Op('}').Op('(');
    private int _count;

    public void Add(string name, TensorType type, ReadOnlySpan<long> shape, ReadOnlySpan<byte> bytes)
    {
        string key = $"{_count++}";
        _pickle.Text(name).Tensor(type, key, shape);
        _zip.Add($"{root}/data/{key}", bytes);
    }

    public void Finish()
    {
        _zip.Add($"{root}/data.pkl", _pickle.Op('u').Op('.').ToArray());
        _zip.Add($"{root}/byteorder", "little"u8);
        _zip.Add($"{root}/version", "3\n"u8);
        _zip.Finish();
    }
}
