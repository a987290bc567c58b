using HiggsAudio.Compute;

namespace HiggsAudio;

/// <summary>Brings a device's mapped weights into memory on a thread of its own, while the rest is loaded and the first prompt is made.</summary>
internal sealed class ReadAhead : IDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly Task _task;

    /// <param name="device">The device; it and the mapped files live longer.</param>
    public ReadAhead(Device device)
    {
        CancellationToken token = _end.Token;
        _task = Task.Factory.StartNew(() => device.ReadAhead(token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Ends it and waits for that, some milliseconds.</summary>
    public void Dispose()
    {
        _end.Cancel();
        _task.Wait();
        _end.Dispose();
    }
}
