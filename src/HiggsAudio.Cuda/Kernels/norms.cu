// Normalisations of rows. One block of 256 has a row, so a row's result depends on nothing else.
//
//   rms_norm(x, xs, gain, epsilon, y, ys, columns)                      y = x / sqrt(mean(x^2) + epsilon) * gain
//   add_rms_norm(x, xs, addend, as, gain, epsilon, y, ys, columns)      x += addend; y = the norm of x
//   layer_norm(x, xs, gain, bias, epsilon, y, ys, columns)              y = (x - mean) / sqrt(variance + epsilon) * gain + bias
//     grid rows, block 256; y may be x
#include "common.cuh"

// The sum of squares of a row of which this thread keeps every 256th group of four, or element.
DEVICE float sum_of_squares(const float* x, int columns, bool aligned, float* room)
{
    float sum = 0;
    if (aligned)
        for (int c = 4 * threadIdx.x; c < columns; c += 4 * blockDim.x)
        {
            float4 v = *(const float4*)(x + c);
            sum = fmaf(v.x, v.x, fmaf(v.y, v.y, fmaf(v.z, v.z, fmaf(v.w, v.w, sum))));
        }
    else
        for (int c = 4 * threadIdx.x; c < columns; c += 4 * blockDim.x)
        {
            // The same order as above.
            float y = c + 1 < columns ? x[c + 1] : 0, z = c + 2 < columns ? x[c + 2] : 0, w = c + 3 < columns ? x[c + 3] : 0;
            sum = fmaf(x[c], x[c], fmaf(y, y, fmaf(z, z, fmaf(w, w, sum))));
        }
    return block_sum(sum, room);
}

DEVICE void normalize_rms(const float* x, const float* gain, float epsilon, float* y, int columns, bool aligned, float* room)
{
    float mean = __fdiv_rn(sum_of_squares(x, columns, aligned, room), (float)columns);
    float factor = __fdiv_rn(1.0f, __fsqrt_rn(mean + epsilon));
    if (aligned && is_aligned(y, 0) && is_aligned(gain, 0))
        for (int c = 4 * threadIdx.x; c < columns; c += 4 * blockDim.x)
        {
            float4 v = *(const float4*)(x + c), g = __ldg((const float4*)(gain + c));
            *(float4*)(y + c) = make_float4(v.x * factor * g.x, v.y * factor * g.y, v.z * factor * g.z, v.w * factor * g.w);
        }
    else
        for (int c = threadIdx.x; c < columns; c += blockDim.x)
            y[c] = x[c] * factor * __ldg(gain + c);
}

extern "C" __global__ void __launch_bounds__(256) rms_norm(const float* x, int xs, const float* gain, float epsilon, float* y, int ys, int columns)
{
    __shared__ float room[8];
    x += (size_t)blockIdx.x * xs;
    normalize_rms(x, gain, epsilon, y + (size_t)blockIdx.x * ys, columns, is_aligned(x, columns), room);
}

extern "C" __global__ void __launch_bounds__(256) add_rms_norm(float* x, int xs, const float* addend, int as, const float* gain, float epsilon, float* y, int ys, int columns)
{
    __shared__ float room[8];
    x += (size_t)blockIdx.x * xs;
    addend += (size_t)blockIdx.x * as;
    for (int c = threadIdx.x; c < columns; c += blockDim.x)
        x[c] = __fadd_rn(x[c], addend[c]);
    __syncthreads();
    normalize_rms(x, gain, epsilon, y + (size_t)blockIdx.x * ys, columns, is_aligned(x, columns), room);
}

// Sums are of distances from the first element and in double precision: rows far from 0 keep theirs.
extern "C" __global__ void __launch_bounds__(256) layer_norm(const float* x, int xs, const float* gain, const float* bias, float epsilon, float* y, int ys, int columns)
{
    __shared__ double room[8];
    x += (size_t)blockIdx.x * xs;
    y += (size_t)blockIdx.x * ys;
    float origin = x[0];
    double sum = 0, squares = 0;
    for (int c = threadIdx.x; c < columns; c += blockDim.x)
    {
        double distance = (double)x[c] - origin;
        sum += distance;
        squares += distance * distance;
    }
    sum = block_sum(sum, room) / columns;
    squares = block_sum(squares, room) / columns - sum * sum;
    float factor = (float)(1.0 / sqrt((squares > 0 || squares != squares ? squares : 0.0) + epsilon));
    double mean = origin + sum;
    float near = (float)mean, rest = (float)(mean - near);
    for (int c = threadIdx.x; c < columns; c += blockDim.x)
        y[c] = fmaf((x[c] - near - rest) * factor, __ldg(gain + c), __ldg(bias + c));
}
