using HiggsAudio.Compute;

namespace HiggsAudio;

/// <summary>Lanes of a device, one per concurrent caller, kept for the next one.</summary>
internal sealed class LanePool(Device device) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Stack<Backend> _free = [];
    private bool _disposed;

    /// <summary>A lane to compute with until it is handed back by disposing the rental.</summary>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    public Rental Rent()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(AudioCodec));
            if (_free.TryPop(out Backend? lane))
                return new Rental(this, lane);
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
        }
    }

    private void Return(Backend lane)
    {
        lock (_lock)
        {
            if (!_disposed)
                _free.Push(lane);
            else
                lane.Dispose();
        }
    }

    internal readonly ref struct Rental(LanePool pool, Backend lane)
    {
        public Backend Lane => lane;

        public void Dispose() => pool.Return(lane);
    }
}
