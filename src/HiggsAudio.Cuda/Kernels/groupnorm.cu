// Normalisation of groups of columns over all rows (arXiv:1803.08494), in three kernels. Sums are in double precision and of distances
// from the first row, so they can be joined in any number of sections without losing precision far from 0.
//
//   group_norm_sums(x, xs, rows, columns, sectionRows, sums)     sums [sections, 2, columns] double: of distances, of their squares
//     grid (ceil(columns / 32), sections = ceil(rows / sectionRows)), block (32, 8)
//   group_norm_join(x, sums, rows, columns, groups, sections, gain, epsilon, factors)
//     factors [3, columns]: the mean in two parts, the scale times the gain; grid groups, block 256
//   group_norm_apply(x, xs, factors, bias, y, ys, rows, columns)     grid and block as in elementwise.cu; y may be x
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(256) group_norm_sums(const float* x, int xs, int rows, int columns, int sectionRows, double* sums)
{
    __shared__ double room[2][8][32];
    int column = blockIdx.x * 32 + threadIdx.x, first = blockIdx.y * sectionRows, end = min(rows, first + sectionRows);
    double sum = 0, squares = 0;
    if (column < columns)
    {
        float origin = x[column];
        for (int row = first + threadIdx.y; row < end; row += 8)
        {
            double distance = (double)x[(size_t)row * xs + column] - origin;
            sum += distance;
            squares += distance * distance;
        }
    }
    room[0][threadIdx.y][threadIdx.x] = sum;
    room[1][threadIdx.y][threadIdx.x] = squares;
    __syncthreads();
    if (threadIdx.y < 2 && column < columns)
    {
        double total = 0;
        for (int i = 0; i < 8; i++)
            total += room[threadIdx.y][i][threadIdx.x];
        sums[((size_t)blockIdx.y * 2 + threadIdx.y) * columns + column] = total;
    }
}

extern "C" __global__ void __launch_bounds__(256) group_norm_join(const float* x, const double* sums, int rows, int columns, int groups, int sections, const float* gain, float epsilon, float* factors)
{
    __shared__ double room[8];
    int size = columns / groups, first = blockIdx.x * size;
    double sum = 0, count = (double)rows * size;
    for (int i = threadIdx.x; i < size; i += blockDim.x)
    {
        sum += (double)x[first + i] * rows;
        for (int s = 0; s < sections; s++)
            sum += sums[(size_t)s * 2 * columns + first + i];
    }
    double mean = block_sum(sum, room) / count, squares = 0;
    for (int i = threadIdx.x; i < size; i += blockDim.x)
    {
        double offset = x[first + i] - mean, distances = 0;
        for (int s = 0; s < sections; s++)
        {
            distances += sums[(size_t)s * 2 * columns + first + i];
            squares += sums[((size_t)s * 2 + 1) * columns + first + i];
        }
        squares += 2 * offset * distances + offset * offset * rows;
    }
    double variance = block_sum(squares, room) / count;
    double factor = 1.0 / sqrt((variance > 0 || variance != variance ? variance : 0.0) + epsilon);
    float near = (float)mean;
    for (int i = threadIdx.x; i < size; i += blockDim.x)
    {
        factors[first + i] = near;
        factors[columns + first + i] = (float)(mean - near);
        factors[2 * columns + first + i] = (float)(factor * __ldg(gain + first + i));
    }
}

extern "C" __global__ void __launch_bounds__(256) group_norm_apply(const float* x, int xs, const float* factors, const float* bias, float* y, int ys, int rows, int columns)
{
    int row = blockIdx.x * blockDim.y + threadIdx.y, first = 4 * (blockIdx.y * blockDim.x + threadIdx.x);
    if (row >= rows)
        return;
    for (int c = first; c < first + 4 && c < columns; c++)
    {
        float distance = x[(size_t)row * xs + c] - __ldg(factors + c) - __ldg(factors + columns + c);
        y[(size_t)row * ys + c] = fmaf(distance, __ldg(factors + 2 * columns + c), __ldg(bias + c));
    }
}
