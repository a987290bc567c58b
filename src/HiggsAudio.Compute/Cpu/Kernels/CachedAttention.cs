using System.Runtime.CompilerServices;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// Causal attention of rows to the slots of their caches. Rows of one cache that follow each other make a run; its queries of one
/// key-value head are cut into blocks of lanes (row by row, the heads of a row side by side). Usually a block of a head is one chunk of
/// work; when there are too few of them for the threads (decoding at long contexts), every section of slots is one
/// (arXiv:2311.01282, Flash-Decoding).
/// </summary>
internal static unsafe class CachedAttention<TSimd, TVector> where TSimd : struct, ISimd<TVector> where TVector : unmanaged
{
    // Elements of keys below which waking other threads costs more than it saves.
    private const long WorthSharing = 16_384;

    // Enough chunks for each thread to even out.
    private const int ChunksPerThread = 4;

    // Some lanes of a run: from lane FirstLane of the run that begins at row FirstRow.
    private struct Block
    {
        public int FirstRow, FirstLane, Lanes, LastSlot;
        public uint* Hidden;
    }

    public static void Run(CpuThreads threads, CpuArena scratch, Matrix q, int keyValueHeads, int dim, RowMap rows, int layer, Matrix y)
    {
        long mark = scratch.Mark;
        int group = q.Columns / dim / keyValueHeads, count = Blocks(rows, group, null, null);
        var blocks = (Block*)scratch.Allocate((long)count * sizeof(Block) / sizeof(float) + 1);
        Blocks(rows, group, blocks, scratch);

        long slots = 0;
        int last = 0, lanes = 0;
        for (int i = 0; i < count; i++)
        {
            slots += blocks[i].LastSlot + 1L;
            last = Math.Max(last, blocks[i].LastSlot);
            lanes = Math.Max(lanes, blocks[i].Lanes);
        }
        var job = new Job
        {
            Q = q, Y = y, Rows = rows, Layer = layer, Dim = dim, Group = group, Blocks = blocks, Count = count,
            Sections = AttentionBlock.Sections(last), StateFloats = AttentionBlock<TSimd, TVector>.StateFloats(dim, lanes),
        };
        int chunks = count * keyValueHeads;
        if (slots * keyValueHeads * dim < WorthSharing)
        {
            for (int chunk = 0; chunk < chunks; chunk++)
                job.Execute(chunk);
        }
        else if (threads.Count == 1 || job.Sections == 1 || chunks >= ChunksPerThread * threads.Count)
            threads.Run(job, chunks);
        else
        {
            job.States = scratch.Allocate(chunks * job.Sections * job.StateFloats);
            threads.Run(new SectionJob(job), chunks * job.Sections);
            threads.Run(new JoinJob(job), chunks);
        }
        scratch.Release(mark);
    }

    // Cuts the rows into blocks and returns how many; with nowhere to put them it only counts.
    private static int Blocks(RowMap rows, int group, Block* blocks, CpuArena? scratch)
    {
        int count = 0;
        for (int first = 0, end; first < rows.Count; first = end)
        {
            end = first + 1;
            while (end < rows.Count && rows.Caches[end] == rows.Caches[first])
                end++;
            uint* hidden = scratch is null ? null : Hidden(rows, first, end, scratch);
            int lanes = (end - first) * group;
            for (int lane = 0; lane < lanes; lane += AttentionBlock.MaxLanes, count++)
                if (blocks != null)
                {
                    int taken = Math.Min(AttentionBlock.MaxLanes, lanes - lane);
                    int lastSlot = LastSlot(rows, first + lane / group, first + (lane + taken - 1) / group);
                    blocks[count] = new Block { FirstRow = first, FirstLane = lane, Lanes = taken, LastSlot = lastSlot, Hidden = hidden };
                }
        }
        return count;
    }

    private static int LastSlot(RowMap rows, int first, int last)
    {
        int slot = 0;
        for (int r = first; r <= last; r++)
            slot = Math.Max(slot, rows.Slots[r]);
        return slot;
    }

    // A bit for each hidden slot of a run's cache; null if there is none.
    private static uint* Hidden(RowMap rows, int first, int end, CpuArena scratch)
    {
        uint* bits = null;
        int last = -1;
        for (int i = 0; i < rows.Hidden.Count; i++)
        {
            (KvCache cache, int slot) = rows.Hidden[i];
            if (cache != rows.Caches[first])
                continue;
            if (bits == null)
            {
                last = LastSlot(rows, first, end - 1);
                int words = last / AttentionBlock.Tile + 1;
                bits = (uint*)scratch.Allocate(words);
                new Span<uint>(bits, words).Clear();
            }
            if ((uint)slot <= (uint)last)
                bits[slot / AttentionBlock.Tile] |= 1u << slot % AttentionBlock.Tile;
        }
        return bits;
    }

    /// <summary>One head of a layer of a cache as a source.</summary>
    private readonly struct CacheSource(CpuKvCache cache, int layer, int head) : IKeyValueSource
    {
        // A tile is a strip.
        public byte* Keys(int slot) => cache.Keys(layer, head, slot);

        public byte* Values(int slot, out nint stride)
        {
            stride = cache.Shape.HeadDim;
            return cache.Values(layer, head, slot);
        }

        public float* KeyScales(int slot) => cache.KeyScales(layer, head, slot);

        public float* ValueScales(int slot) => cache.ValueScales(layer, head, slot);
    }

    // A chunk is one block of one key-value head. The heaviest of a head, its last, come first.
    private struct Job : IChunkedJob
    {
        public Matrix Q, Y;
        public RowMap Rows;
        public int Layer, Dim, Group, Count, Sections;
        public Block* Blocks;
        public long StateFloats;
        public float* States;       // [chunks, sections] results

        public readonly Block BlockOf(int chunk, out int head)
        {
            (head, int block) = Math.DivRem(chunk, Count);
            return Blocks[Count - 1 - block];
        }

        [SkipLocalsInit]
        public readonly void Execute(int chunk)
        {
            Block block = BlockOf(chunk, out int head);
            var memory = new WorkMemory(AttentionBlock<TSimd, TVector>.WorkFloats(Dim) + 2 * StateFloats);
            byte* stack = stackalloc byte[memory.StackBytes];
            float* work = memory.Open(stack), state = work + AttentionBlock<TSimd, TVector>.WorkFloats(Dim), later = state + StateFloats;
            AttentionBlock<TSimd, TVector> attention = Prepare(block, head, work);
            Attend(attention, block, head, 0, state);
            for (int section = 1; section < AttentionBlock.Sections(block.LastSlot); section++)
            {
                Attend(attention, block, head, section, later);
                attention.Join(state, later);
            }
            Finish(attention, block, head, state);
            memory.Close(work);
        }

        public readonly AttentionBlock<TSimd, TVector> Prepare(in Block block, int head, float* work)
        {
            var attention = new AttentionBlock<TSimd, TVector>(Dim, block.Lanes, work);
            for (int i = 0; i < block.Lanes; i++)
            {
                (int row, int member) = Math.DivRem(block.FirstLane + i, Group);
                attention.Set(i, Q.Row(block.FirstRow + row) + (head * Group + member) * Dim, Rows.Slots[block.FirstRow + row]);
            }
            return attention;
        }

        public readonly void Attend(in AttentionBlock<TSimd, TVector> attention, in Block block, int head, int section, float* state)
        {
            var cache = (CpuKvCache)Rows.Caches[block.FirstRow];
            var source = new CacheSource(cache, Layer, head);
            float scale = 1 / MathF.Sqrt(Dim);
            switch (cache.Shape.Format)
            {
                case KeyValueFormat.Float32:
                    attention.Attend<CacheSource, Float32KeyValues>(source, section, block.LastSlot, block.Hidden, scale, state);
                    break;
                case KeyValueFormat.BFloat16:
                    attention.Attend<CacheSource, BFloat16KeyValues>(source, section, block.LastSlot, block.Hidden, scale, state);
                    break;
                default:
                    attention.Attend<CacheSource, Int8KeyValues>(source, section, block.LastSlot, block.Hidden, scale, state);
                    break;
            }
        }

        public readonly void Finish(in AttentionBlock<TSimd, TVector> attention, in Block block, int head, float* state)
        {
            for (int i = 0; i < block.Lanes; i++)
            {
                (int row, int member) = Math.DivRem(block.FirstLane + i, Group);
                attention.Finish(state, i, Y.Row(block.FirstRow + row) + (head * Group + member) * Dim);
            }
        }
    }

    // A chunk is one section of slots of one block of one head.
    private readonly struct SectionJob(Job job) : IChunkedJob
    {
        [SkipLocalsInit]
        public void Execute(int chunk)
        {
            (int unit, int section) = Math.DivRem(chunk, job.Sections);
            Block block = job.BlockOf(unit, out int head);
            if (section >= AttentionBlock.Sections(block.LastSlot))
                return;
            var memory = new WorkMemory(AttentionBlock<TSimd, TVector>.WorkFloats(job.Dim));
            byte* stack = stackalloc byte[memory.StackBytes];
            float* work = memory.Open(stack);
            job.Attend(job.Prepare(block, head, work), block, head, section, job.States + chunk * job.StateFloats);
            memory.Close(work);
        }
    }

    // A chunk joins the sections of one block of one head.
    private readonly struct JoinJob(Job job) : IChunkedJob
    {
        [SkipLocalsInit]
        public void Execute(int chunk)
        {
            Block block = job.BlockOf(chunk, out int head);
            var memory = new WorkMemory(AttentionBlock<TSimd, TVector>.WorkFloats(job.Dim));
            byte* stack = stackalloc byte[memory.StackBytes];
            float* work = memory.Open(stack), state = job.States + (long)chunk * job.Sections * job.StateFloats;
            var attention = new AttentionBlock<TSimd, TVector>(job.Dim, block.Lanes, work);
            for (int section = 1; section < AttentionBlock.Sections(block.LastSlot); section++)
                attention.Join(state, state + section * job.StateFloats);
            job.Finish(attention, block, head, state);
            memory.Close(work);
        }
    }
}
