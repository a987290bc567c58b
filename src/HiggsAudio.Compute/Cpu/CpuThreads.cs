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
/// its caller alone.
/// </summary>
internal sealed unsafe class CpuThreads : IDisposable
{
    private const long SpinMicroseconds = 100;

    private readonly Sleeper[] _workers;
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
        _workers = new Sleeper[Count - 1];
        for (int i = 0; i < _workers.Length; i++)
            _workers[i] = new Sleeper();
        for (int i = 0; i < _workers.Length; i++)
        {
            Sleeper self = _workers[i];
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
        if (chunks <= 1 || _workers.Length == 0 || Interlocked.CompareExchange(ref _shared.Busy, 1, 0) != 0)
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
        foreach (Sleeper worker in _workers)
            worker.Wake();
        foreach (Sleeper worker in _workers)
        {
            worker.Thread?.Join();
            worker.Dispose();
        }
        _caller.Dispose();
        // Runs that come later find the workers busy for ever.
        Volatile.Write(ref _shared.Busy, 1);
    }

    private static void Execute<TJob>(void* job, int chunk) where TJob : struct, IChunkedJob => Unsafe.AsRef<TJob>(job).Execute(chunk);

    private void RunShared(delegate*<void*, int, void> execute, void* job, int chunks)
    {
        _execute = execute;
        _job = job;
        _chunks = chunks;
        _failure = null;
        Volatile.Write(ref _shared.Done, 0);
        long number = (_shared.Ticket >> 32) + 1;
        Interlocked.Exchange(ref _shared.Ticket, number << 32 | (uint)chunks);

        int helpers = Math.Min(_workers.Length, chunks - 1);
        for (int i = 0; i < helpers; i++)
            _workers[i].Wake();

        Interlocked.Add(ref _shared.Done, Drain());
        WaitForChunks(chunks);
        _failure?.Throw();
    }

    // Executes chunks until none is left; returns how many, for Done.
    private int Drain()
    {
        int executed = 0;
        while (true)
        {
            long ticket = Volatile.Read(ref _shared.Ticket);
            int left = (int)ticket;
            if (left == 0)
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

    private void Work(Sleeper self)
    {
        while (Volatile.Read(ref _shared.Stopping) == 0)
        {
            var spin = new Spinner();
            while (!HasNews())
                if (!spin.Once())
                    self.SleepUnless(static (threads, _) => threads.HasNews(), this, 0);

            int executed = Drain();
            // The job may end here, and another begin: a caller that is woken for nothing sleeps again.
            if (executed > 0)
            {
                Interlocked.Add(ref _shared.Done, executed);
                _caller.Wake();
            }
        }
    }

    private bool HasNews() => (int)Volatile.Read(ref _shared.Ticket) != 0 || Volatile.Read(ref _shared.Stopping) != 0;

    // Words that several threads write, each on its own cache lines.
    [StructLayout(LayoutKind.Explicit, Size = 640)]
    private struct SharedWords
    {
        [FieldOffset(128)] public long Ticket;      // number of the job << 32 | chunks not yet claimed
        [FieldOffset(256)] public int Done;         // chunks executed
        [FieldOffset(384)] public int Busy;
        [FieldOffset(512)] public int Stopping;
    }

    /// <summary>Pauses that get no longer, until it is time to sleep.</summary>
    private struct Spinner
    {
        private static readonly long Limit = System.Diagnostics.Stopwatch.Frequency * SpinMicroseconds / 1_000_000;
        private int _count;
        private long _start;

        /// <summary>Waits for some nanoseconds; false when that has gone on for long.</summary>
        public bool Once()
        {
            if ((_count++ & 15) == 15)
            {
                long now = System.Diagnostics.Stopwatch.GetTimestamp();
                if (_start == 0)
                    _start = now;
                else if (now - _start > Limit)
                    return false;
            }
            Thread.SpinWait(1);
            return true;
        }
    }

    /// <summary>Lets one thread sleep. No wake-up is lost: a thread says that it sleeps before it looks for the last time.</summary>
    private sealed class Sleeper : IDisposable
    {
        private readonly SemaphoreSlim _signal = new(0);
        private int _asleep;

        public Thread? Thread { get; set; }

        /// <summary>Wakes the thread if it sleeps. The caller has published, with a full fence, what it is woken for.</summary>
        public void Wake()
        {
            if (Volatile.Read(ref _asleep) != 0 && Interlocked.Exchange(ref _asleep, 0) != 0)
                _signal.Release();
        }

        /// <summary>Sleeps until woken, unless the condition holds already.</summary>
        public void SleepUnless(Func<CpuThreads, int, bool> condition, CpuThreads threads, int argument)
        {
            Interlocked.Exchange(ref _asleep, 1);
            // Whoever resets the flag owes one release, which must be consumed.
            if (condition(threads, argument) && Interlocked.Exchange(ref _asleep, 0) != 0)
                return;
            _signal.Wait();
        }

        public void Dispose() => _signal.Dispose();
    }
}
