using HiggsAudio.Compute;

namespace HiggsAudio;

/// <summary>
/// Lanes of a device, one per concurrent caller. Of those that are not in use as many are kept as there are cores, for more cannot help, and as long
/// as they are not too large together.
/// </summary>
/// <param name="device">The device.</param>
internal sealed class LanePool(Device device) : IDisposable
{
    // Enough for many callers that decode with the published codec, or for one that encodes 20 seconds.
    private const long MostKeptBytes = 256L << 20;

    private readonly Lock _lock = new();
    private readonly Stack<Backend> _free = [];
    private long _keptBytes;
    private bool _disposed;

    /// <summary>A lane to compute with until it is handed back by disposing the rental.</summary>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    public Rental Rent()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(AudioCodec));
            if (_free.TryPop(out Backend? lane))
            {
                _keptBytes -= lane.ScratchBytes;
                return new Rental(this, lane);
            }
        }
        return new Rental(this, device.CreateLane());
    }

    /// <summary>Frees the lanes that are not in use now, and each of the others when it is handed back.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            while (_free.TryPop(out Backend? lane))
                lane.Dispose();
            _keptBytes = 0;
        }
    }

    private void Return(Backend lane)
    {
        lock (_lock)
        {
            if (!_disposed && _free.Count < Environment.ProcessorCount && _keptBytes + lane.ScratchBytes <= MostKeptBytes)
            {
                _keptBytes += lane.ScratchBytes;
                _free.Push(lane);
                return;
            }
        }
        lane.Dispose();
    }

    internal readonly ref struct Rental(LanePool pool, Backend lane)
    {
        public Backend Lane => lane;

        public void Dispose() => pool.Return(lane);
    }
}
