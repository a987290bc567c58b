using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace HiggsAudio.Compute.Cpu;

/// <summary>Work that is cut into independent chunks. A struct, so that running it allocates nothing.</summary>
internal interface IChunkedJob
{
    /// <summary>Does one chunk; called at most once per chunk, on any thread, in any order.</summary>
    void Execute(int chunk);
}

/// <summary>
/// Runs jobs on all cores; shared by the lanes of a device. The caller works too. Workers claim chunks from one word that holds the job's
/// number and the chunks left of it: whoever claims a chunk keeps the job from ending, so it may read what describes the job. Idle workers
/// spin for a moment, then sleep. A job that finds the workers busy with another one (another lane's, or the one it is nested in) runs on
/// its caller alone. A job that may be redone (<see cref="IRedoableJob"/>) does not wait for a worker whose core was taken away.
/// </summary>
internal sealed unsafe partial class CpuThreads : IDisposable
{
    private const long SpinMicroseconds = 100;

    // In the ticket's lower half: chunks left, and whether the job may be redone.
    private const int Redoable = int.MinValue, ChunksLeft = int.MaxValue;

    private readonly Worker[] _workers;
    private readonly Sleeper _caller = new();
    private SharedWords _shared;

    // The job that the workers are on; written while no chunk is claimed.
    private delegate*<void*, int, void> _execute;
    private void* _job;
    private int _chunks;
    private ExceptionDispatchInfo? _failure;

    /// <param name="count">Threads that work on a job, the caller's included; 0 for one per core.</param>
    public CpuThreads(int count = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        Count = count == 0 ? Environment.ProcessorCount : count;
        _workers = new Worker[Count - 1];
        for (int i = 0; i < _workers.Length; i++)
            _workers[i] = new Worker();
        for (int i = 0; i < _workers.Length; i++)
        {
            Worker self = _workers[i];
            self.Thread = new Thread(() => Work(self)) { IsBackground = true, Name = $"HiggsAudio worker {i + 1}" };
            self.Thread.Start();
        }
    }

    /// <summary>Threads that work on a job, the caller's included.</summary>
    public int Count { get; }

    /// <summary>Runs all chunks and returns when they are done.</summary>
    /// <exception cref="Exception">The first exception that a chunk threw; the chunks that were not yet begun are then left out.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run<TJob>(in TJob job, int chunks) where TJob : struct, IChunkedJob
    {
        // The workers follow a pointer to this copy: it is on the stack, which does not move, and this method outlives their work on it.
        TJob copy = job;
        if (chunks <= 1 || !TryBegin())
        {
            for (int chunk = 0; chunk < chunks; chunk++)
                copy.Execute(chunk);
            return;
        }
        try
        {
            RunShared(&Execute<TJob>, Unsafe.AsPointer(ref copy), chunks);
        }
        finally
        {
            Volatile.Write(ref _shared.Busy, 0);
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _shared.Stopping, 1) != 0)
            return;
        foreach (Worker worker in _workers)
            worker.Sleeper.Wake();
        foreach (Worker worker in _workers)
        {
            worker.Thread?.Join();
            worker.Dispose();
        }
        _caller.Dispose();
        CpuMemory.Free(_redoable);
        // Runs that come later find the workers busy for ever.
        Volatile.Write(ref _shared.Busy, 1);
    }

    private static void Execute<TJob>(void* job, int chunk) where TJob : struct, IChunkedJob => Unsafe.AsRef<TJob>(job).Execute(chunk);

    private bool TryBegin() => _workers.Length > 0 && Interlocked.CompareExchange(ref _shared.Busy, 1, 0) == 0;

    private void RunShared(delegate*<void*, int, void> execute, void* job, int chunks)
    {
        _execute = execute;
        _job = job;
        _chunks = chunks;
        _failure = null;
        Volatile.Write(ref _shared.Done, 0);
        Announce(NextNumber(), chunks);
        Interlocked.Add(ref _shared.Done, Drain());
        WaitForChunks(chunks);
        _failure?.Throw();
    }

    private int NextNumber() => (int)(_shared.Ticket >> 32) + 1;

    // Shows the workers a job, with a full fence.
    private void Announce(int number, int chunksAndKind)
    {
        Interlocked.Exchange(ref _shared.Ticket, (long)number << 32 | (uint)chunksAndKind);
        int helpers = Math.Min(_workers.Length, (chunksAndKind & ChunksLeft) - 1);
        for (int i = 0; i < helpers; i++)
            _workers[i].Sleeper.Wake();
    }

    // Executes chunks until none is left; returns how many, for Done.
    private int Drain()
    {
        int executed = 0;
        while (true)
        {
            long ticket = Volatile.Read(ref _shared.Ticket);
            int left = (int)ticket;
            if (left <= 0)
                return executed;
            if (Interlocked.CompareExchange(ref _shared.Ticket, ticket - 1, ticket) != ticket)
                continue;
            executed++;
            try
            {
                if (Volatile.Read(ref _failure) is null)
                    _execute(_job, _chunks - left);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
            }
        }
    }

    private void WaitForChunks(int chunks)
    {
        var spin = new Spinner();
        while (Volatile.Read(ref _shared.Done) != chunks)
            if (!spin.Once())
                _caller.SleepUnless(static (self, chunks) => Volatile.Read(ref self._shared.Done) == chunks, this, chunks);
    }

    private void Work(Worker self)
    {
        while (Volatile.Read(ref _shared.Stopping) == 0)
        {
            var spin = new Spinner();
            while (!HasNews())
                if (!spin.Once())
                    self.Sleeper.SleepUnless(static (threads, _) => threads.HasNews(), this, 0);

            DrainRedoable(self);
            int executed = Drain();
            // The job may end here, and another begin: a caller that is woken for nothing sleeps again.
            if (executed > 0)
            {
                Interlocked.Add(ref _shared.Done, executed);
                _caller.Wake();
            }
        }
    }

    private bool HasNews() => ((int)Volatile.Read(ref _shared.Ticket) & ChunksLeft) != 0 || Volatile.Read(ref _shared.Stopping) != 0;

    // Words that several threads write, each on its own cache lines.
    [StructLayout(LayoutKind.Explicit, Size = 768)]
    private struct SharedWords
    {
        [FieldOffset(128)] public long Ticket;      // number of the job << 32 | whether it may be redone | chunks not yet claimed
        [FieldOffset(256)] public int Done;         // chunks executed
        [FieldOffset(384)] public int Busy;
        [FieldOffset(512)] public int Stopping;
        [FieldOffset(640)] public long Version;     // of what describes the redoable job: its number, an odd one while it is written
    }
}
