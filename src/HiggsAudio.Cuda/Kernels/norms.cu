// Normalisations of rows. One block of 256 has a row, so a row's result depends on nothing else.
//
//   rms_norm(x, xs, gain, epsilon, y, ys, columns)                      y = x / sqrt(mean(x^2) + epsilon) * gain
//   add_rms_norm(x, xs, addend, as, gain, epsilon, y, ys, columns)      x += addend; y = the norm of x
//   layer_norm(x, xs, gain, bias, epsilon, y, ys, columns)              y = (x - mean) / sqrt(variance + epsilon) * gain + bias
//     grid rows, block 256; y may be x
#include "common.cuh"

static constexpr int MostKept = 4;       // groups of four columns that a thread keeps in registers

DEVICE float add_squares(float4 v, float sum) { return fmaf(v.x, v.x, fmaf(v.y, v.y, fmaf(v.z, v.z, fmaf(v.w, v.w, sum)))); }

DEVICE float rms_factor(float sum, int columns, float epsilon) { return __fdiv_rn(1.0f, __fsqrt_rn(__fdiv_rn(sum, (float)columns) + epsilon)); }

// A row whose thread has every 256th group of four columns. With an addend, it is added to x first.
template <bool Adds>
DEVICE void normalize_rms(float* x, const float* addend, const float* gain, float epsilon, float* y, int columns, float* room)
{
    bool aligned = ((((size_t)x | (size_t)y | (size_t)gain | (Adds ? (size_t)addend : 0)) & 15) | (columns & 3)) == 0;
    int first = 4 * threadIdx.x, step = 4 * blockDim.x;
    float sum = 0;
    if (aligned && columns <= MostKept * step)
    {
        float4 v[MostKept];
#pragma unroll
        for (int i = 0; i < MostKept; i++)
            v[i] = first + i * step < columns ? *(const float4*)(x + first + i * step) : make_float4(0, 0, 0, 0);
        if (Adds)
        {
#pragma unroll
            for (int i = 0; i < MostKept; i++)
                if (first + i * step < columns)
                {
                    float4 a = *(const float4*)(addend + first + i * step);
                    v[i] = make_float4(__fadd_rn(v[i].x, a.x), __fadd_rn(v[i].y, a.y), __fadd_rn(v[i].z, a.z), __fadd_rn(v[i].w, a.w));
                }
#pragma unroll
            for (int i = 0; i < MostKept; i++)
                if (first + i * step < columns)
                    *(float4*)(x + first + i * step) = v[i];
        }
#pragma unroll
        for (int i = 0; i < MostKept; i++)
            sum = add_squares(v[i], sum);
        float factor = rms_factor(block_sum(sum, room), columns, epsilon);
#pragma unroll
        for (int i = 0; i < MostKept; i++)
            if (first + i * step < columns)
            {
                float4 g = __ldg((const float4*)(gain + first + i * step));
                *(float4*)(y + first + i * step) = make_float4(v[i].x * factor * g.x, v[i].y * factor * g.y, v[i].z * factor * g.z, v[i].w * factor * g.w);
            }
        return;
    }
    // Any other row, with the same sums.
    for (int c = first; c < columns; c += step)
    {
        float v[4];
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            v[i] = c + i < columns ? x[c + i] : 0;
            if (Adds && c + i < columns)
                x[c + i] = v[i] = __fadd_rn(v[i], addend[c + i]);
        }
        sum = add_squares(make_float4(v[0], v[1], v[2], v[3]), sum);
    }
    float factor = rms_factor(block_sum(sum, room), columns, epsilon);
    for (int c = first; c < columns; c += step)
        for (int i = 0; i < 4 && c + i < columns; i++)
            y[c + i] = x[c + i] * factor * __ldg(gain + c + i);
}

extern "C" __global__ void __launch_bounds__(256) rms_norm(const float* x, int xs, const float* gain, float epsilon, float* y, int ys, int columns)
{
    __shared__ float room[8];
    normalize_rms<false>((float*)x + (size_t)blockIdx.x * xs, 0, gain, epsilon, y + (size_t)blockIdx.x * ys, columns, room);
}

extern "C" __global__ void __launch_bounds__(256) add_rms_norm(float* x, int xs, const float* addend, int as, const float* gain, float epsilon, float* y, int ys, int columns)
{
    __shared__ float room[8];
    normalize_rms<true>(x + (size_t)blockIdx.x * xs, addend + (size_t)blockIdx.x * as, gain, epsilon, y + (size_t)blockIdx.x * ys, columns, room);
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
