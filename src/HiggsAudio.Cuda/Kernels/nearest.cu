// The nearest entry of a table: the largest -(|x|^2 - 2 x.e + |e|^2), every operation rounded, the first of equals.
//
//   nearest_row_f32 | nearest_row_bf16(x, xs, table, ts, entries, columns, indices [rows])
//     grid rows, block 256, launch memory columns * 4 bytes
//
// A block has one row of x, a warp an entry at a time.
#include "common.cuh"

template <typename T>
DEVICE void find_nearest(const float* x, int xs, const T* table, int ts, int entries, int columns, int* indices)
{
    __shared__ float room[8], bestScores[8];
    __shared__ int bestEntries[8];
    float* row = (float*)launch_memory();
    int lane = threadIdx.x % WarpSize, warp = threadIdx.x / WarpSize;
    float norm = 0;
    for (int c = threadIdx.x; c < columns; c += blockDim.x)
    {
        row[c] = x[(size_t)blockIdx.x * xs + c];
        norm = fmaf(row[c], row[c], norm);
    }
    norm = block_sum(norm, room);

    float best = -__uint_as_float(0x7F800000u);
    int found = 0;
    for (int entry = warp; entry < entries; entry += 8)
    {
        float product = 0, square = 0;
        for (int c = lane; c < columns; c += WarpSize)
        {
            float e = load_element(table, (size_t)entry * ts + c);
            product = fmaf(row[c], e, product);
            square = fmaf(e, e, square);
        }
        product = warp_sum(product);
        square = warp_sum(square);
        float score = -__fadd_rn(__fsub_rn(norm, __fadd_rn(product, product)), square);
        if (score > best)
        {
            best = score;
            found = entry;
        }
    }
    if (lane == 0)
    {
        bestScores[warp] = best;
        bestEntries[warp] = found;
    }
    __syncthreads();
    if (threadIdx.x > 0)
        return;
    for (int w = 1; w < 8; w++)
        if (bestScores[w] > best || (bestScores[w] == best && bestEntries[w] < found))
        {
            best = bestScores[w];
            found = bestEntries[w];
        }
    indices[blockIdx.x] = found;
}

extern "C" __global__ void __launch_bounds__(256) nearest_row_f32(const float* x, int xs, const float* table, int ts, int entries, int columns, int* indices)
{
    find_nearest(x, xs, table, ts, entries, columns, indices);
}

extern "C" __global__ void __launch_bounds__(256) nearest_row_bf16(const float* x, int xs, const unsigned short* table, int ts, int entries, int columns, int* indices)
{
    find_nearest(x, xs, table, ts, entries, columns, indices);
}
