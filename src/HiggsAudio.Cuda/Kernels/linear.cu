// y = x * weight^T + bias with weights of floats or bfloat16. See matmul.cuh.
//
//   linear_f32_n8 | linear_bf16_n8(x, xs, weight, ws, bias, y, ys, rows, inputs, outputs)
//     for few rows: grid (ceil(rows / 8), ceil(outputs / 16)), block 256
//   linear_f32_n32 | linear_bf16_n32(the same)
//     for more than 8: grid (ceil(rows / 32), ceil(outputs / 64)), block 256
//
// x [rows, inputs], rows may overlap; weight [outputs, ws] with ws a multiple of 32 and zeros from `inputs` on, 16-byte aligned; bias
// [outputs] or 0; y [rows, outputs] must not overlap x. `inputs` may be 0.
#include "matmul.cuh"

template <typename W, int MT, int NT, int Ahead>
DEVICE void linear(const float* x, int xs, const W* weight, int ws, const float* bias, float* y, int ys, int rows, int inputs, int outputs)
{
    RowSource source = { x, xs, rows, inputs, is_aligned(x, xs) };
    multiply<W, MT, NT, Ahead>(source, weight, ws, rows, inputs, outputs, [=](int row, int output, float sum)
    {
        y[(size_t)row * ys + output] = bias ? __fadd_rn(sum, __ldg(bias + output)) : sum;
    });
}

extern "C" __global__ void __launch_bounds__(256, 2) linear_f32_n8(const float* x, int xs, const float* weight, int ws, const float* bias, float* y, int ys, int rows, int inputs, int outputs)
{
    linear<float, 1, 1, 2>(x, xs, weight, ws, bias, y, ys, rows, inputs, outputs);
}

extern "C" __global__ void __launch_bounds__(256) linear_f32_n32(const float* x, int xs, const float* weight, int ws, const float* bias, float* y, int ys, int rows, int inputs, int outputs)
{
    linear<float, 4, 4, 1>(x, xs, weight, ws, bias, y, ys, rows, inputs, outputs);
}

extern "C" __global__ void __launch_bounds__(256, 2) linear_bf16_n8(const float* x, int xs, const unsigned short* weight, int ws, const float* bias, float* y, int ys, int rows, int inputs, int outputs)
{
    linear<unsigned short, 1, 1, 4>(x, xs, weight, ws, bias, y, ys, rows, inputs, outputs);
}

extern "C" __global__ void __launch_bounds__(256) linear_bf16_n32(const float* x, int xs, const unsigned short* weight, int ws, const float* bias, float* y, int ys, int rows, int inputs, int outputs)
{
    linear<unsigned short, 4, 4, 1>(x, xs, weight, ws, bias, y, ys, rows, inputs, outputs);
}
