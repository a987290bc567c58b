// Attention over caches of pages and over whole clips. A page has 64 slots of all layers: [layer][kvHead] of keys [64][headDim], values
// [64][headDim], and with 8 bits the scales of the keys and of the values [64] each, as floats.
//
//   append_f32 | append_bf16 | append_int8(k, ks, v, vs, rotation, slots, rowSequences, pages, pageStride, layer, kvHeads, headDim)
//     rotates k, and puts k and v into the rows' slots: grid (rows, ceil(kvHeads / 4)), block 128
//   attend_F_q4 | attend_F_q16(q, qs, rotation, slots, rowSequences, pages, hidden, pageStride, tasks, layer, kvHeads, group, headDim, y, ys, partials)
//     F = f32, bf16, int8; Q = 4 or 16. A task (first row, rows) is at most max(1, Q / min(group, Q)) neighbouring rows of one sequence.
//     grid (tasks, kvHeads * ceil(group / Q), splits), block 128 if headDim <= 128, 256 if <= 256,
//     launch memory 4 * (2 * 64 * (d + 4) + Q * (d + 4) + Q * 64 + 2 * Q) bytes, d = headDim rounded up to 4
//     splits = 1: every block walks over all pages and writes y. Else (at least the largest slot / 64 + 1; more do nothing) a page each, to
//     partials [rows, heads, splits, headDim + 2] floats, for attend_combine.
//   attend_combine(partials, slots, splits, heads, headDim, y, ys)
//     grid (rows, heads), block 128 or 256 as above
//   decode_F(q, qs, k, ks, v, vs, rotation, slots, rowSequences, pages, hidden, pageStride, layer, kvHeads, group, headDim, y, ys, partials, finished)
//     append, attend and combine of rows that are all of different sequences, with group <= 4: grid (rows, kvHeads, splits), block and launch
//     memory as for attend with Q = 4; splits >= the largest slot / 64 + 1; finished [rows * kvHeads]: zeros, and zeros again afterwards
//   self_attend(q, qs, k, ks, v, vs, rows, heads, headDim, y, ys)
//     all rows attend to all: grid (ceil(rows / 16), heads), block and launch memory as for attend with Q = 16
//
// rotation [rows, headDim]: cosines, then sines, of each row's position. slots, rowSequences [rows]. pages [sequences, pageStride]: addresses.
// hidden [sequences, pageStride]: bit s of a word is set where no row attends to the page's slot s; or 0 if there is none.
// y may be q, exactly.
//
// The numbers of a row and head depend on nothing but its slots: pages give a maximum, a sum and outputs each, in a fixed order of
// additions, and these are joined in the order of the pages, whether by one block or by attend_combine.
#include "attention.cuh"

// ---- append -------------------------------------------------------------------------------------------------------------------------

// A warp has a head of a row.
template <typename Elements>
DEVICE void append(const float* k, int ks, const float* v, int vs, const float* rotation, const int* slots, const int* rowSequences, const unsigned long long* pages, int pageStride,
    int layer, int kvHeads, int headDim)
{
    int row = blockIdx.x, head = blockIdx.y * 4 + threadIdx.x / WarpSize;
    if (head >= kvHeads)
        return;
    int slot = slots[row];
    typename Elements::Type* keys = find_keys<Elements>(pages[(size_t)rowSequences[row] * pageStride + slot / PageSlots], layer, kvHeads, head, headDim);
    append_head<Elements>(k + (size_t)row * ks + head * headDim, v + (size_t)row * vs + head * headDim, rotation + (size_t)row * headDim, keys, slot % PageSlots, headDim);
}

extern "C" __global__ void __launch_bounds__(128) append_f32(const float* k, int ks, const float* v, int vs, const float* rotation, const int* slots, const int* rowSequences,
    const unsigned long long* pages, int pageStride, int layer, int kvHeads, int headDim)
{
    append<Float32Elements>(k, ks, v, vs, rotation, slots, rowSequences, pages, pageStride, layer, kvHeads, headDim);
}

extern "C" __global__ void __launch_bounds__(128) append_bf16(const float* k, int ks, const float* v, int vs, const float* rotation, const int* slots, const int* rowSequences,
    const unsigned long long* pages, int pageStride, int layer, int kvHeads, int headDim)
{
    append<BFloat16Elements>(k, ks, v, vs, rotation, slots, rowSequences, pages, pageStride, layer, kvHeads, headDim);
}

extern "C" __global__ void __launch_bounds__(128) append_int8(const float* k, int ks, const float* v, int vs, const float* rotation, const int* slots, const int* rowSequences,
    const unsigned long long* pages, int pageStride, int layer, int kvHeads, int headDim)
{
    append<Int8Elements>(k, ks, v, vs, rotation, slots, rowSequences, pages, pageStride, layer, kvHeads, headDim);
}

// ---- attend -------------------------------------------------------------------------------------------------------------------------

// One page's part of [rows, heads, splits, headDim + 2].
DEVICE void store_partial(const Gathered& gathered, float* partials, size_t row, int allHeads, int head, int headDim)
{
    float* partial = partials + ((row * allHeads + head) * gridDim.z + blockIdx.z) * (headDim + 2);
    partial[threadIdx.x] = gathered.output;
    if (threadIdx.x == 0)
    {
        partial[headDim] = gathered.largest;
        partial[headDim + 1] = gathered.sum;
    }
}

template <typename Elements, int Q>
DEVICE void attend(const float* q, int qs, const float* rotation, const int* slots, const int* rowSequences, const unsigned long long* pages, const unsigned long long* hidden, int pageStride,
    const int2* tasks, int layer, int kvHeads, int group, int headDim, float* y, int ys, float* partials)
{
    Room room(headDim, Q);
    int firstOfGroup = blockIdx.y / kvHeads * Q;
    Queries queries;
    queries.firstRow = tasks[blockIdx.x].x;
    queries.rows = tasks[blockIdx.x].y;
    queries.head = blockIdx.y % kvHeads;
    queries.heads = min(Q, group - firstOfGroup);
    queries.firstHead = queries.head * group + firstOfGroup;
    queries.count = queries.rows * queries.heads;
    int lastSlot = 0;
    for (int r = 0; r < queries.rows; r++)
        lastSlot = max(lastSlot, slots[queries.firstRow + r]);
    int page = gridDim.z == 1 ? 0 : blockIdx.z, endPage = gridDim.z == 1 ? lastSlot / PageSlots + 1 : blockIdx.z + 1;
    if (page * PageSlots > lastSlot)
        return;
    size_t sequence = (size_t)rowSequences[queries.firstRow] * pageStride;
    load_queries(room, queries, q, qs, rotation, headDim);
    Gathered gathered[Q];
    gather<Elements, Q>(room, queries, slots, pages + sequence, hidden ? hidden + sequence : 0, page, endPage, lastSlot, layer, kvHeads, headDim, gathered);
    if ((int)threadIdx.x >= headDim)
        return;
#pragma unroll
    for (int query = 0; query < Q; query++)
        if (query < queries.count)
        {
            size_t row = queries.row(query);
            int head = queries.query_head(query);
            if (gridDim.z == 1)
                y[row * ys + head * headDim + threadIdx.x] = gathered[query].result();
            else
                store_partial(gathered[query], partials, row, kvHeads * group, head, headDim);
        }
}

extern "C" __global__ void __launch_bounds__(256) attend_f32_q4(const float* q, int qs, const float* rotation, const int* slots, const int* rowSequences, const unsigned long long* pages,
    const unsigned long long* hidden, int pageStride, const int2* tasks, int layer, int kvHeads, int group, int headDim, float* y, int ys, float* partials)
{
    attend<Float32Elements, 4>(q, qs, rotation, slots, rowSequences, pages, hidden, pageStride, tasks, layer, kvHeads, group, headDim, y, ys, partials);
}

extern "C" __global__ void __launch_bounds__(256) attend_f32_q16(const float* q, int qs, const float* rotation, const int* slots, const int* rowSequences, const unsigned long long* pages,
    const unsigned long long* hidden, int pageStride, const int2* tasks, int layer, int kvHeads, int group, int headDim, float* y, int ys, float* partials)
{
    attend<Float32Elements, 16>(q, qs, rotation, slots, rowSequences, pages, hidden, pageStride, tasks, layer, kvHeads, group, headDim, y, ys, partials);
}

extern "C" __global__ void __launch_bounds__(256) attend_bf16_q4(const float* q, int qs, const float* rotation, const int* slots, const int* rowSequences, const unsigned long long* pages,
    const unsigned long long* hidden, int pageStride, const int2* tasks, int layer, int kvHeads, int group, int headDim, float* y, int ys, float* partials)
{
    attend<BFloat16Elements, 4>(q, qs, rotation, slots, rowSequences, pages, hidden, pageStride, tasks, layer, kvHeads, group, headDim, y, ys, partials);
}

extern "C" __global__ void __launch_bounds__(256) attend_bf16_q16(const float* q, int qs, const float* rotation, const int* slots, const int* rowSequences, const unsigned long long* pages,
    const unsigned long long* hidden, int pageStride, const int2* tasks, int layer, int kvHeads, int group, int headDim, float* y, int ys, float* partials)
{
    attend<BFloat16Elements, 16>(q, qs, rotation, slots, rowSequences, pages, hidden, pageStride, tasks, layer, kvHeads, group, headDim, y, ys, partials);
}

extern "C" __global__ void __launch_bounds__(256) attend_int8_q4(const float* q, int qs, const float* rotation, const int* slots, const int* rowSequences, const unsigned long long* pages,
    const unsigned long long* hidden, int pageStride, const int2* tasks, int layer, int kvHeads, int group, int headDim, float* y, int ys, float* partials)
{
    attend<Int8Elements, 4>(q, qs, rotation, slots, rowSequences, pages, hidden, pageStride, tasks, layer, kvHeads, group, headDim, y, ys, partials);
}

extern "C" __global__ void __launch_bounds__(256) attend_int8_q16(const float* q, int qs, const float* rotation, const int* slots, const int* rowSequences, const unsigned long long* pages,
    const unsigned long long* hidden, int pageStride, const int2* tasks, int layer, int kvHeads, int group, int headDim, float* y, int ys, float* partials)
{
    attend<Int8Elements, 16>(q, qs, rotation, slots, rowSequences, pages, hidden, pageStride, tasks, layer, kvHeads, group, headDim, y, ys, partials);
}

extern "C" __global__ void __launch_bounds__(256) attend_combine(const float* partials, const int* slots, int splits, int heads, int headDim, float* y, int ys)
{
    int row = blockIdx.x, head = blockIdx.y, pages = slots[row] / PageSlots + 1;
    if ((int)threadIdx.x >= headDim)
        return;
    y[(size_t)row * ys + head * headDim + threadIdx.x] = combine(partials + ((size_t)row * heads + head) * splits * (headDim + 2), pages, headDim);
}

// ---- decode -------------------------------------------------------------------------------------------------------------------------

// append, attend and attend_combine of rows of different sequences in one launch: the block of a row's last page appends, and the last block of
// a row and head to finish combines.
template <typename Elements>
DEVICE void decode(const float* q, int qs, const float* k, int ks, const float* v, int vs, const float* rotation, const int* slots, const int* rowSequences, const unsigned long long* pages,
    const unsigned long long* hidden, int pageStride, int layer, int kvHeads, int group, int headDim, float* y, int ys, float* partials, unsigned* finished)
{
    const int Q = 4;
    __shared__ unsigned ticket;
    Room room(headDim, Q);
    int row = blockIdx.x, head = blockIdx.y, slot = slots[row], page = blockIdx.z, count = slot / PageSlots + 1;
    if (page >= count)
        return;
    Queries queries = { row, 1, head, group, head * group, group };
    size_t sequence = (size_t)rowSequences[row] * pageStride;
    if (page == count - 1 && threadIdx.x < WarpSize)
        append_head<Elements>(k + (size_t)row * ks + head * headDim, v + (size_t)row * vs + head * headDim, rotation + (size_t)row * headDim,
            find_keys<Elements>(pages[sequence + page], layer, kvHeads, head, headDim), slot % PageSlots, headDim);
    load_queries(room, queries, q, qs, rotation, headDim);
    __syncthreads();
    Gathered gathered[Q];
    gather<Elements, Q>(room, queries, slots, pages + sequence, hidden ? hidden + sequence : 0, page, page + 1, slot, layer, kvHeads, headDim, gathered);
#pragma unroll
    for (int query = 0; query < Q; query++)
        if (query < group && (int)threadIdx.x < headDim)
            store_partial(gathered[query], partials, row, kvHeads * group, head * group + query, headDim);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        ticket = atomicInc(finished + (size_t)row * kvHeads + head, count - 1);       // the last one leaves 0 for the next launch
    __syncthreads();
    if ((int)ticket < count - 1)
        return;
    __threadfence();
    for (int query = 0; query < group && (int)threadIdx.x < headDim; query++)
        y[(size_t)row * ys + (head * group + query) * headDim + threadIdx.x] =
            combine(partials + ((size_t)row * kvHeads + head) * group * gridDim.z * (headDim + 2) + (size_t)query * gridDim.z * (headDim + 2), count, headDim);
}

extern "C" __global__ void __launch_bounds__(256) decode_f32(const float* q, int qs, const float* k, int ks, const float* v, int vs, const float* rotation, const int* slots, const int* rowSequences,
    const unsigned long long* pages, const unsigned long long* hidden, int pageStride, int layer, int kvHeads, int group, int headDim, float* y, int ys, float* partials, unsigned* finished)
{
    decode<Float32Elements>(q, qs, k, ks, v, vs, rotation, slots, rowSequences, pages, hidden, pageStride, layer, kvHeads, group, headDim, y, ys, partials, finished);
}

extern "C" __global__ void __launch_bounds__(256) decode_bf16(const float* q, int qs, const float* k, int ks, const float* v, int vs, const float* rotation, const int* slots, const int* rowSequences,
    const unsigned long long* pages, const unsigned long long* hidden, int pageStride, int layer, int kvHeads, int group, int headDim, float* y, int ys, float* partials, unsigned* finished)
{
    decode<BFloat16Elements>(q, qs, k, ks, v, vs, rotation, slots, rowSequences, pages, hidden, pageStride, layer, kvHeads, group, headDim, y, ys, partials, finished);
}

extern "C" __global__ void __launch_bounds__(256) decode_int8(const float* q, int qs, const float* k, int ks, const float* v, int vs, const float* rotation, const int* slots, const int* rowSequences,
    const unsigned long long* pages, const unsigned long long* hidden, int pageStride, int layer, int kvHeads, int group, int headDim, float* y, int ys, float* partials, unsigned* finished)
{
    decode<Int8Elements>(q, qs, k, ks, v, vs, rotation, slots, rowSequences, pages, hidden, pageStride, layer, kvHeads, group, headDim, y, ys, partials, finished);
}

// ---- self_attend --------------------------------------------------------------------------------------------------------------------

extern "C" __global__ void __launch_bounds__(256) self_attend(const float* q, int qs, const float* k, int ks, const float* v, int vs, int rows, int heads, int headDim, float* y, int ys)
{
    const int Q = 16;
    Room room(headDim, Q);
    int firstRow = blockIdx.x * Q, queries = min(Q, rows - firstRow), head = blockIdx.y * headDim;
    float factor = __fdiv_rn(1.0f, __fsqrt_rn((float)headDim));
    for (int i = threadIdx.x; i < queries * (room.width - 4); i += blockDim.x)
    {
        int query = i / (room.width - 4), d = i - query * (room.width - 4);
        room.queries[query * room.width + d] = d < headDim ? __fmul_rn(q[(size_t)(firstRow + query) * qs + head + d], factor) : 0;
    }
    Gathered gathered[Q];
#pragma unroll
    for (int query = 0; query < Q; query++)
    {
        gathered[query].largest = negative_infinity();
        gathered[query].sum = gathered[query].output = 0;
    }
    for (int first = 0; first < rows; first += PageSlots)
    {
        int count = min(PageSlots, rows - first), limits[Q];
        HeadRows<Float32Elements> keys = { k + (size_t)first * ks + head, (size_t)ks, 0, count, headDim, 0 };
        HeadRows<Float32Elements> values = { v + (size_t)first * vs + head, (size_t)vs, 0, count, headDim, 0 };
        load_rows(keys, values, room);
        __syncthreads();
#pragma unroll
        for (int query = 0; query < Q; query++)
            limits[query] = count;
        weigh<Q>(room, queries, limits, 0);
        float outputs[Q];
        if ((int)threadIdx.x < headDim)
        {
            sum_values<Q>(room, queries, count, limits, outputs);
#pragma unroll
            for (int query = 0; query < Q; query++)
                if (query < queries)
                    gathered[query].join(room.largest[query], room.sum[query], outputs[query]);
        }
        __syncthreads();
    }
    if ((int)threadIdx.x < headDim)
#pragma unroll
        for (int query = 0; query < Q; query++)
            if (query < queries)
                y[(size_t)(firstRow + query) * ys + head + threadIdx.x] = gathered[query].result();
}
