// y = x * weight^T + bias with weights of 8 or 4 bits in blocks of 32 inputs with a bfloat16 scale. Rows of x are quantized to 8 bits in
// blocks of 32 as well, and products are summed in integers by the tensor cores: exact, so only the sums over blocks are rounded.
//
//   linear_int8_n8 | linear_int4_n8(x, xs, values, scales, bias, y, ys, rows, inputs, outputs)
//     at most 8 rows: grid (1, ceil(outputs / 16)), block 256, launch memory 8 * rows * (perWarp * 144 + 32) bytes with perWarp =
//     ceil(groups / 8), groups = ceil(inputs / 128)
//   quantize_rows(x, xs, codes, codeScales, rows, inputs)
//     codes [rows, groups * 128] signed bytes, codeScales [rows, groups * 4] floats: grid rows, block 256
//   linear_int8_n32 | linear_int4_n32(codes, codeScales, values, scales, bias, y, ys, rows, inputs, outputs)
//     any number of rows: grid (ceil(rows / 32), ceil(outputs / 64)), block 256
//
// The same sums of several operations in one launch, for at most 8 rows, launch memory as for _n8:
//   linear3_int8 | linear3_int4(x, xs, rows, inputs, values0, scales0, bias0, y0, ys0, outputs0, values1, scales1, bias1, y1, ys1, outputs1, values2, scales2, bias2, y2, ys2, outputs2)
//     two or three weights of the same inputs (outputs2 may be 0): grid (1, the sum of ceil(outputs / 16)), block 256
//   linear_gated_int8 | linear_gated_int4(x, xs, gateValues, gateScales, upValues, upScales, y, ys, z, zs, rows, inputs, outputs)
//     z = x * up^T, y = silu(x * gate^T) * z: grid (1, ceil(outputs / 16)), block 256
//
// scales: bfloat16 [outputs, groups * 4], zero for blocks that are not there. values, for g, t as in matmul.cuh: thread t's bytes lie together
//   int8 [outputs, groups * 128]: in 64 inputs, byte t * 16 + b * 8 + i is input b * 32 + t * 8 + i, signed
//   int4 [outputs, groups * 64]: in 128 inputs, byte t * 16 + b * 4 + i has input b * 32 + t * 8 + i in its lower half and input
//     b * 32 + t * 8 + 4 + i in its upper half, each plus 8
#include "matmul.cuh"

static constexpr int GroupInputs = 128, GroupBlocks = 4;

// The codes and the scale of 32 values, eight of them in each of four neighbouring threads.
DEVICE uint2 quantize_eight(const float (&v)[8], float* scale)
{
    unsigned largest = 0;
#pragma unroll
    for (int i = 0; i < 8; i++)
        largest = max(largest, magnitude(v[i]));
    largest = max(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 1));
    largest = max(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 2));
    float factor = code_factor(largest, scale);
    return make_uint2(pack_codes(v[0], v[1], v[2], v[3], factor), pack_codes(v[4], v[5], v[6], v[7], factor));
}

// What a thread holds of 16 rows of a weight in a group, as loaded: of the rows g and g + 8.
template <bool Four> struct RawGroup
{
    static const int Loads = Four ? 1 : 2;
    uint4 values[2][Loads];
    uint2 scales[2];

    DEVICE void load(const unsigned char* const (&from)[2], const unsigned short* const (&scale)[2], int group)
    {
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
#pragma unroll
            for (int i = 0; i < Loads; i++)
                values[half][i] = __ldg((const uint4*)(from[half] + (size_t)group * 64 * Loads + 64 * i));
            scales[half] = __ldg((const uint2*)(scale[half] + (size_t)group * GroupBlocks));
        }
    }

    DEVICE unsigned word(int half, int i) const
    {
        const uint4& v = values[half][i / 4];
        return i % 4 == 0 ? v.x : i % 4 == 1 ? v.y : i % 4 == 2 ? v.z : v.w;
    }

    // The signed bytes of a block: the first and the last four inputs of this thread. With four bits: 16 times the value.
    DEVICE unsigned bytes(int half, int block, int part) const
    {
        if (!Four)
            return word(half, 2 * block + part);
        unsigned both = word(half, block);
        return ((part == 0 ? both << 4 : both) & 0xF0F0F0F0u) ^ 0x80808080u;
    }

    DEVICE float scale(int half, int block) const
    {
        unsigned pair = block < 2 ? scales[half].x : scales[half].y;
        float value = block % 2 == 0 ? low_bf16(pair) : high_bf16(pair);
        return Four ? value * 0.0625f : value;
    }
};

// c += a block of 16 rows of the weight times 8 rows of codes; xScales are those of the rows 2t and 2t + 1.
template <bool Four>
DEVICE void multiply_block(float (&c)[4], const RawGroup<Four>& raw, int block, uint2 codes, float xScale0, float xScale1)
{
    int sums[4];
    mma_s8(sums, raw.bytes(0, block, 0), raw.bytes(1, block, 0), raw.bytes(0, block, 1), raw.bytes(1, block, 1), codes.x, codes.y, RounderBits);
    float first = raw.scale(0, block), second = raw.scale(1, block);
    c[0] = fmaf(__int_as_float(sums[0]) - Rounder, __fmul_rn(first, xScale0), c[0]);
    c[1] = fmaf(__int_as_float(sums[1]) - Rounder, __fmul_rn(first, xScale1), c[1]);
    c[2] = fmaf(__int_as_float(sums[2]) - Rounder, __fmul_rn(second, xScale0), c[2]);
    c[3] = fmaf(__int_as_float(sums[3]) - Rounder, __fmul_rn(second, xScale1), c[3]);
}

// Quantized rows in shared memory: each warp has quantized the inputs that it sums.
struct SharedCodes
{
    const signed char* codes;
    const float* scales;
    int rows, stride, blocks, firstGroup;

    DEVICE uint2 load(int row, int group, int block, int t) const
    {
        return row < rows ? *(const uint2*)(codes + row * stride + (group - firstGroup) * GroupInputs + 32 * block + 8 * t) : make_uint2(0, 0);
    }

    DEVICE float4 scale(int row, int group) const
    {
        return row < rows ? *(const float4*)(scales + row * blocks + (group - firstGroup) * GroupBlocks) : make_float4(0, 0, 0, 0);
    }
};

// Quantized rows in global memory.
struct GlobalCodes
{
    const signed char* codes;
    const float* scales;
    int rows, groups;

    DEVICE uint2 load(int row, int group, int block, int t) const
    {
        return row < rows ? __ldg((const uint2*)(codes + ((size_t)row * groups + group) * GroupInputs + 32 * block + 8 * t)) : make_uint2(0, 0);
    }

    DEVICE float4 scale(int row, int group) const
    {
        return row < rows ? __ldg((const float4*)(scales + ((size_t)row * groups + group) * GroupBlocks)) : make_float4(0, 0, 0, 0);
    }
};

DEVICE float element(const float4& v, int i) { return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w; }

template <bool Four, int MT, int NT, typename Codes>
DEVICE void multiply_group(float (&c)[MT][NT][4], const RawGroup<Four> (&raw)[MT], const Codes& codes, int firstRow, int group)
{
    int g = threadIdx.x % WarpSize / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int n = 0; n < NT; n++)
    {
        int row = firstRow + 8 * n;
        float4 scale0 = codes.scale(row + 2 * t, group), scale1 = codes.scale(row + 2 * t + 1, group);
#pragma unroll
        for (int block = 0; block < GroupBlocks; block++)
        {
            uint2 word = codes.load(row + g, group, block, t);
#pragma unroll
            for (int m = 0; m < MT; m++)
                multiply_block<Four>(c[m][n], raw[m], block, word, element(scale0, block), element(scale1, block));
        }
    }
}

// This thread's rows g and g + 8 of 16 outputs of a weight, from `output` on.
template <bool Four>
struct QuantizedWeight
{
    const unsigned char* from[2];
    const unsigned short* scale[2];

    DEVICE void find(const unsigned char* values, const unsigned short* scales, int groups, int outputs, int output)
    {
        int g = threadIdx.x % WarpSize / 4, t = threadIdx.x % 4;
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            size_t row = (size_t)min(outputs - 1, output + 8 * half + g) * groups;
            from[half] = values + row * (Four ? 64 : 128) + 16 * t;
            scale[half] = scales + row * GroupBlocks;
        }
    }

    DEVICE void load(RawGroup<Four>& raw, int group) const { raw.load(from, scale, group); }
};

struct Result
{
    const float* bias;
    float* y;
    int ys, rows, outputs, firstRow, firstOutput;

    DEVICE void operator()(int row, int output, float sum) const
    {
        row += firstRow;
        output += firstOutput;
        if (row < rows && output < outputs)
            y[(size_t)row * ys + output] = bias ? __fadd_rn(sum, __ldg(bias + output)) : sum;
    }
};

// A warp's inputs of all rows, to shared memory.
DEVICE SharedCodes quantize_range(const float* x, int xs, int rows, int inputs, int begin, int end, int perWarp)
{
    int lane = threadIdx.x % WarpSize, stride = perWarp * GroupInputs + 32, blocks = perWarp * GroupBlocks;
    char* mine = launch_memory() + (size_t)(threadIdx.x / WarpSize) * rows * (stride + blocks * 4);
    float* scales = (float*)mine;
    signed char* codes = (signed char*)(scales + rows * blocks);
    bool aligned = is_aligned(x, xs);
    const int Batch = 4;
    for (int row = 0; row < rows; row++)
        for (int first = begin * GroupInputs; first < end * GroupInputs; first += Batch * 8 * WarpSize)
        {
            float v[Batch][8];
#pragma unroll
            for (int j = 0; j < Batch; j++)
            {
                int input = first + (j * WarpSize + lane) * 8;
                load_eight(x + (size_t)row * xs + input, min(inputs, end * GroupInputs) - input, aligned, v[j]);
            }
#pragma unroll
            for (int j = 0; j < Batch; j++)
            {
                int input = first + (j * WarpSize + lane) * 8, at = input - begin * GroupInputs;
                float scale;
                uint2 word = quantize_eight(v[j], &scale);
                if (input < end * GroupInputs)
                {
                    *(uint2*)(codes + row * stride + at) = word;
                    if (lane % 4 == 0)
                        scales[row * blocks + at / BlockInputs] = scale;
                }
            }
        }
    __syncwarp();
    SharedCodes result = { codes, scales, rows, stride, blocks, begin };
    return result;
}

// c = this warp's inputs of at most 8 rows times 16 * MT outputs.
template <bool Four, int MT, int Ahead>
DEVICE void multiply_few(float (&c)[MT][1][4], const float* x, int xs, const QuantizedWeight<Four> (&weights)[MT], int rows, int inputs)
{
    int groups = (inputs + GroupInputs - 1) / GroupInputs, perWarp = (groups + Warps - 1) / Warps;
    int begin = min(groups, (int)(threadIdx.x / WarpSize) * perWarp), end = min(groups, begin + perWarp);
    RawGroup<Four> raw[Ahead][MT];
    // The first weights are on their way while the rows are quantized.
#pragma unroll
    for (int a = 0; a < Ahead; a++)
#pragma unroll
        for (int m = 0; m < MT; m++)
            if (begin + a < end)
                weights[m].load(raw[a][m], begin + a);
    SharedCodes codes = quantize_range(x, xs, rows, inputs, begin, end, perWarp);
    for (int group = begin; group < end; group += Ahead)
#pragma unroll
        for (int a = 0; a < Ahead; a++)
            if (group + a < end)
            {
                RawGroup<Four> now[MT];
#pragma unroll
                for (int m = 0; m < MT; m++)
                {
                    now[m] = raw[a][m];
                    if (group + a + Ahead < end)
                        weights[m].load(raw[a][m], group + a + Ahead);
                }
                multiply_group<Four, MT, 1>(c, now, codes, 0, group + a);
            }
}

template <bool Four, int Ahead>
DEVICE void linear_few(const float* x, int xs, const unsigned char* values, const unsigned short* scales, const float* bias, float* y, int ys,
    int rows, int inputs, int outputs, int firstOutput)
{
    QuantizedWeight<Four> weights[1];
    weights[0].find(values, scales, (inputs + GroupInputs - 1) / GroupInputs, outputs, firstOutput);
    float c[1][1][4] = {};
    multiply_few<Four, 1, Ahead>(c, x, xs, weights, rows, inputs);
    Result result = { bias, y, ys, rows, outputs, 0, firstOutput };
    join_warps<1, 1>(c, result);
}

template <bool Four, int Ahead>
DEVICE void linear_gated(const float* x, int xs, const unsigned char* gateValues, const unsigned short* gateScales, const unsigned char* upValues,
    const unsigned short* upScales,
    float* y, int ys, float* z, int zs, int rows, int inputs, int outputs)
{
    int groups = (inputs + GroupInputs - 1) / GroupInputs, firstOutput = blockIdx.y * 16;
    QuantizedWeight<Four> weights[2];
    weights[0].find(gateValues, gateScales, groups, outputs, firstOutput);
    weights[1].find(upValues, upScales, groups, outputs, firstOutput);
    float c[2][1][4] = {};
    multiply_few<Four, 2, Ahead>(c, x, xs, weights, rows, inputs);
    join_pairs(c, [=](int row, int output, float first, float second)
    {
        output += firstOutput;
        if (row >= rows || output >= outputs)
            return;
        z[(size_t)row * zs + output] = second;
        y[(size_t)row * ys + output] = gate_value(first, second);
    });
}

template <bool Four>
DEVICE void linear_many(const signed char* x, const float* xScales, const unsigned char* values, const unsigned short* scales, const float* bias,
    float* y, int ys, int rows, int inputs, int outputs)
{
    const int MT = 4, NT = 4;
    int groups = (inputs + GroupInputs - 1) / GroupInputs, perWarp = (groups + Warps - 1) / Warps;
    int begin = min(groups, (int)(threadIdx.x / WarpSize) * perWarp), end = min(groups, begin + perWarp);
    int firstRow = blockIdx.x * 8 * NT, firstOutput = blockIdx.y * 16 * MT;
    QuantizedWeight<Four> weights[MT];
#pragma unroll
    for (int m = 0; m < MT; m++)
        weights[m].find(values, scales, groups, outputs, firstOutput + 16 * m);
    GlobalCodes codes = { x, xScales, rows, groups };
    float c[MT][NT][4] = {};
    for (int group = begin; group < end; group++)
    {
        RawGroup<Four> raw[MT];
#pragma unroll
        for (int m = 0; m < MT; m++)
            weights[m].load(raw[m], group);
        multiply_group<Four, MT, NT>(c, raw, codes, firstRow, group);
    }
    Result result = { bias, y, ys, rows, outputs, firstRow, firstOutput };
    join_warps<MT, NT>(c, result);
}

extern "C" __global__ void __launch_bounds__(256) quantize_rows(const float* x, int xs, signed char* codes, float* codeScales, int rows, int inputs)
{
    int groups = (inputs + GroupInputs - 1) / GroupInputs, row = blockIdx.x;
    bool aligned = is_aligned(x, xs);
    // Whole warps, so that four neighbours always have a block together.
    for (int first = threadIdx.x / WarpSize * 8 * WarpSize; first < groups * GroupInputs; first += 8 * blockDim.x)
    {
        int input = first + threadIdx.x % WarpSize * 8;
        float v[8], scale;
        load_eight(x + (size_t)row * xs + input, inputs - input, aligned, v);
        uint2 word = quantize_eight(v, &scale);
        if (input < groups * GroupInputs)
        {
            *(uint2*)(codes + (size_t)row * groups * GroupInputs + input) = word;
            if (threadIdx.x % 4 == 0)
                codeScales[(size_t)row * groups * GroupBlocks + input / BlockInputs] = scale;
        }
    }
}

extern "C" __global__ void __launch_bounds__(256, 2) linear_int8_n8(const float* x, int xs, const unsigned char* values,
    const unsigned short* scales, const float* bias, float* y, int ys, int rows, int inputs, int outputs)
{
    linear_few<false, 2>(x, xs, values, scales, bias, y, ys, rows, inputs, outputs, blockIdx.y * 16);
}

extern "C" __global__ void __launch_bounds__(256, 2) linear_int4_n8(const float* x, int xs, const unsigned char* values,
    const unsigned short* scales, const float* bias, float* y, int ys, int rows, int inputs, int outputs)
{
    linear_few<true, 3>(x, xs, values, scales, bias, y, ys, rows, inputs, outputs, blockIdx.y * 16);
}

extern "C" __global__ void __launch_bounds__(256) linear_int8_n32(const signed char* codes, const float* codeScales, const unsigned char* values,
    const unsigned short* scales, const float* bias, float* y, int ys, int rows, int inputs, int outputs)
{
    linear_many<false>(codes, codeScales, values, scales, bias, y, ys, rows, inputs, outputs);
}

extern "C" __global__ void __launch_bounds__(256) linear_int4_n32(const signed char* codes, const float* codeScales, const unsigned char* values,
    const unsigned short* scales, const float* bias, float* y, int ys, int rows, int inputs, int outputs)
{
    linear_many<true>(codes, codeScales, values, scales, bias, y, ys, rows, inputs, outputs);
}

extern "C" __global__ void __launch_bounds__(256, 2) linear3_int8(const float* x, int xs, int rows, int inputs,
    const unsigned char* values0, const unsigned short* scales0, const float* bias0, float* y0, int ys0, int outputs0,
    const unsigned char* values1, const unsigned short* scales1, const float* bias1, float* y1, int ys1, int outputs1,
    const unsigned char* values2, const unsigned short* scales2, const float* bias2, float* y2, int ys2, int outputs2)
{
    Tile tile(blockIdx.y, outputs0, outputs1);
    linear_few<false, 2>(x, xs, tile.pick(values0, values1, values2), tile.pick(scales0, scales1, scales2), tile.pick(bias0, bias1, bias2), tile.pick(y0, y1, y2), tile.pick(ys0, ys1, ys2),
        rows, inputs, tile.pick(outputs0, outputs1, outputs2), tile.output);
}

extern "C" __global__ void __launch_bounds__(256, 2) linear_gated_int8(const float* x, int xs, const unsigned char* gateValues,
    const unsigned short* gateScales, const unsigned char* upValues, const unsigned short* upScales,
    float* y, int ys, float* z, int zs, int rows, int inputs, int outputs)
{
    linear_gated<false, 1>(x, xs, gateValues, gateScales, upValues, upScales, y, ys, z, zs, rows, inputs, outputs);
}

extern "C" __global__ void __launch_bounds__(256, 2) linear3_int4(const float* x, int xs, int rows, int inputs,
    const unsigned char* values0, const unsigned short* scales0, const float* bias0, float* y0, int ys0, int outputs0,
    const unsigned char* values1, const unsigned short* scales1, const float* bias1, float* y1, int ys1, int outputs1,
    const unsigned char* values2, const unsigned short* scales2, const float* bias2, float* y2, int ys2, int outputs2)
{
    Tile tile(blockIdx.y, outputs0, outputs1);
    linear_few<true, 3>(x, xs, tile.pick(values0, values1, values2), tile.pick(scales0, scales1, scales2), tile.pick(bias0, bias1, bias2), tile.pick(y0, y1, y2), tile.pick(ys0, ys1, ys2),
        rows, inputs, tile.pick(outputs0, outputs1, outputs2), tile.output);
}

extern "C" __global__ void __launch_bounds__(256, 2) linear_gated_int4(const float* x, int xs, const unsigned char* gateValues,
    const unsigned short* gateScales, const unsigned char* upValues, const unsigned short* upScales,
    float* y, int ys, float* z, int zs, int rows, int inputs, int outputs)
{
    linear_gated<true, 2>(x, xs, gateValues, gateScales, upValues, upScales, y, ys, z, zs, rows, inputs, outputs);
}
