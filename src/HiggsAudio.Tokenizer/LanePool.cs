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

    private readonly object _lock = new();   // waited on, which a Lock cannot be
    private readonly Stack<Backend> _free = [];
    private long _keptBytes;
    private int _rented;
    private bool _disposed;

    /// <summary>A lane to compute with until it is handed back by disposing the rental.</summary>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    public Rental Rent()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(AudioCodec));
            _rented++;
            if (_free.TryPop(out Backend? lane))
            {
                _keptBytes -= lane.ScratchBytes;
                return new Rental(this, lane);
            }
        }
        try
        {
            return new Rental(this, device.CreateLane());
        }
        catch
        {
            EndRental();
            throw;
        }
    }

    /// <summary>Frees all lanes. Waits for those that are in use to be handed back: after it nobody computes with the device's weights any more.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            while (_free.TryPop(out Backend? lane))
                lane.Dispose();
            _keptBytes = 0;
            while (_rented > 0)
                Monitor.Wait(_lock);
        }
    }

    private void Return(Backend lane)
    {
        bool kept;
        lock (_lock)
        {
            kept = !_disposed && _free.Count < Environment.ProcessorCount && _keptBytes + lane.ScratchBytes <= MostKeptBytes;
            if (kept)
            {
                _keptBytes += lane.ScratchBytes;
                _free.Push(lane);
            }
        }
        if (!kept)
            lane.Dispose();
        EndRental();
    }

    private void EndRental()
    {
        lock (_lock)
            if (--_rented == 0)
                Monitor.PulseAll(_lock);
    }

    internal readonly ref struct Rental(LanePool pool, Backend lane)
    {
        public Backend Lane => lane;

        public void Dispose() => pool.Return(lane);
    }
}
