using HiggsAudio.Compute.Cpu;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

public sealed unsafe class CpuThreadsTests
{
    private readonly struct Count(int[] counts) : IChunkedJob
    {
        public void Execute(int chunk) => Interlocked.Increment(ref counts[chunk]);
    }

    private readonly struct Fail(int at) : IChunkedJob
    {
        public void Execute(int chunk)
        {
            if (chunk == at)
                throw new InvalidDataException($"chunk {chunk}");
        }
    }

    private readonly struct Nest(CpuThreads threads, int[] counts) : IChunkedJob
    {
        public void Execute(int chunk) => threads.Run(new Count(counts), counts.Length);
    }

    private readonly struct Sum(long* total) : IChunkedJob
    {
        private readonly long* _total = total;

        public void Execute(int chunk) => Interlocked.Add(ref *_total, chunk);
    }

    [Test]
    public void Every_chunk_is_executed_once([Values(1, 2, 3, 8)] int count)
    {
        using var threads = new CpuThreads(count);
        for (int chunks = 0; chunks < 60; chunks++)
        {
            var counts = new int[chunks];
            threads.Run(new Count(counts), chunks);
            Assert.That(counts, Is.All.EqualTo(1));
        }
    }

    [Test]
    public void No_wake_up_is_lost_whenever_a_job_comes([Values(2, 4)] int count)
    {
        // Pauses around the time after which workers go to sleep: jobs come just before, while and after.
        using var threads = new CpuThreads(count);
        var random = new Random(1);
        for (int i = 0; i < 20_000; i++)
        {
            long total = 0;
            int chunks = random.Next(1, 40);
            threads.Run(new Sum(&total), chunks);
            Assert.That(total, Is.EqualTo((long)chunks * (chunks - 1) / 2));
            if (i % 8 == 0)
                Thread.SpinWait(random.Next(6000));
            if (i % 1000 == 0)
                Thread.Sleep(1);
        }
    }

    [Test]
    public void Callers_on_many_threads_all_get_their_work_done()
    {
        using var threads = new CpuThreads(3);
        long wrong = 0;
        Thread[] callers = [.. Enumerable.Range(0, 4).Select(c => new Thread(() =>
        {
            var random = new Random(c);
            for (int i = 0; i < 5000; i++)
            {
                long total = 0;
                int chunks = random.Next(1, 20);
                threads.Run(new Sum(&total), chunks);
                if (total != (long)chunks * (chunks - 1) / 2)
                    Interlocked.Increment(ref wrong);
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
            Assert.That(() => threads.Run(new Fail(at), 30), Throws.TypeOf<InvalidDataException>().With.Message.EqualTo($"chunk {at}"));
            var counts = new int[50];
            threads.Run(new Count(counts), 50);
            Assert.That(counts, Is.All.EqualTo(1));
        }
    }

    [Test]
    public void A_job_may_run_another_one()
    {
        using var threads = new CpuThreads(3);
        var counts = new int[10];
        threads.Run(new Nest(threads, counts), 20);
        Assert.That(counts, Is.All.EqualTo(20));
    }

    [Test]
    public void Running_a_job_allocates_nothing()
    {
        using var threads = new CpuThreads(2);
        long total = 0, before = 0;
        for (int i = 0; i < 2000; i++)
        {
            if (i == 1000)
                before = GC.GetAllocatedBytesForCurrentThread();
            threads.Run(new Sum(&total), 16);
        }
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void After_disposal_a_job_runs_on_its_caller()
    {
        var threads = new CpuThreads(3);
        threads.Dispose();
        threads.Dispose();
        var counts = new int[10];
        threads.Run(new Count(counts), 10);
        Assert.That(counts, Is.All.EqualTo(1));
    }
}
