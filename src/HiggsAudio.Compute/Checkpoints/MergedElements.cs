using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>The elements of a tensor with changes added.</summary>
internal sealed unsafe class MergedElements(CheckpointTensor tensor, TensorChange[] changes) : IDisposable
{
    private const int Piece = 4096;

    private readonly Lock _lock = new();
    private NativeBlock? _block;
    private bool _disposed;

    /// <summary>The tensor as it was.</summary>
    public CheckpointTensor Tensor => tensor;

    /// <summary>Computes elements.</summary>
    public void CopyTo(Span<float> destination, long start)
    {
        tensor.CopyTo(destination, start);
        foreach (TensorChange change in changes)
            change.AddTo(destination, start);
    }

    /// <summary>All elements in the stored type, made when first asked for.</summary>
    /// <exception cref="ObjectDisposedException">The checkpoint is closed.</exception>
    public nint Address
    {
        get
        {
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, tensor);
                if (_block is null)
                {
                    var block = new NativeBlock(Math.Max(1, tensor.ByteLength));
                    Parallel.For(0, (tensor.Count + Piece - 1) / Piece, i => Make(i * Piece, (byte*)block.Address));
                    _block = block;
                    tensor.Forget();
                }
                return _block.Address;
            }
        }
    }

    private void Make(long start, byte* data)
    {
        Span<float> values = stackalloc float[(int)Math.Min(Piece, tensor.Count - start)];
        CopyTo(values, start);
        switch (tensor.Type)
        {
            case TensorType.Float32:
                values.CopyTo(new Span<float>((float*)data + start, values.Length));
                break;
            case TensorType.BFloat16:
                for (int i = 0; i < values.Length; i++)
                    ((ushort*)data)[start + i] = BFloat16.Round(values[i]);
                break;
            default:
                for (int i = 0; i < values.Length; i++)
                    ((Half*)data)[start + i] = (Half)values[i];
                break;
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _block?.Dispose();
        }
    }
}
