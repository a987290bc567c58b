using HiggsAudio.Compute;
using NUnit.Framework;

namespace HiggsAudio.Cuda.Tests;

/// <summary>A pass that comes again runs as one CUDA graph, with what is new in it.</summary>
[NonParallelizable]
internal sealed class GraphTests
{
    private const int Dim = 8, Layers = 6;

    [SetUp]
    public void Build() => EmulatedGpu.Require();

    [TearDown]
    public void Reset() => EmulatedGpu.Reset();

    // A step of a small network: new ids, positions and slots each time.
    private sealed class Network(Device device) : IDisposable
    {
        private readonly Weight _table = device.CreateWeight(Values(50 * 16, 1), 50, 16, WeightUse.Table);
        private readonly Weight _linear = device.CreateWeight(Values(16 * 16, 2), 16, 16, WeightUse.Linear);
        private readonly RotaryTable _rotary = new([1, 0.5f, 0.25f, 0.125f]);
        private readonly RowMap _rows = new();
        private readonly KvCache[] _caches = [device.CreateKvCache(new KvCacheShape(Layers, 2, Dim)), device.CreateKvCache(new KvCacheShape(Layers, 2, Dim))];

        public float[] Step(Backend lane, int step)
        {
            using Backend.Scope scope = lane.Scratch();
            _rows.Clear();
            foreach (KvCache cache in _caches)
            {
                cache.Reserve(step + 1);
                _rows.Add(cache, step, step);
            }
            Matrix x = lane.Embed(_table, [step % 50, (7 * step + 3) % 50]);
            for (int layer = 0; layer < Layers; layer++)
            {
                using Backend.Scope inner = lane.Scratch();
                Matrix q = lane.Linear(x, _linear), k = lane.Linear(x, _linear), v = lane.Linear(x, _linear);
                lane.Add(x, lane.RotateAppendAttend(q, k, v, _rotary, _rows, layer));
            }
            return lane.Read(x);
        }

        public void Dispose()
        {
            foreach (KvCache cache in _caches)
                cache.Dispose();
        }

        private static float[] Values(int count, int seed)
        {
            var random = new Random(seed);
            return [.. Enumerable.Range(0, count).Select(_ => 0.3f * (float)(random.NextDouble() - 0.5))];
        }
    }

    [Test]
    public void Steps_run_as_graphs_and_give_what_they_give_without()
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        using var plain = new CudaDevice(0, EmulatedGpu.Options with { UseGraphs = false });
        using var lane = (CudaBackend)device.CreateLane();
        using Backend plainLane = plain.CreateLane();
        using var network = new Network(device);
        using var plainNetwork = new Network(plain);
        for (int step = 0; step < 150; step++)
            Assert.That(network.Step(lane, step), Is.EqualTo(plainNetwork.Step(plainLane, step)), $"step {step}");
        Assert.That(lane.GraphCache.Captures, Is.EqualTo(1));
        Assert.That(lane.GraphCache.Replays, Is.GreaterThan(140));
    }

    [Test]
    public void Steps_allocate_nothing()
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        using Backend lane = device.CreateLane();
        using var network = new Network(device);
        int step = 0;
        while (step < 20)
            network.Step(lane, step++);
        long before = GC.GetAllocatedBytesForCurrentThread();
        float[] last = [];
        for (int more = 0; more < 10; more++)
            last = network.Step(lane, step++);
        // The result is the caller's.
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(10 * (last.Length * sizeof(float) + 24) + 100));
    }

    [TestCase("cuStreamBeginCapture_v2")]
    [TestCase("cuGraphInstantiateWithFlags")]
    public void Where_no_graph_can_be_made_the_steps_run_without(string function)
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        using var lane = (CudaBackend)device.CreateLane();
        using var network = new Network(device);
        using var expected = new Network(device);
        EmulatedGpu.Fail(function, 2);
        float[][] steps = [.. Enumerable.Range(0, 6).Select(step => network.Step(lane, step))];
        EmulatedGpu.Fail(function, 0);
        Assert.That(lane.GraphCache.Replays, Is.Zero);
        using Backend other = device.CreateLane();
        Assert.That(steps, Is.EqualTo(Enumerable.Range(0, 6).Select(step => expected.Step(other, step))));
    }

    [Test]
    public void The_graphs_used_least_recently_make_room()
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        using var lane = (CudaBackend)device.CreateLane();
        for (int turn = 0; turn < 3; turn++)
            for (int rows = 1; rows <= 80; rows++)
            {
                using Backend.Scope scope = lane.Scratch();
                Matrix x = lane.Zeros(rows, 4);
                for (int i = 0; i < 10; i++)
                    lane.Scale(x, 2);
                Assert.That(lane.Read(x), Is.All.Zero);
            }
        Assert.That(lane.GraphCache.Captures, Is.GreaterThanOrEqualTo(80));
        Assert.That(EmulatedGpu.Objects, Is.LessThan(100));
    }
}
