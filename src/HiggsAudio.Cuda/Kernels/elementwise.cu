// Element by element. Every thread has four columns of one row: one 16-byte load where the views allow it.
//
// All kernels here: block (bx, by) with bx a power of two, 1 to 256, columns / 4 or more if it can be, and by = 256 / bx;
// grid (ceil(rows / by), ceil(columns / (4 * bx))). Matrices are (data, row stride), [rows, columns]; a result may be an operand.
//
//   zero(y, ys, rows, columns)                               y = 0
//   copy(x, xs, y, ys, rows, columns)                        y = x
//   add(x, xs, y, ys, rows, columns)                         x += y
//   scale(x, xs, factor, rows, columns)                      x *= factor
//   swiglu(gate, gs, up, us, y, ys, rows, columns)           y = gate / (1 + exp(-gate)) * up
//   gelu(x, xs, y, ys, rows, columns)                        y = x / 2 * (1 + erf(x / sqrt(2)))
//   elu(x, xs, y, ys, rows, columns)                         y = x > 0 ? x : exp(x) - 1
//   snake(x, xs, alpha, y, ys, rows, columns)                y = x + sin(alpha * x)^2 / (alpha + 1e-9), alpha [columns]
#include "common.cuh"

// This thread's row, the first of its columns, and how many there are.
DEVICE bool find_elements(int rows, int columns, int* row, int* column, int* count)
{
    *row = blockIdx.x * blockDim.y + threadIdx.y;
    *column = 4 * (blockIdx.y * blockDim.x + threadIdx.x);
    *count = columns - *column < 4 ? columns - *column : 4;
    return *row < rows && *count > 0;
}

DEVICE float4 load_elements(const float* at, int count, bool aligned)
{
    if (aligned && count == 4)
        return *(const float4*)at;
    float4 value = make_float4(at[0], 0, 0, 0);
    if (count > 1)
        value.y = at[1];
    if (count > 2)
        value.z = at[2];
    if (count > 3)
        value.w = at[3];
    return value;
}

DEVICE void store_elements(float* at, float4 value, int count, bool aligned)
{
    if (aligned && count == 4)
    {
        *(float4*)at = value;
        return;
    }
    at[0] = value.x;
    if (count > 1)
        at[1] = value.y;
    if (count > 2)
        at[2] = value.z;
    if (count > 3)
        at[3] = value.w;
}

// y = function(x), with the column for what differs by columns.
template <typename Function>
DEVICE void map_elements(const float* x, int xs, float* y, int ys, int rows, int columns, Function function)
{
    int row, column, count;
    if (!find_elements(rows, columns, &row, &column, &count))
        return;
    float4 value = load_elements(x + (size_t)row * xs + column, count, is_aligned(x, xs));
    value.x = function(value.x, column);
    value.y = count > 1 ? function(value.y, column + 1) : 0;
    value.z = count > 2 ? function(value.z, column + 2) : 0;
    value.w = count > 3 ? function(value.w, column + 3) : 0;
    store_elements(y + (size_t)row * ys + column, value, count, is_aligned(y, ys));
}

// z = function(x, y).
template <typename Function>
DEVICE void join_elements(const float* x, int xs, const float* y, int ys, float* z, int zs, int rows, int columns, Function function)
{
    int row, column, count;
    if (!find_elements(rows, columns, &row, &column, &count))
        return;
    float4 a = load_elements(x + (size_t)row * xs + column, count, is_aligned(x, xs));
    float4 b = load_elements(y + (size_t)row * ys + column, count, is_aligned(y, ys));
    a = make_float4(function(a.x, b.x), function(a.y, b.y), function(a.z, b.z), function(a.w, b.w));
    store_elements(z + (size_t)row * zs + column, a, count, is_aligned(z, zs));
}

extern "C" __global__ void __launch_bounds__(256) zero(float* y, int ys, int rows, int columns)
{
    int row, column, count;
    if (find_elements(rows, columns, &row, &column, &count))
        store_elements(y + (size_t)row * ys + column, make_float4(0, 0, 0, 0), count, is_aligned(y, ys));
}

extern "C" __global__ void __launch_bounds__(256) copy(const float* x, int xs, float* y, int ys, int rows, int columns)
{
    map_elements(x, xs, y, ys, rows, columns, [](float v, int) { return v; });
}

extern "C" __global__ void __launch_bounds__(256) add(float* x, int xs, const float* y, int ys, int rows, int columns)
{
    join_elements(x, xs, y, ys, x, xs, rows, columns, [](float a, float b) { return __fadd_rn(a, b); });
}

extern "C" __global__ void __launch_bounds__(256) scale(float* x, int xs, float factor, int rows, int columns)
{
    map_elements(x, xs, x, xs, rows, columns, [factor](float v, int) { return v * factor; });
}

extern "C" __global__ void __launch_bounds__(256) swiglu(const float* gate, int gs, const float* up, int us, float* y, int ys, int rows, int columns)
{
    join_elements(gate, gs, up, us, y, ys, rows, columns, [](float g, float u) { return gate_value(g, u); });
}

extern "C" __global__ void __launch_bounds__(256) gelu(const float* x, int xs, float* y, int ys, int rows, int columns)
{
    map_elements(x, xs, y, ys, rows, columns, [](float v, int) { return __fmul_rn(0.5f * v, __fadd_rn(1.0f, erff(__fmul_rn(v, 0.70710678118654752f)))); });
}

extern "C" __global__ void __launch_bounds__(256) elu(const float* x, int xs, float* y, int ys, int rows, int columns)
{
    map_elements(x, xs, y, ys, rows, columns, [](float v, int) { return v > 0 ? v : expm1f(v); });
}

extern "C" __global__ void __launch_bounds__(256) snake(const float* x, int xs, const float* alpha, float* y, int ys, int rows, int columns)
{
    map_elements(x, xs, y, ys, rows, columns, [alpha](float v, int column)
    {
        float a = __ldg(alpha + column), sine = sinf(__fmul_rn(a, v));
        return __fadd_rn(v, __fdiv_rn(__fmul_rn(sine, sine), a + 1e-9f));
    });
}
