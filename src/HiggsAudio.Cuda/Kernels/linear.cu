// y = x * weight^T + bias with weights of floats or bfloat16. See matmul.cuh.
//
//   linear_f32_n8 | linear_bf16_n8(x, xs, weight, ws, bias, y, ys, rows, inputs, outputs)
//     for few rows: grid (ceil(rows / 8), ceil(outputs / 16)), block 256
//   linear_f32_n32 | linear_bf16_n32(the same)
//     for more than 8: grid (ceil(rows / 32), ceil(outputs / 64)), block 256
//
// The same sums of several operations in one launch, for at most 8 rows:
//   linear3_f32 | linear3_bf16(x, xs, rows, inputs, ws, weight0, bias0, y0, ys0, outputs0, weight1, bias1, y1, ys1, outputs1, weight2, bias2, y2, ys2, outputs2)
//     two or three weights of the same inputs (outputs2 may be 0): grid (1, the sum of ceil(outputs / 16)), block 256
//   linear_gated_f32 | linear_gated_bf16(x, xs, gate, up, ws, y, ys, z, zs, rows, inputs, outputs)
//     z = x * up^T, y = silu(x * gate^T) * z: grid (1, ceil(outputs / 16)), block 256
//
// x [rows, inputs], rows may overlap; weight [outputs, ws] with ws a multiple of 32 and zeros from `inputs` on, 16-byte aligned; bias
// [outputs] or 0; y [rows, outputs] must not overlap x. `inputs` may be 0.
#include "matmul.cuh"

template <int MT, int NT, int Ahead, typename W>
DEVICE void linear(const float* x, int xs, const W* weight, int ws, const float* bias, float* y, int ys, int rows, int inputs, int outputs, int firstRow, int firstOutput)
{
    RowSource source = { x, xs, rows, inputs, is_aligned(x, xs) };
    multiply_tile<MT, NT, Ahead>(source, weight, ws, rows, inputs, outputs, firstRow, firstOutput, [=](int row, int output, float sum)
    {
        y[(size_t)row * ys + output] = bias ? __fadd_rn(sum, __ldg(bias + output)) : sum;
    });
}

extern "C" __global__ void __launch_bounds__(256, 2) linear_f32_n8(const float* x, int xs, const float* weight, int ws, const float* bias, float* y,
    int ys, int rows, int inputs, int outputs)
{
    linear<1, 1, 2>(x, xs, weight, ws, bias, y, ys, rows, inputs, outputs, blockIdx.x * 8, blockIdx.y * 16);
}

extern "C" __global__ void __launch_bounds__(256) linear_f32_n32(const float* x, int xs, const float* weight, int ws, const float* bias, float* y,
    int ys, int rows, int inputs, int outputs)
{
    linear<4, 4, 1>(x, xs, weight, ws, bias, y, ys, rows, inputs, outputs, blockIdx.x * 32, blockIdx.y * 64);
}

extern "C" __global__ void __launch_bounds__(256, 2) linear_bf16_n8(const float* x, int xs, const unsigned short* weight, int ws, const float* bias,
    float* y, int ys, int rows, int inputs, int outputs)
{
    linear<1, 1, 4>(x, xs, weight, ws, bias, y, ys, rows, inputs, outputs, blockIdx.x * 8, blockIdx.y * 16);
}

extern "C" __global__ void __launch_bounds__(256) linear_bf16_n32(const float* x, int xs, const unsigned short* weight, int ws, const float* bias,
    float* y, int ys, int rows, int inputs, int outputs)
{
    linear<4, 4, 1>(x, xs, weight, ws, bias, y, ys, rows, inputs, outputs, blockIdx.x * 32, blockIdx.y * 64);
}

extern "C" __global__ void __launch_bounds__(256, 2) linear3_f32(const float* x, int xs, int rows, int inputs, int ws, const float* weight0,
    const float* bias0, float* y0, int ys0, int outputs0,
    const float* weight1, const float* bias1, float* y1, int ys1, int outputs1, const float* weight2, const float* bias2, float* y2, int ys2, int outputs2)
{
    Tile tile(blockIdx.y, outputs0, outputs1);
    linear<1, 1, 2>(x, xs, tile.pick(weight0, weight1, weight2), ws, tile.pick(bias0, bias1, bias2), tile.pick(y0, y1, y2), tile.pick(ys0, ys1, ys2), rows, inputs,
        tile.pick(outputs0, outputs1, outputs2), 0, tile.output);
}

extern "C" __global__ void __launch_bounds__(256, 2) linear3_bf16(const float* x, int xs, int rows, int inputs, int ws,
    const unsigned short* weight0, const float* bias0, float* y0, int ys0, int outputs0,
    const unsigned short* weight1, const float* bias1, float* y1, int ys1, int outputs1, const unsigned short* weight2, const float* bias2, float* y2, int ys2, int outputs2)
{
    Tile tile(blockIdx.y, outputs0, outputs1);
    linear<1, 1, 4>(x, xs, tile.pick(weight0, weight1, weight2), ws, tile.pick(bias0, bias1, bias2), tile.pick(y0, y1, y2), tile.pick(ys0, ys1, ys2), rows, inputs,
        tile.pick(outputs0, outputs1, outputs2), 0, tile.output);
}

template <int Ahead, typename W>
DEVICE void linear_gated(const float* x, int xs, const W* gate, const W* up, int ws, float* y, int ys, float* z, int zs, int rows, int inputs, int outputs)
{
    RowSource source = { x, xs, rows, inputs, is_aligned(x, xs) };
    int firstOutput = blockIdx.y * 16;
    const W* from[2][2];
    find_rows(gate, ws, outputs, firstOutput, from[0]);
    find_rows(up, ws, outputs, firstOutput, from[1]);
    float c[2][1][4] = {};
    multiply<2, 1, Ahead>(c, source, from, 0, inputs);
    join_pairs(c, [=](int row, int output, float first, float second)
    {
        output += firstOutput;
        if (row >= rows || output >= outputs)
            return;
        z[(size_t)row * zs + output] = second;
        y[(size_t)row * ys + output] = gate_value(first, second);
    });
}

extern "C" __global__ void __launch_bounds__(256, 2) linear_gated_f32(const float* x, int xs, const float* gate, const float* up, int ws, float* y,
    int ys, float* z, int zs, int rows, int inputs, int outputs)
{
    linear_gated<1>(x, xs, gate, up, ws, y, ys, z, zs, rows, inputs, outputs);
}

extern "C" __global__ void __launch_bounds__(256, 2) linear_gated_bf16(const float* x, int xs, const unsigned short* gate, const unsigned short* up,
    int ws, float* y, int ys, float* z, int zs, int rows, int inputs, int outputs)
{
    linear_gated<2>(x, xs, gate, up, ws, y, ys, z, zs, rows, inputs, outputs);
}
