using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace HiggsAudio.Compute.Cpu;

/// <summary>
/// Work of which a chunk may be done by two threads at once: doing it reads what does not change during the job, and writes a result of the
/// thread's own, which is copied to its place by publishing. Without references, so that every worker has a copy of its own.
/// </summary>
internal unsafe interface IRedoableJob : IChunkedJob
{
    /// <summary>Does a chunk into a buffer of <see cref="CpuThreads.MostResultFloats"/> floats; gives what <see cref="IChunkedJob.Execute"/> puts in place.</summary>
    void Execute(int chunk, float* result);

    /// <summary>Puts the result of a chunk in its place.</summary>
    void Publish(int chunk, float* result);
}

/// <summary>
/// Jobs that may be redone. When another process takes the core of a worker in the middle of a chunk, all threads would wait for the
/// milliseconds until it is given back. Here the caller does the chunk again instead, once it has waited for as long as a chunk takes, and the
/// worker's result is dropped: a word per chunk says who may put the chunk in place, and only one succeeds.
/// </summary>
internal sealed unsafe partial class CpuThreads
{
    /// <summary>Floats that the result of a redoable chunk may have.</summary>
    public const int MostResultFloats = 16_384;

    /// <summary>Chunks that a redoable job may have.</summary>
    public const int MostRedoableChunks = 1024;

    private const int JobBytes = 256;

    // What has become of a chunk: number of its job << 2 | one of these.
    private const int Publishing = 1, Done = 2, Taken = 3;

    private readonly long[] _chunkStates = new long[MostRedoableChunks];
    private readonly RedoableJob* _redoable = (RedoableJob*)CpuMemory.Allocate(sizeof(RedoableJob));
    private long _redone;

    /// <summary>Chunks that the callers did again. Approximate while a job runs.</summary>
    internal long RedoneChunks => Volatile.Read(ref _redone);

    /// <summary>Runs all chunks and returns when they are done. Memory that the job reads may be freed after <see cref="Settle"/> only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void RunRedoable<TJob>(in TJob job, int chunks) where TJob : unmanaged, IRedoableJob
    {
        TJob copy = job;
        if (chunks <= 1 || chunks > MostRedoableChunks || sizeof(TJob) > JobBytes || !TryBegin())
        {
            for (int chunk = 0; chunk < chunks; chunk++)
                copy.Execute(chunk);
            return;
        }
        int number = NextNumber();
        try
        {
            Volatile.Write(ref _shared.Version, 2L * number - 1);
            Interlocked.MemoryBarrier();
            *(TJob*)_redoable->Job = copy;
            _redoable->Execute = &ExecuteInto<TJob>;
            _redoable->Publish = &Publish<TJob>;
            _redoable->Chunks = chunks;
            Volatile.Write(ref _shared.Version, 2L * number);
            Announce(number, chunks | Redoable);
            long begin = Stopwatch.GetTimestamp();
            int own = 0;
            for (int chunk = Claim(number, chunks); chunk >= 0; chunk = Claim(number, chunks), own++)
            {
                copy.Execute(chunk);
                Volatile.Write(ref _chunkStates[chunk], State(number, Done));
            }
            long patience = Patience(Stopwatch.GetTimestamp() - begin, own);
            for (int chunk = 0; chunk < chunks; chunk++)
                if (!IsPublished(number, chunk, patience))
                {
                    _redone++;
                    copy.Execute(chunk);
                }
        }
        catch
        {
            // Nobody begins a chunk any more, and nobody puts one in place.
            while (Claim(number, chunks) >= 0)
            {
            }
            for (int chunk = 0; chunk < chunks; chunk++)
                IsPublished(number, chunk, patience: 0);
            throw;
        }
        finally
        {
            Volatile.Write(ref _shared.Busy, 0);
        }
    }

    /// <summary>
    /// Waits until no worker is on a redoable job that has ended: what such jobs read may be freed afterwards. Called by whoever ran them,
    /// or when no job runs.
    /// </summary>
    public void Settle()
    {
        foreach (Worker worker in _workers)
        {
            int visit = Volatile.Read(ref worker.Visits);
            if ((visit & 1) == 0)
                continue;
            var spin = new SpinWait();
            while (Volatile.Read(ref worker.Visits) == visit)
                spin.SpinOnce();
        }
    }

    private static void ExecuteInto<TJob>(void* job, int chunk, float* result) where TJob : unmanaged, IRedoableJob => ((TJob*)job)->Execute(chunk, result);

    private static void Publish<TJob>(void* job, int chunk, float* result) where TJob : unmanaged, IRedoableJob => ((TJob*)job)->Publish(chunk, result);

    private static long State(int number, int what) => (long)number << 2 | (uint)what;

    // The next chunk of a job, −1 if there is none.
    private int Claim(int number, int chunks)
    {
        while (true)
        {
            long ticket = Volatile.Read(ref _shared.Ticket);
            int left = (int)ticket & ChunksLeft;
            if ((int)(ticket >> 32) != number || left == 0)
                return -1;
            if (Interlocked.CompareExchange(ref _shared.Ticket, ticket - 1, ticket) == ticket)
                return chunks - left;
        }
    }

    // Half as long again as a chunk takes, and two microseconds: whoever waits as long as the redoing takes never loses more than that.
    private static long Patience(long ticks, int chunks) =>
        chunks == 0 ? Stopwatch.Frequency / 50_000 : ticks * 3 / (2 * chunks) + Stopwatch.Frequency / 500_000;

    // Waits for a worker to publish a chunk; when that takes too long, takes it away.
    private bool IsPublished(int number, int chunk, long patience)
    {
        ref long state = ref _chunkStates[chunk];
        long done = State(number, Done), begin = 0;
        while (true)
        {
            long now = Volatile.Read(ref state);
            if (now == done)
                return true;
            if (begin == 0)
                begin = Stopwatch.GetTimestamp();
            else if (Stopwatch.GetTimestamp() - begin > patience)
            {
                if (now == State(number, Publishing))
                    Thread.Yield();
                else if (Interlocked.CompareExchange(ref state, State(number, Taken), now) == now)
                    return false;
            }
            Thread.SpinWait(1);
        }
    }

    // A worker's part of the job that is announced, if it may be redone.
    private void DrainRedoable(Worker self)
    {
        long ticket = Volatile.Read(ref _shared.Ticket);
        if (((int)ticket & Redoable) == 0)
            return;
        // Before the claim, a full fence: whoever waits for the chunk sees it.
        Interlocked.Increment(ref self.Visits);
        int number = (int)(ticket >> 32);
        RedoableJob* job = self.Job;
        if (TryCopy(number, job))
            for (int chunk = Claim(number, job->Chunks); chunk >= 0; chunk = Claim(number, job->Chunks))
                DoAndPublish(self, number, chunk);
        Volatile.Write(ref self.Visits, self.Visits + 1);
    }

    private void DoAndPublish(Worker self, int number, int chunk)
    {
        RedoableJob* job = self.Job;
        ref long state = ref _chunkStates[chunk];
        try
        {
            job->Execute(job->Job, chunk, self.Result);
        }
#pragma warning disable CA1031 // The caller does the chunk again, and throws what it throws.
        catch (Exception)
#pragma warning restore CA1031
        {
            return;
        }
        long before = Volatile.Read(ref state);
        // Numbers of jobs wrap around.
        if ((int)(before >> 2) - number >= 0 || Interlocked.CompareExchange(ref state, State(number, Publishing), before) != before)
            return;
        job->Publish(job->Job, chunk, self.Result);
        Volatile.Write(ref state, State(number, Done));
    }

    private bool TryCopy(int number, RedoableJob* job)
    {
        long version = 2L * number;
        if (Volatile.Read(ref _shared.Version) != version)
            return false;
        *job = *_redoable;
        Interlocked.MemoryBarrier();
        return Volatile.Read(ref _shared.Version) == version;
    }

    private struct RedoableJob
    {
        public fixed byte Job[JobBytes];
        public delegate*<void*, int, float*, void> Execute;
        public delegate*<void*, int, float*, void> Publish;
        public int Chunks;
    }
}
