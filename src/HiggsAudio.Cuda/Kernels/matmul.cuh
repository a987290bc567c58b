// y = x * weight^T on tensor cores, as exact as with 32-bit floats, and with the same bits for any number of rows.
//
// A float is three bfloat16 numbers exactly (its 24 bits cut in three), and products of bfloat16 numbers are exact in the float that sums
// them. So x is split in registers; a bfloat16 weight takes three products, a float weight (split as well) the six that matter.
//
// A block of 8 warps makes 16 * MT outputs of 8 * NT rows. Each warp sums one eighth of the inputs, of which it reads every weight once,
// 16 bytes at a time; then the eight sums are added in their order. Neither depends on MT, NT or the number of rows.
//
// In a chunk of 32 inputs, thread (g, t) has the inputs 8t ... 8t + 7 of the weight's rows g and g + 8 and of x's row g: which inputs a
// product pairs does not matter as long as they are the same on both sides, and so both are read 16 bytes at a time.
#pragma once
#include "common.cuh"

static constexpr int Warps = 8;
static constexpr int ChunkInputs = 32;

// Eight floats as bfloat16 pairs whose sum is the floats: the upper 8 bits, the middle 8, the lower 8.
struct Split
{
    unsigned high[4], middle[4], low[4];
};

DEVICE float upper_half(float value) { return __uint_as_float(__float_as_uint(value) & 0xFFFF0000u); }

DEVICE unsigned pair_upper_halves(float first, float second) { return __byte_perm(__float_as_uint(first), __float_as_uint(second), 0x7632); }

DEVICE void split(const float (&v)[8], Split& parts)
{
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        float a = v[2 * i], b = v[2 * i + 1];
        parts.high[i] = pair_upper_halves(a, b);
        a -= upper_half(a);
        b -= upper_half(b);
        parts.middle[i] = pair_upper_halves(a, b);
        parts.low[i] = pair_upper_halves(a - upper_half(a), b - upper_half(b));
    }
}

// What a thread holds of 16 rows of a weight in a chunk, as loaded.
template <typename W> struct RawWeight;

template <> struct RawWeight<unsigned short>
{
    uint4 rows[2];

    DEVICE void load(const unsigned short* first, const unsigned short* second, int input)
    {
        rows[0] = __ldg((const uint4*)(first + input));
        rows[1] = __ldg((const uint4*)(second + input));
    }
};

template <> struct RawWeight<float>
{
    float rows[2][8];

    DEVICE void load(const float* first, const float* second, int input)
    {
        load_row(first + input, rows[0]);
        load_row(second + input, rows[1]);
    }

    static DEVICE void load_row(const float* from, float (&to)[8])
    {
        float4 a = __ldg((const float4*)from), b = __ldg((const float4*)from + 1);
        to[0] = a.x; to[1] = a.y; to[2] = a.z; to[3] = a.w;
        to[4] = b.x; to[5] = b.y; to[6] = b.z; to[7] = b.w;
    }
};

// One 16 * 16 step: words 2 * step and 2 * step + 1 of both sides.
DEVICE void step(float (&c)[4], const unsigned (&first)[4], const unsigned (&second)[4], const unsigned (&x)[4], int step)
{
    mma_bf16(c, first[2 * step], second[2 * step], first[2 * step + 1], second[2 * step + 1], x[2 * step], x[2 * step + 1]);
}

// The sum of a chunk starts at 0 and is then added to c: tensor cores cut where they should round, so their sums must stay short.
template <int NT>
DEVICE void add_chunk(float (&c)[NT][4], const float (&sums)[NT][4])
{
#pragma unroll
    for (int n = 0; n < NT; n++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            c[n][i] = __fadd_rn(c[n][i], sums[n][i]);
}

// c[n] += 16 rows of the weight times the n-th 8 rows of x, small products first.
template <int NT>
DEVICE void multiply_chunk(float (&c)[NT][4], const RawWeight<unsigned short>& weight, const Split (&x)[NT])
{
    unsigned first[4] = { weight.rows[0].x, weight.rows[0].y, weight.rows[0].z, weight.rows[0].w };
    unsigned second[4] = { weight.rows[1].x, weight.rows[1].y, weight.rows[1].z, weight.rows[1].w };
    float sums[NT][4] = {};
#pragma unroll
    for (int part = 0; part < 3; part++)
#pragma unroll
        for (int s = 0; s < 2; s++)
#pragma unroll
            for (int n = 0; n < NT; n++)
                step(sums[n], first, second, part == 0 ? x[n].low : part == 1 ? x[n].middle : x[n].high, s);
    add_chunk(c, sums);
}

template <int NT>
DEVICE void multiply_chunk(float (&c)[NT][4], const RawWeight<float>& weight, const Split (&x)[NT])
{
    Split first, second;
    split(weight.rows[0], first);
    split(weight.rows[1], second);
    float sums[NT][4] = {};
#pragma unroll
    for (int n = 0; n < NT; n++)
    {
#pragma unroll
        for (int s = 0; s < 2; s++)
        {
            step(sums[n], first.low, second.low, x[n].high, s);
            step(sums[n], first.high, second.high, x[n].low, s);
            step(sums[n], first.middle, second.middle, x[n].middle, s);
        }
#pragma unroll
        for (int s = 0; s < 2; s++)
        {
            step(sums[n], first.middle, second.middle, x[n].high, s);
            step(sums[n], first.high, second.high, x[n].middle, s);
        }
#pragma unroll
        for (int s = 0; s < 2; s++)
            step(sums[n], first.high, second.high, x[n].high, s);
    }
    add_chunk(c, sums);
}

// Adds the warps' sums in their order and stores them: sink(row of the tile, output of the tile, sum).
template <int MT, int NT, typename Sink>
DEVICE void join_warps(const float (&c)[MT][NT][4], Sink sink)
{
    const int Outputs = 16 * MT;
    __shared__ float sums[Warps][8 * Outputs];
    int warp = threadIdx.x / WarpSize, g = threadIdx.x % WarpSize / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int n = 0; n < NT; n++)
    {
#pragma unroll
        for (int m = 0; m < MT; m++)
        {
            sums[warp][2 * t * Outputs + 16 * m + g] = c[m][n][0];
            sums[warp][(2 * t + 1) * Outputs + 16 * m + g] = c[m][n][1];
            sums[warp][2 * t * Outputs + 16 * m + g + 8] = c[m][n][2];
            sums[warp][(2 * t + 1) * Outputs + 16 * m + g + 8] = c[m][n][3];
        }
        __syncthreads();
        for (int i = threadIdx.x; i < 8 * Outputs; i += Warps * WarpSize)
        {
            float sum = sums[0][i];
#pragma unroll
            for (int w = 1; w < Warps; w++)
                sum = __fadd_rn(sum, sums[w][i]);
            sink(8 * n + i / Outputs, i % Outputs, sum);
        }
        __syncthreads();
    }
}

// The same for two weights with 16 outputs each: sink(row, output, sum of the first, sum of the second).
template <typename Sink>
DEVICE void join_pairs(const float (&c)[2][1][4], Sink sink)
{
    __shared__ float sums[Warps][2][8 * 16];
    int warp = threadIdx.x / WarpSize, g = threadIdx.x % WarpSize / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int m = 0; m < 2; m++)
    {
        sums[warp][m][2 * t * 16 + g] = c[m][0][0];
        sums[warp][m][(2 * t + 1) * 16 + g] = c[m][0][1];
        sums[warp][m][2 * t * 16 + g + 8] = c[m][0][2];
        sums[warp][m][(2 * t + 1) * 16 + g + 8] = c[m][0][3];
    }
    __syncthreads();
    int i = threadIdx.x;
    if (i >= 8 * 16)
        return;
    float first = sums[0][0][i], second = sums[0][1][i];
#pragma unroll
    for (int w = 1; w < Warps; w++)
    {
        first = __fadd_rn(first, sums[w][0][i]);
        second = __fadd_rn(second, sums[w][1][i]);
    }
    sink(i / 16, i % 16, first, second);
}

// 16 outputs of a weight from `output` on: this thread's rows g and g + 8 of them. Rows beyond the last are that one again; what they give
// is not stored.
template <typename W>
DEVICE void find_rows(const W* weight, int stride, int outputs, int output, const W* (&from)[2])
{
    int g = threadIdx.x % WarpSize / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int half = 0; half < 2; half++)
        from[half] = weight + (size_t)min(outputs - 1, output + 8 * half + g) * stride + 8 * t;
}

// c = this warp's inputs of the rows from `firstRow` on times 16 * MT outputs.
// source.load(row, input, v): eight inputs of a row of x, zeros where there are none.
template <int MT, int NT, int Ahead, typename W, typename Source>
DEVICE void multiply(float (&c)[MT][NT][4], const Source& source, const W* const (&from)[MT][2], int firstRow, int inputs)
{
    int warp = threadIdx.x / WarpSize, g = threadIdx.x % WarpSize / 4, t = threadIdx.x % 4;
    int chunks = (inputs + ChunkInputs - 1) / ChunkInputs, perWarp = (chunks + Warps - 1) / Warps;
    int begin = min(chunks, warp * perWarp), end = min(chunks, begin + perWarp);
    for (int chunk = begin; chunk < end; chunk += Ahead)
    {
        // All loads first: a thread waits where it uses what it loads.
        RawWeight<W> raw[Ahead][MT];
        float v[Ahead][NT][8];
#pragma unroll
        for (int a = 0; a < Ahead; a++)
#pragma unroll
            for (int m = 0; m < MT; m++)
                raw[a][m].load(from[m][0], from[m][1], min(chunk + a, end - 1) * ChunkInputs);
#pragma unroll
        for (int a = 0; a < Ahead; a++)
#pragma unroll
            for (int n = 0; n < NT; n++)
                source.load(firstRow + 8 * n + g, min(chunk + a, end - 1) * ChunkInputs + 8 * t, v[a][n]);
#pragma unroll
        for (int a = 0; a < Ahead; a++)
            if (chunk + a < end)
            {
                Split x[NT];
#pragma unroll
                for (int n = 0; n < NT; n++)
                    split(v[a][n], x[n]);
#pragma unroll
                for (int m = 0; m < MT; m++)
                    multiply_chunk<NT>(c[m], raw[a][m], x);
            }
    }
}

// A tile of 8 * NT rows from `firstRow` on, 16 * MT outputs from `firstOutput` on: sink(row, output, sum).
template <int MT, int NT, int Ahead, typename W, typename Source, typename Sink>
DEVICE void multiply_tile(const Source& source, const W* weight, int weightStride, int rows, int inputs, int outputs, int firstRow, int firstOutput, Sink sink)
{
    const W* from[MT][2];
#pragma unroll
    for (int m = 0; m < MT; m++)
        find_rows(weight, weightStride, outputs, firstOutput + 16 * m, from[m]);
    float c[MT][NT][4] = {};
    multiply<MT, NT, Ahead>(c, source, from, firstRow, inputs);
    join_warps<MT, NT>(c, [=](int row, int output, float sum)
    {
        if (firstRow + row < rows && firstOutput + output < outputs)
            sink(firstRow + row, firstOutput + output, sum);
    });
}

DEVICE void clear(float (&v)[8])
{
#pragma unroll
    for (int i = 0; i < 8; i++)
        v[i] = 0;
}

// Eight floats, of which `count` are there.
DEVICE void load_eight(const float* from, int count, bool aligned, float (&v)[8])
{
    if (aligned && count >= 8)
    {
        float4 a = __ldg((const float4*)from), b = __ldg((const float4*)from + 1);
        v[0] = a.x; v[1] = a.y; v[2] = a.z; v[3] = a.w;
        v[4] = b.x; v[5] = b.y; v[6] = b.z; v[7] = b.w;
        return;
    }
#pragma unroll
    for (int i = 0; i < 8; i++)
        v[i] = i < count ? __ldg(from + i) : 0.0f;
}

// Rows of a matrix.
struct RowSource
{
    const float* x;
    int stride, rows, inputs;
    bool aligned;

    DEVICE void load(int row, int input, float (&v)[8]) const
    {
        if (row < rows)
            load_eight(x + (size_t)row * stride + input, inputs - input, aligned, v);
        else
            clear(v);
    }
};

// Up to three weights that the same rows are multiplied with: tiles of 16 outputs of one after the other.
struct Tile
{
    int which, output;

    DEVICE Tile(int index, int outputs0, int outputs1)
    {
        int first = (outputs0 + 15) / 16, second = (outputs1 + 15) / 16;
        which = index < first ? 0 : index < first + second ? 1 : 2;
        output = 16 * (which == 0 ? index : which == 1 ? index - first : index - first - second);
    }

    template <typename T> DEVICE T pick(T a, T b, T c) const { return which == 0 ? a : which == 1 ? b : c; }
};
