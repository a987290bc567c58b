// Convolutions over time, as products with windows of rows: no window is ever copied. See matmul.cuh.
//
//   conv_f32_n8 | conv_bf16_n8(x, xs, xRows, weight, ws, bias, y, ys, yRows, windows, inputs, taps, stride, dilation, padding, outputs, phases, cut)
//     for few windows: grid (ceil(windows / 8), ceil(outputs / 16)), block 256
//   conv_f32_n32 | conv_bf16_n32(the same)
//     for more than 8: grid (ceil(windows / 32), ceil(outputs / 64)), block 256
//   conv_f32_m32 | conv_bf16_m32 | conv_f32_m16 | conv_bf16_m16(the same)
//     where tiles of 64 outputs would be half empty: grid (ceil(windows / 32), ceil(outputs / 32 or / 16)), block 256
//
// Window w is made of the rows w * stride + tap * dilation - padding of x (zeros outside), inputs each; weight [outputs, taps * inputs] with
// row stride ws, a multiple of 32 with zeros in the padding. Output o of window w is y[w * phases + o / channels - cut][o % channels], where
// channels = outputs / phases, unless this is outside of y. bias [channels] or 0.
//   Conv1d:           windows = yRows, phases = 1, cut = 0.
//   ConvTranspose1d:  stride = dilation = 1, taps = ceil(kernel / its stride), padding = taps - 1, phases = its stride, cut = its padding,
//                     windows = (yRows - 1 + cut) / phases + 1.
#include "matmul.cuh"

struct WindowSource
{
    const float* x;
    int xs, xRows, windows, inputs, taps, stride, dilation, padding;
    bool aligned;

    DEVICE void load(int window, int input, float (&v)[8]) const
    {
        int tap = input / inputs, channel = input - tap * inputs;
        if (window >= windows || tap >= taps)
            clear(v);
        else if (channel + 8 <= inputs)
        {
            int row = window * stride + tap * dilation - padding;
            if (row >= 0 && row < xRows)
                load_eight(x + (size_t)row * xs + channel, 8, aligned && (channel & 3) == 0, v);
            else
                clear(v);
        }
        else
#pragma unroll
            for (int i = 0; i < 8; i++)
            {
                int row = window * stride + tap * dilation - padding;
                v[i] = tap < taps && row >= 0 && row < xRows ? __ldg(x + (size_t)row * xs + channel) : 0.0f;
                if (++channel == inputs)
                {
                    channel = 0;
                    tap++;
                }
            }
    }
};

template <int MT, int NT, int Ahead, typename W>
DEVICE void convolve(const float* x, int xs, int xRows, const W* weight, int ws, const float* bias, float* y, int ys, int yRows, int windows,
    int inputs, int taps, int stride, int dilation, int padding, int outputs, int phases, int cut)
{
    WindowSource source = { x, xs, xRows, windows, inputs, taps, stride, dilation, padding, is_aligned(x, xs) };
    int channels = outputs / phases;
    multiply_tile<MT, NT, Ahead>(source, weight, ws, windows, inputs * taps, outputs, blockIdx.x * 8 * NT, blockIdx.y * 16 * MT, [=](int window, int output, float sum)
    {
        int phase = phases == 1 ? 0 : output / channels, channel = output - phase * channels, row = window * phases + phase - cut;
        if (row >= 0 && row < yRows)
            y[(size_t)row * ys + channel] = bias ? __fadd_rn(sum, __ldg(bias + channel)) : sum;
    });
}

extern "C" __global__ void __launch_bounds__(256, 2) conv_f32_n8(const float* x, int xs, int xRows, const float* weight, int ws, const float* bias, float* y, int ys, int yRows, int windows,
    int inputs, int taps, int stride, int dilation, int padding, int outputs, int phases, int cut)
{
    convolve<1, 1, 1>(x, xs, xRows, weight, ws, bias, y, ys, yRows, windows, inputs, taps, stride, dilation, padding, outputs, phases, cut);
}

extern "C" __global__ void __launch_bounds__(256) conv_f32_n32(const float* x, int xs, int xRows, const float* weight, int ws, const float* bias, float* y, int ys, int yRows, int windows,
    int inputs, int taps, int stride, int dilation, int padding, int outputs, int phases, int cut)
{
    convolve<4, 4, 1>(x, xs, xRows, weight, ws, bias, y, ys, yRows, windows, inputs, taps, stride, dilation, padding, outputs, phases, cut);
}

extern "C" __global__ void __launch_bounds__(256, 2) conv_bf16_n8(const float* x, int xs, int xRows, const unsigned short* weight, int ws, const float* bias, float* y, int ys, int yRows, int windows,
    int inputs, int taps, int stride, int dilation, int padding, int outputs, int phases, int cut)
{
    convolve<1, 1, 2>(x, xs, xRows, weight, ws, bias, y, ys, yRows, windows, inputs, taps, stride, dilation, padding, outputs, phases, cut);
}

extern "C" __global__ void __launch_bounds__(256) conv_bf16_n32(const float* x, int xs, int xRows, const unsigned short* weight, int ws, const float* bias, float* y, int ys, int yRows, int windows,
    int inputs, int taps, int stride, int dilation, int padding, int outputs, int phases, int cut)
{
    convolve<4, 4, 1>(x, xs, xRows, weight, ws, bias, y, ys, yRows, windows, inputs, taps, stride, dilation, padding, outputs, phases, cut);
}

extern "C" __global__ void __launch_bounds__(256, 2) conv_f32_m32(const float* x, int xs, int xRows, const float* weight, int ws, const float* bias, float* y, int ys, int yRows, int windows,
    int inputs, int taps, int stride, int dilation, int padding, int outputs, int phases, int cut)
{
    convolve<2, 4, 1>(x, xs, xRows, weight, ws, bias, y, ys, yRows, windows, inputs, taps, stride, dilation, padding, outputs, phases, cut);
}

extern "C" __global__ void __launch_bounds__(256, 2) conv_f32_m16(const float* x, int xs, int xRows, const float* weight, int ws, const float* bias, float* y, int ys, int yRows, int windows,
    int inputs, int taps, int stride, int dilation, int padding, int outputs, int phases, int cut)
{
    convolve<1, 4, 1>(x, xs, xRows, weight, ws, bias, y, ys, yRows, windows, inputs, taps, stride, dilation, padding, outputs, phases, cut);
}

extern "C" __global__ void __launch_bounds__(256, 2) conv_bf16_m32(const float* x, int xs, int xRows, const unsigned short* weight, int ws, const float* bias, float* y, int ys, int yRows, int windows,
    int inputs, int taps, int stride, int dilation, int padding, int outputs, int phases, int cut)
{
    convolve<2, 4, 1>(x, xs, xRows, weight, ws, bias, y, ys, yRows, windows, inputs, taps, stride, dilation, padding, outputs, phases, cut);
}

extern "C" __global__ void __launch_bounds__(256, 2) conv_bf16_m16(const float* x, int xs, int xRows, const unsigned short* weight, int ws, const float* bias, float* y, int ys, int yRows, int windows,
    int inputs, int taps, int stride, int dilation, int padding, int outputs, int phases, int cut)
{
    convolve<1, 4, 1>(x, xs, xRows, weight, ws, bias, y, ys, yRows, windows, inputs, taps, stride, dilation, padding, outputs, phases, cut);
}
