using System.Diagnostics;

namespace HiggsAudio.Compute.Cpu;

internal sealed unsafe partial class CpuThreads
{
    /// <summary>A thread of the pool.</summary>
    private sealed class Worker : IDisposable
    {
        public Thread? Thread { get; set; }

        public Sleeper Sleeper { get; } = new();

        /// <summary>Its own copy of the redoable job it is on: the caller may have gone on to another one meanwhile.</summary>
        public RedoableJob* Job { get; } = (RedoableJob*)CpuMemory.Allocate(sizeof(RedoableJob));

        /// <summary>The result of a chunk, until it is published.</summary>
        public float* Result { get; } = (float*)CpuMemory.Allocate(MostResultFloats * sizeof(float));

        /// <summary>Odd while it may read what a redoable job reads.</summary>
        public int Visits;

        public void Dispose()
        {
            Sleeper.Dispose();
            CpuMemory.Free(Job);
            CpuMemory.Free(Result);
        }
    }

    /// <summary>Pauses that get no longer, until it is time to sleep.</summary>
    private struct Spinner
    {
        private static readonly long Limit = Stopwatch.Frequency * SpinMicroseconds / 1_000_000;
        private int _count;
        private long _start;

        /// <summary>Waits for some nanoseconds; false when that has gone on for long.</summary>
        public bool Once()
        {
            if ((_count++ & 15) == 15)
            {
                long now = Stopwatch.GetTimestamp();
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
