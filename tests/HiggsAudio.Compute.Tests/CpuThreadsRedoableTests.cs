using HiggsAudio.Compute.Cpu;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

/// <summary>Jobs whose chunks may be done again. A worker that loses its core is played by one that waits in the middle of a chunk.</summary>
public sealed unsafe class CpuThreadsRedoableTests
{
    // Jobs hold no references: what they share is here.
    private static readonly ManualResetEventSlim Gate = new(initialState: true), Reached = new();

    // Chunk c is 8 numbers from 8 c on, times a factor. A worker waits at the gate, with its result ready.
    private readonly struct Table(float* to, float factor, int failAt = -1) : IRedoableJob
    {
        private const int Width = 8;
        private readonly float* _to = to;

        public void Execute(int chunk)
        {
            if (chunk == failAt)
                throw new InvalidDataException($"chunk {chunk}");
            Compute(chunk, _to + chunk * Width);
        }

        public void Execute(int chunk, float* result)
        {
            if (chunk == failAt)
                throw new InvalidDataException($"chunk {chunk}");
            Compute(chunk, result);
            Reached.Set();
            Gate.Wait();
        }

        public void Publish(int chunk, float* result) => new ReadOnlySpan<float>(result, Width).CopyTo(new Span<float>(_to + chunk * Width, Width));

        private void Compute(int chunk, float* result)
        {
            for (int i = 0; i < Width; i++)
                result[i] = (chunk * Width + i) * factor;
        }
    }

    private static float[] Expected(int chunks, float factor) => [.. Enumerable.Range(0, chunks * 8).Select(i => i * factor)];

    private static float[] Run(CpuThreads threads, int chunks, float factor, int failAt = -1)
    {
        var values = new float[chunks * 8];
        fixed (float* to = values)
        {
            threads.RunRedoable(new Table(to, factor, failAt), chunks);
            threads.Settle();
        }
        return values;
    }

    [Test]
    public void Every_chunk_is_in_its_place([Values(1, 2, 3, 8)] int count)
    {
        using var threads = new CpuThreads(count);
        for (int chunks = 0; chunks < 60; chunks++)
            Assert.That(Run(threads, chunks, 0.5f), Is.EqualTo(Expected(chunks, 0.5f)));
    }

    [Test]
    public void A_worker_that_lost_its_core_is_not_waited_for_and_puts_nothing_in_place_later()
    {
        const int Chunks = 16;
        float* to = stackalloc float[8 * Chunks];
        using var threads = new CpuThreads(2);
        Gate.Reset();
        try
        {
            // Until the worker has taken a chunk: the caller alone may be done before it is awake.
            long redone = 0;
            for (int factor = 1; redone == 0; factor++)
            {
                new Span<float>(to, 8 * Chunks).Clear();
                threads.RunRedoable(new Table(to, factor), Chunks);
                Assert.That(new Span<float>(to, 8 * Chunks).ToArray(), Is.EqualTo(Expected(Chunks, factor)));
                redone = threads.RedoneChunks;
            }
            Assert.That(redone, Is.EqualTo(1));
            // The worker still has that chunk: jobs are done without it, and none is disturbed when it comes back.
            threads.RunRedoable(new Table(to, -3), Chunks);
            Assert.That(new Span<float>(to, 8 * Chunks).ToArray(), Is.EqualTo(Expected(Chunks, -3)));
            Assert.That(threads.RedoneChunks, Is.EqualTo(1));
        }
        finally
        {
            Gate.Set();
        }
        threads.Settle();
        Assert.That(new Span<float>(to, 8 * Chunks).ToArray(), Is.EqualTo(Expected(Chunks, -3)));
    }

    [Test]
    public void Settling_waits_for_a_worker_that_is_still_on_a_job_that_has_ended()
    {
        float* to = stackalloc float[8 * 16];
        using var threads = new CpuThreads(2);
        Gate.Reset();
        var settled = new ManualResetEventSlim();
        var settling = new Thread(() =>
        {
            threads.Settle();
            settled.Set();
        });
        try
        {
            while (threads.RedoneChunks == 0)
                threads.RunRedoable(new Table(to, 1), 16);
            settling.Start();
            Assert.That(settled.Wait(50), Is.False);
        }
        finally
        {
            Gate.Set();
        }
        settling.Join();
        Assert.That(settled.IsSet);
    }

    [Test]
    public void No_wake_up_is_lost_and_no_result_is_mixed_up_while_other_threads_take_the_cores([Values(2, 5)] int count)
    {
        // Threads that do nothing but take time, more of them than cores, so that workers lose theirs in the middle of chunks.
        bool stop = false;
        Thread[] others = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(() =>
        {
            while (!Volatile.Read(ref stop))
                Thread.SpinWait(100);
        }))];
        foreach (Thread other in others)
            other.Start();
        try
        {
            using var threads = new CpuThreads(count);
            var random = new Random(1);
            for (int i = 1; i <= 3000; i++)
            {
                int chunks = random.Next(1, 40);
                Assert.That(Run(threads, chunks, i), Is.EqualTo(Expected(chunks, i)));
                // Pauses around the time after which workers go to sleep.
                if (i % 8 == 0)
                    Thread.SpinWait(random.Next(6000));
            }
        }
        finally
        {
            Volatile.Write(ref stop, true);
            foreach (Thread other in others)
                other.Join();
        }
    }

    [Test]
    public void Jobs_of_both_kinds_and_of_several_callers_take_turns()
    {
        using var threads = new CpuThreads(3);
        long wrong = 0;
        Thread[] callers = [.. Enumerable.Range(0, 3).Select(c => new Thread(() =>
        {
            var random = new Random(c);
            var counts = new int[20];
            for (int i = 1; i <= 3000; i++)
            {
                int chunks = random.Next(1, 20);
                if (!Run(threads, chunks, i).AsSpan().SequenceEqual(Expected(chunks, i)))
                    Interlocked.Increment(ref wrong);
                threads.Run(new Count(counts), chunks);
                if (counts.Sum() != chunks)
                    Interlocked.Increment(ref wrong);
                Array.Clear(counts);
            }
        }))];
        foreach (Thread caller in callers)
            caller.Start();
        foreach (Thread caller in callers)
            caller.Join();
        Assert.That(wrong, Is.Zero);
    }

    [Test]
    public void An_exception_reaches_the_caller_and_later_jobs_run([Values(1, 4)] int count)
    {
        using var threads = new CpuThreads(count);
        for (int i = 0; i < 200; i++)
        {
            int at = i % 30;
            Assert.That(() => Run(threads, 30, 1, at), Throws.TypeOf<InvalidDataException>().With.Message.EqualTo($"chunk {at}"));
            Assert.That(Run(threads, 30, i), Is.EqualTo(Expected(30, i)));
        }
    }

    [Test]
    public void Running_a_job_allocates_nothing()
    {
        float* to = stackalloc float[8 * 16];
        using var threads = new CpuThreads(2);
        long before = 0;
        for (int i = 0; i < 2000; i++)
        {
            if (i == 1000)
                before = GC.GetAllocatedBytesForCurrentThread();
            threads.RunRedoable(new Table(to, i), 16);
        }
        threads.Settle();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private readonly struct Count(int[] counts) : IChunkedJob
    {
        public void Execute(int chunk) => Interlocked.Increment(ref counts[chunk]);
    }
}
