using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>The elements of a tensor with changes added.</summary>
internal sealed unsafe class MergedElements(CheckpointTensor stored, TensorChange[] changes) : ComputedElements(stored), IDisposable
{
    private const int Piece = 4096;

    private readonly Lock _lock = new();
    private NativeBlock? _block;
    private bool _disposed;

    /// <inheritdoc/>
    public override void CopyTo(Span<float> destination, long start)
    {
        Stored.CopyTo(destination, start);
        foreach (TensorChange change in changes)
            change.AddTo(destination, start);
    }

    /// <summary>All elements in the stored type, made when first asked for.</summary>
    /// <exception cref="ObjectDisposedException">The checkpoint is closed.</exception>
    public override nint Address
    {
        get
        {
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, Stored);
                if (_block is null)
                {
                    var block = new NativeBlock(Math.Max(1, Stored.ByteLength));
                    Parallel.For(0, (Stored.Count + Piece - 1) / Piece, i => Make(i * Piece, (byte*)block.Address));
                    _block = block;
                    Stored.Forget();
                }
                return _block.Address;
            }
        }
    }

    private void Make(long start, byte* data)
    {
        Span<float> values = stackalloc float[(int)Math.Min(Piece, Stored.Count - start)];
        CopyTo(values, start);
        switch (Stored.Type)
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
