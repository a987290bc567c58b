using System.Runtime.InteropServices;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

public sealed unsafe class CpuDeviceTests
{
    private static float[] Values(int count) => [.. Enumerable.Range(0, count).Select(i => MathF.Sin(i))];

    [Test]
    public void A_stored_weight_stays_in_its_file([Values(TensorType.Float32, TensorType.BFloat16)] TensorType type, [Values(WeightUse.Linear, WeightUse.Table)] WeightUse use)
    {
        const long Rows = 1 << 20, Columns = 1 << 10;       // no memory at all could be read at this address
        using var device = new CpuDevice(1);
        var tensor = new CheckpointTensor("big", "file", type, [Rows, Columns], 4097);

        var weight = (CpuWeight)device.CreateWeight([tensor], (int)Rows, (int)Columns, use);

        Assert.That((nint)weight.Data, Is.EqualTo(tensor.Address));
        Assert.That(weight.Layout, Is.EqualTo(WeightLayout.Rows));
        Assert.That(weight.Format, Is.EqualTo(type == TensorType.Float32 ? WeightFormat.Float32 : WeightFormat.BFloat16));
    }

    [Test]
    public void A_linear_weight_made_in_memory_lies_in_panels_unless_it_has_few_outputs([Values(WeightFormat.Float32, WeightFormat.BFloat16)] WeightFormat format)
    {
        using var device = new CpuDevice(1);
        Assert.That(((CpuWeight)device.CreateWeight(Values(160), 16, 10, WeightUse.Linear, format)).Layout, Is.EqualTo(WeightLayout.Panels));
        Assert.That(((CpuWeight)device.CreateWeight(Values(150), 15, 10, WeightUse.Linear, format)).Layout, Is.EqualTo(WeightLayout.Rows));
        Assert.That(((CpuWeight)device.CreateWeight(Values(160), 16, 10, WeightUse.Table, format)).Layout, Is.EqualTo(WeightLayout.Rows));
        Assert.That(device.CreateWeight(Values(10), 1, 10, WeightUse.Vector, format).Format, Is.EqualTo(WeightFormat.Float32));
    }

    [Test]
    public void Results_do_not_depend_on_the_number_of_threads([Values(1, 5, 200)] int rows, [Values] bool mapped)
    {
        const int Inputs = 1200, Outputs = 300;
        float[] values = Values(Inputs * Outputs), x = Values(rows * Inputs), alone = [];
        GCHandle pinned = GCHandle.Alloc(values, GCHandleType.Pinned);
        var tensor = new CheckpointTensor("w", "file", TensorType.Float32, [Outputs, Inputs], pinned.AddrOfPinnedObject());
        foreach (int threads in new[] { 1, 2, 5 })
        {
            using var device = new CpuDevice(threads);
            using Backend lane = device.CreateLane();
            Weight weight = mapped ? device.CreateWeight([tensor], Outputs, Inputs, WeightUse.Linear) : device.CreateWeight(values, Outputs, Inputs, WeightUse.Linear);
            float[] result = lane.Read(lane.Linear(lane.Upload(x, rows, Inputs), weight));
            alone = threads == 1 ? result : alone;
            Assert.That(result, Is.EqualTo(alone));
        }
        pinned.Free();
    }

    [Test]
    public void A_disposed_device_and_its_weights_refuse_to_work()
    {
        var device = new CpuDevice(2);
        using Backend lane = device.CreateLane();
        Weight weight = device.CreateWeight(Values(100), 10, 10, WeightUse.Linear);
        device.Dispose();
        device.Dispose();

        Assert.That(() => lane.Linear(lane.Zeros(1, 10), weight), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => device.CreateWeight(Values(100), 10, 10, WeightUse.Linear), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void A_weight_of_another_device_or_use_is_refused()
    {
        using var device = new CpuDevice(1);
        using Backend lane = device.CreateLane();
        Matrix x = lane.Zeros(1, 20);
        Weight other = new Testing.ReferenceDevice().CreateWeight(Values(400), 20, 20, WeightUse.Linear);
        Weight panels = device.CreateWeight(Values(400), 20, 20, WeightUse.Linear);

        Assert.That(() => lane.Linear(x, other), Throws.ArgumentException.With.Message.Contains("another device"));
        Assert.That(() => lane.Embed(panels, [1]), Throws.ArgumentException.With.Message.Contains("table"));
        Assert.That(() => device.CreateWeight(Values(399), 20, 20, WeightUse.Linear), Throws.ArgumentException.With.Message.Contains("399"));
    }

    [Test]
    public void The_arena_keeps_one_block_that_is_large_enough()
    {
        using var arena = new CpuArena();
        for (int i = 0; i < 10; i++)
            arena.Allocate(400_000);
        long held = arena.Bytes;
        arena.Release(0);
        float* first = arena.Allocate(10);
        for (int i = 0; i < 9; i++)
            arena.Allocate(400_000);
        Assert.That(arena.Mark, Is.GreaterThan(9 * 1_600_000).And.LessThan(held), "one block, from its start");
        long steady = arena.Bytes;
        arena.Release(0);
        Assert.That(arena.Allocate(10) == first, Is.True);
        Assert.That(arena.Bytes, Is.EqualTo(steady));
    }

    [Test]
    public void A_step_allocates_nothing_once_it_has_run([Values(1, 40)] int rows)
    {
        using var device = new CpuDevice(2);
        using Backend lane = device.CreateLane();
        float[] values = Values(96 * 96 * 3);
        Weight panels = device.CreateWeight(values.AsSpan(0, 96 * 96), 96, 96, WeightUse.Linear, WeightFormat.BFloat16);
        Weight table = device.CreateWeight(values.AsSpan(0, 96 * 96), 96, 96, WeightUse.Table, WeightFormat.BFloat16);
        Weight filter = device.CreateWeight(values, 96, 3 * 96, WeightUse.Linear), upsampling = device.CreateWeight(values.AsSpan(0, 2 * 48 * 2 * 96), 96, 192, WeightUse.Linear);
        Weight bias = device.CreateWeight(values.AsSpan(0, 96), 1, 96, WeightUse.Vector), half = device.CreateWeight(values.AsSpan(0, 48), 1, 48, WeightUse.Vector);
        using KvCache cache = device.CreateKvCache(new KvCacheShape(1, 6, 16));
        cache.Reserve(rows);
        var rotary = new RotaryTable(new float[8]);
        var map = new RowMap();
        for (int r = 0; r < rows; r++)
            map.Add(cache, r, r);
        int[] ids = new int[rows], nearest = new int[rows];
        long before = 0;
        for (int pass = 0; pass < 60; pass++)
        {
            if (pass == 50)
                before = GC.GetAllocatedBytesForCurrentThread();
            Step();
        }
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        void Step()
        {
            using Backend.Scope scope = lane.Scratch();
            Matrix x = lane.Embed(table, ids);
            lane.Add(x, lane.EmbedSum(table, ids, 1));
            x = lane.Linear(lane.RmsNorm(x, bias, 1e-5f), panels, bias);
            x = lane.Linear(lane.LayerNorm(x, bias, bias, 1e-5f), table, bias);
            x = lane.RotateAppendAttend(x, lane.Copy(x), lane.Copy(x), rotary, map, 0);
            x = lane.SwiGlu(lane.SelfAttention(x, x, x, 6), lane.Gelu(lane.Elu(x)));
            x = lane.Conv1d(lane.Snake(x, bias), filter, bias, Conv1dShape.Same(3, 2));
            Matrix longer = lane.ConvTranspose1d(lane.GroupNorm(x, 4, bias, bias, 1e-5f), upsampling, half, new ConvTranspose1dShape(4, 2, 1));
            lane.Scale(longer, 2);
            lane.NearestRow(lane.TakeRows(x, ids), table, nearest);
        }
    }
}
