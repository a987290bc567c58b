// Rows of tables. Grid and block as in elementwise.cu: E(rows, columns); every thread has four columns of one row.
//
//   embed_f32 | embed_bf16(table, ts, ids [rows], y, ys, rows, columns)                                y = table[id], zeros for id -1
//   embed_sum_f32 | embed_sum_bf16(table, ts, ids [rows * perRow], perRow, divisor, y, ys, rows, columns)   y = sum over the row's ids / divisor
//   take_rows(x, xs, indices [rows], y, ys, rows, columns)                                             y = x[index]
//
// table: [entries, ts] of float or bfloat16.
#include "common.cuh"

template <typename T>
DEVICE void embed_rows(const T* table, int ts, const int* ids, float* y, int ys, int rows, int columns)
{
    int row = blockIdx.x * blockDim.y + threadIdx.y, first = 4 * (blockIdx.y * blockDim.x + threadIdx.x);
    if (row >= rows)
        return;
    int id = ids[row];
    for (int c = first; c < first + 4 && c < columns; c++)
        y[(size_t)row * ys + c] = id < 0 ? 0 : load_element(table, (size_t)id * ts + c);
}

template <typename T>
DEVICE void embed_sums(const T* table, int ts, const int* ids, int perRow, float divisor, float* y, int ys, int rows, int columns)
{
    int row = blockIdx.x * blockDim.y + threadIdx.y, first = 4 * (blockIdx.y * blockDim.x + threadIdx.x);
    if (row >= rows)
        return;
    float sums[4] = { 0, 0, 0, 0 };
    for (int i = 0; i < perRow; i++)
    {
        size_t entry = (size_t)ids[(size_t)row * perRow + i] * ts;
        for (int j = 0; j < 4; j++)
            if (first + j < columns)
                sums[j] += load_element(table, entry + first + j);
    }
    for (int j = 0; j < 4; j++)
        if (first + j < columns)
            y[(size_t)row * ys + first + j] = __fdiv_rn(sums[j], divisor);
}

extern "C" __global__ void __launch_bounds__(256) embed_f32(const float* table, int ts, const int* ids, float* y, int ys, int rows, int columns)
{
    embed_rows(table, ts, ids, y, ys, rows, columns);
}

extern "C" __global__ void __launch_bounds__(256) embed_bf16(const unsigned short* table, int ts, const int* ids, float* y, int ys, int rows, int columns)
{
    embed_rows(table, ts, ids, y, ys, rows, columns);
}

extern "C" __global__ void __launch_bounds__(256) embed_sum_f32(const float* table, int ts, const int* ids, int perRow, float divisor, float* y, int ys, int rows, int columns)
{
    embed_sums(table, ts, ids, perRow, divisor, y, ys, rows, columns);
}

extern "C" __global__ void __launch_bounds__(256) embed_sum_bf16(const unsigned short* table, int ts, const int* ids, int perRow, float divisor, float* y, int ys, int rows, int columns)
{
    embed_sums(table, ts, ids, perRow, divisor, y, ys, rows, columns);
}

extern "C" __global__ void __launch_bounds__(256) take_rows(const float* x, int xs, const int* indices, float* y, int ys, int rows, int columns)
{
    int row = blockIdx.x * blockDim.y + threadIdx.y, first = 4 * (blockIdx.y * blockDim.x + threadIdx.x);
    if (row >= rows)
        return;
    const float* from = x + (size_t)indices[row] * xs;
    for (int c = first; c < first + 4 && c < columns; c++)
        y[(size_t)row * ys + c] = from[c];
}
