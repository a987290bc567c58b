using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Scaled dot-product attention (arXiv:1706.03762) with and without a cache.</summary>
internal static unsafe class Attention
{
    public static void RotateAppendAttend(CpuThreads threads, CpuArena scratch, Matrix q, Matrix k, Matrix v, RotaryTable rotary, RowMap rows, int layer,
        Matrix y)
    {
        Rotation.RotateAndAppend(threads, q, k, v, rotary, rows, layer);
        if (Vector512.IsHardwareAccelerated)
            CachedAttention<Simd512, Vector512<float>>.Run(threads, scratch, q, k.Columns / rotary.HeadDim, rotary.HeadDim, rows, layer, y);
        else if (Vector256.IsHardwareAccelerated)
            CachedAttention<Simd256, Vector256<float>>.Run(threads, scratch, q, k.Columns / rotary.HeadDim, rotary.HeadDim, rows, layer, y);
        else if (Vector128.IsHardwareAccelerated)
            CachedAttention<Simd128, Vector128<float>>.Run(threads, scratch, q, k.Columns / rotary.HeadDim, rotary.HeadDim, rows, layer, y);
        else
            CachedAttention<Simd32, float>.Run(threads, scratch, q, k.Columns / rotary.HeadDim, rotary.HeadDim, rows, layer, y);
    }

    public static void SelfAttention(CpuThreads threads, CpuArena scratch, Matrix q, Matrix k, Matrix v, int heads, Matrix y)
    {
        if (q.Columns == 0)
            return;
        if (Vector512.IsHardwareAccelerated)
            SelfAttention<Simd512, Vector512<float>>(threads, scratch, q, k, v, heads, y);
        else if (Vector256.IsHardwareAccelerated)
            SelfAttention<Simd256, Vector256<float>>(threads, scratch, q, k, v, heads, y);
        else if (Vector128.IsHardwareAccelerated)
            SelfAttention<Simd128, Vector128<float>>(threads, scratch, q, k, v, heads, y);
        else
            SelfAttention<Simd32, float>(threads, scratch, q, k, v, heads, y);
    }

    private static void SelfAttention<TSimd, TVector>(CpuThreads threads, CpuArena scratch, Matrix q, Matrix k, Matrix v, int heads, Matrix y)
        where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        long mark = scratch.Mark;
        int blocks = (q.Rows + AttentionBlock.MaxLanes - 1) / AttentionBlock.MaxLanes;
        int slots = (q.Rows + AttentionBlock.Tile - 1) / AttentionBlock.Tile * AttentionBlock.Tile;
        float* strips = scratch.Allocate((long)slots * k.Columns);
        threads.Run(new StripJob(k, k.Columns / heads, slots / CpuKvCache.StripSlots, strips), slots / CpuKvCache.StripSlots * heads);
        threads.Run(new SelfJob<TSimd, TVector>(q, v, strips, slots, q.Columns / heads, blocks, y), blocks * heads);
        scratch.Release(mark);
    }

    // A chunk is one strip of keys of one head; keys that do not exist are zeros.
    private readonly struct StripJob(Matrix k, int dim, int stripsPerHead, float* strips) : IChunkedJob
    {
        private readonly float* _strips = strips;

        public void Execute(int chunk)
        {
            (int head, int strip) = Math.DivRem(chunk, stripsPerHead);
            float* to = _strips + (long)chunk * dim * CpuKvCache.StripSlots;
            for (int i = 0; i < CpuKvCache.StripSlots; i++)
            {
                int row = strip * CpuKvCache.StripSlots + i;
                float* from = row < k.Rows ? k.Row(row) + head * dim : null;
                for (int d = 0; d < dim; d++)
                    to[d * CpuKvCache.StripSlots + i] = from == null ? 0 : from[d];
            }
        }
    }

    /// <summary>Strips of keys and rows of values as a source.</summary>
    private readonly struct MatrixSource(float* strips, int dim, Matrix v) : IKeyValueSource
    {
        private readonly float* _strips = strips;

        public byte* Keys(int slot) => (byte*)(_strips + (nint)slot * dim);

        public byte* Values(int slot, out nint stride)
        {
            stride = v.RowStride;
            return (byte*)v.Row(slot);
        }

        public float* KeyScales(int slot) => null;

        public float* ValueScales(int slot) => null;
    }

    // A chunk is a block of rows of one head; neighbours share the head, whose keys and values then stay in the cache.
    private readonly struct SelfJob<TSimd, TVector>(Matrix q, Matrix v, float* strips, int slots, int dim, int blocks, Matrix y) : IChunkedJob
        where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        private readonly float* _strips = strips;

        [SkipLocalsInit]
        public void Execute(int chunk)
        {
            (int head, int block) = Math.DivRem(chunk, blocks);
            int first = block * AttentionBlock.MaxLanes, lanes = Math.Min(AttentionBlock.MaxLanes, q.Rows - first);
            var memory = new WorkMemory(AttentionBlock<TSimd, TVector>.WorkFloats(dim) + 2 * AttentionBlock<TSimd, TVector>.StateFloats(dim, lanes));
            byte* stack = stackalloc byte[memory.StackBytes];
            float* work = memory.Open(stack);

            var attention = new AttentionBlock<TSimd, TVector>(dim, lanes, work);
            for (int i = 0; i < lanes; i++)
                attention.Set(i, q.Row(first + i) + head * dim, q.Rows - 1);
            float* state = work + AttentionBlock<TSimd, TVector>.WorkFloats(dim), later = state + AttentionBlock<TSimd, TVector>.StateFloats(dim, lanes);
            var source = new MatrixSource(_strips + (nint)head * slots * dim, dim, v.Slice(head * dim, dim));
            float scale = 1 / MathF.Sqrt(dim);
            attention.Attend<MatrixSource, Float32KeyValues>(source, 0, q.Rows - 1, null, scale, state);
            for (int section = 1; section < AttentionBlock.Sections(q.Rows - 1); section++)
            {
                attention.Attend<MatrixSource, Float32KeyValues>(source, section, q.Rows - 1, null, scale, later);
                attention.Join(state, later);
            }
            for (int i = 0; i < lanes; i++)
                attention.Finish(state, i, y.Row(first + i) + head * dim);
            memory.Close(work);
        }
    }
}

/// <summary>Memory of one chunk of work, aligned to cache lines: on the stack if it is small, else native.</summary>
internal readonly unsafe struct WorkMemory(long floats)
{
    private const int LargestOnStack = 128 << 10;

    private readonly long _bytes = floats * sizeof(float) + CpuMemory.Alignment;

    /// <summary>Bytes to allocate on the stack.</summary>
    public int StackBytes => _bytes <= LargestOnStack ? (int)_bytes : 0;

    /// <summary>The memory, given what was allocated on the stack.</summary>
    public float* Open(byte* stack) =>
        StackBytes == 0 ? (float*)NativeMemory.AlignedAlloc((nuint)_bytes, CpuMemory.Alignment)
            : (float*)((nint)stack + CpuMemory.Alignment - 1 & -CpuMemory.Alignment);

    /// <summary>Frees it.</summary>
    public void Close(float* memory)
    {
        if (StackBytes == 0)
            NativeMemory.AlignedFree(memory);
    }
}
