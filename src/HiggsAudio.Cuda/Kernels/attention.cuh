// What the kernels of attention are made of: the elements of a cache, a page of keys and values in shared memory, scores, weights and sums,
// and what queries gather from page to page. See attention.cu.
#pragma once
#include "common.cuh"

static constexpr int PageSlots = 64;

DEVICE float negative_infinity() { return __uint_as_float(0xFF800000u); }

// ---- The elements of a cache ----------------------------------------------------------------------------------------------------------

struct Float32Elements
{
    typedef float Type;
    static const bool Scaled = false;
    static DEVICE float read(float value) { return value; }
    static DEVICE float write(float value, float) { return value; }
};

struct BFloat16Elements
{
    typedef unsigned short Type;
    static const bool Scaled = false;
    static DEVICE float read(unsigned short value) { return from_bf16(value); }
    static DEVICE unsigned short write(float value, float) { return to_bf16(value); }
};

struct Int8Elements
{
    typedef signed char Type;
    static const bool Scaled = true;
    static DEVICE float read(signed char value) { return (float)value; }
    static DEVICE signed char write(float value, float inverse) { return (signed char)fminf(fmaxf(rintf(__fmul_rn(value, inverse)), -127.0f), 127.0f); }
};

// The keys of a head in a page; the values and the scales follow.
template <typename Elements>
DEVICE typename Elements::Type* find_keys(unsigned long long page, int layer, int kvHeads, int head, int headDim)
{
    size_t bytes = 2 * PageSlots * (headDim * sizeof(typename Elements::Type) + (Elements::Scaled ? sizeof(float) : 0));
    return (typename Elements::Type*)(page + ((size_t)layer * kvHeads + head) * bytes);
}

template <typename Elements>
DEVICE float* find_scales(typename Elements::Type* keys, int headDim) { return (float*)(keys + 2 * PageSlots * headDim); }

// One of the two halves of a rotated head; rounded as the reference rounds it, so that all devices keep the same key.
DEVICE float rotate(const float* x, const float* rotation, int d, int headDim)
{
    int half = headDim / 2, i = d < half ? d : d - half;
    float cosine = __ldg(rotation + i), sine = __ldg(rotation + half + i);
    return d < half ? __fsub_rn(__fmul_rn(x[i], cosine), __fmul_rn(x[half + i], sine)) : __fadd_rn(__fmul_rn(x[half + i], cosine), __fmul_rn(x[i], sine));
}

// ---- Writing a slot ------------------------------------------------------------------------------------------------------------------

// What the largest magnitude's code of 127 stands for; not a number if a value is not finite.
DEVICE float code_scale(float largest, float odd) { return __fadd_rn(__fdiv_rn(warp_largest(largest), 127.0f), warp_sum(odd)); }

DEVICE float inverse_scale(float scale)
{
    float inverse = __fdiv_rn(1.0f, scale);
    return magnitude(inverse) < 0x7F800000u ? inverse : 0;
}

// Puts the key, rotated, and the value of a head of a row into its slot of a page. By one warp.
template <typename Elements>
DEVICE void append_head(const float* k, const float* v, const float* rotation, typename Elements::Type* keys, int inPage, int headDim)
{
    int lane = threadIdx.x % WarpSize;
    typename Elements::Type* values = keys + (PageSlots + inPage) * headDim;
    float keyInverse = 1, valueInverse = 1;
    if (Elements::Scaled)
    {
        float largestKey = 0, largestValue = 0, oddKey = 0, oddValue = 0;
        for (int d = lane; d < headDim; d += WarpSize)
        {
            float key = rotate(k, rotation, d, headDim), value = v[d];
            largestKey = fmaxf(largestKey, fabsf(key));
            largestValue = fmaxf(largestValue, fabsf(value));
            oddKey += key * 0;
            oddValue += value * 0;
        }
        float keyScale = code_scale(largestKey, oddKey), valueScale = code_scale(largestValue, oddValue);
        keyInverse = inverse_scale(keyScale);
        valueInverse = inverse_scale(valueScale);
        float* scales = find_scales<Elements>(keys, headDim);
        if (lane == 0)
        {
            scales[inPage] = keyScale;
            scales[PageSlots + inPage] = valueScale;
        }
    }
    for (int d = lane; d < headDim; d += WarpSize)
    {
        keys[inPage * headDim + d] = Elements::write(rotate(k, rotation, d, headDim), keyInverse);
        values[d] = Elements::write(v[d], valueInverse);
    }
}

// ---- A page of keys and values against up to Q queries -------------------------------------------------------------------------------

// A block's shared memory. Rows of keys and values are d + 4 floats apart: threads that read 16 bytes of neighbouring rows use all banks.
struct Room
{
    float *keys, *values;           // [64, width]
    float* queries;                 // [Q, width]
    float* weights;                 // [Q, 64]
    float *largest, *sum;           // [Q]
    int width;

    DEVICE Room(int headDim, int queryCount)
    {
        width = (headDim + 3) / 4 * 4 + 4;
        keys = (float*)launch_memory();
        values = keys + PageSlots * width;
        queries = values + PageSlots * width;
        weights = queries + queryCount * width;
        largest = weights + queryCount * PageSlots;
        sum = largest + queryCount;
    }
};

// Sixteen bytes of elements as floats, times a scale if they have one.
DEVICE void widen(uint4 raw, float* to, float, float) { *(uint4*)to = raw; }

DEVICE void widen(uint4 raw, float* to, float, unsigned short)
{
    *(float4*)to = make_float4(low_bf16(raw.x), high_bf16(raw.x), low_bf16(raw.y), high_bf16(raw.y));
    *(float4*)(to + 4) = make_float4(low_bf16(raw.z), high_bf16(raw.z), low_bf16(raw.w), high_bf16(raw.w));
}

DEVICE float4 widen_bytes(unsigned word, float scale)
{
    return make_float4(__fmul_rn((signed char)word, scale), __fmul_rn((signed char)(word >> 8), scale), __fmul_rn((signed char)(word >> 16), scale), __fmul_rn((signed char)(word >> 24), scale));
}

DEVICE void widen(uint4 raw, float* to, float scale, signed char)
{
    *(float4*)to = widen_bytes(raw.x, scale);
    *(float4*)(to + 4) = widen_bytes(raw.y, scale);
    *(float4*)(to + 8) = widen_bytes(raw.z, scale);
    *(float4*)(to + 12) = widen_bytes(raw.w, scale);
}

// Some rows of a head: `count` of them, less those that are hidden; zeros stand for the others, and for what is missing of the last four columns.
template <typename Elements>
struct HeadRows
{
    typedef typename Elements::Type Type;
    static constexpr int Each = 16 / sizeof(Type), Batch = 8;

    const Type* from;
    size_t stride;
    const float* scales;
    int count, headDim;
    unsigned long long hidden;

    DEVICE bool has(int row) const { return row < count && !(hidden >> row & 1); }

    DEVICE bool aligned() const { return headDim % Each == 0 && (((size_t)from | (stride * sizeof(Type))) & 15) == 0; }

    // The i-th sixteen bytes of the page.
    DEVICE void place(int i, int* row, int* at) const
    {
        int perRow = headDim / Each;
        *row = (perRow & (perRow - 1)) == 0 ? i >> (31 - __clz(perRow)) : i / perRow;
        *at = (i - *row * perRow) * Each;
    }

    // Several at a time: a thread waits where it uses what it loads.
    DEVICE void load(int first, uint4 (&raw)[Batch], float (&scale)[Batch]) const
    {
#pragma unroll
        for (int j = 0; j < Batch; j++)
        {
            int row, at;
            place(first + j * blockDim.x, &row, &at);
            raw[j] = has(row) ? *(const uint4*)(from + row * stride + at) : make_uint4(0, 0, 0, 0);
            scale[j] = Elements::Scaled && has(row) ? scales[row] : 0;
        }
    }

    DEVICE void store(int first, const uint4 (&raw)[Batch], const float (&scale)[Batch], float* to, int width) const
    {
#pragma unroll
        for (int j = 0; j < Batch; j++)
        {
            int row, at;
            place(first + j * blockDim.x, &row, &at);
            if (row < PageSlots)
                widen(raw[j], to + row * width + at, scale[j], Type());
        }
    }

    DEVICE void copy(float* to, int width) const
    {
        int padded = width - 4;
        for (int i = threadIdx.x; i < PageSlots * padded; i += blockDim.x)
        {
            int row = i / padded, d = i - row * padded;
            bool there = has(row) && d < headDim;
            float value = there ? Elements::read(from[row * stride + d]) : 0;
            to[row * width + d] = Elements::Scaled && there ? __fmul_rn(value, scales[row]) : value;
        }
    }
};

// Keys and values to shared memory.
template <typename Elements>
DEVICE void load_rows(const HeadRows<Elements>& keys, const HeadRows<Elements>& values, const Room& room)
{
    typedef HeadRows<Elements> Rows;
    if (!keys.aligned() || !values.aligned())
    {
        keys.copy(room.keys, room.width);
        values.copy(room.values, room.width);
        return;
    }
    for (int i = threadIdx.x; i < PageSlots * (keys.headDim / Rows::Each); i += Rows::Batch * blockDim.x)
    {
        uint4 rawKeys[Rows::Batch], rawValues[Rows::Batch];
        float keyScales[Rows::Batch], valueScales[Rows::Batch];
        keys.load(i, rawKeys, keyScales);
        values.load(i, rawValues, valueScales);
        keys.store(i, rawKeys, keyScales, room.keys, room.width);
        values.store(i, rawValues, valueScales, room.values, room.width);
    }
}

// What a query has gathered from pages: a maximum, and sums of weights and of weighted values relative to it.
struct Gathered
{
    float largest, sum, output;

    // Joins what another page gave. The order of the pages is the order of the calls.
    DEVICE void join(float otherLargest, float otherSum, float otherOutput)
    {
        if (otherLargest == negative_infinity())
            return;
        if (largest == negative_infinity())
        {
            largest = otherLargest;
            sum = otherSum;
            output = otherOutput;
            return;
        }
        float both = larger(largest, otherLargest), a = expf(largest - both), b = expf(otherLargest - both);
        sum = fmaf(sum, a, __fmul_rn(otherSum, b));
        output = fmaf(output, a, __fmul_rn(otherOutput, b));
        largest = both;
    }

    DEVICE float result() const { return largest == negative_infinity() ? 0 : __fdiv_rn(output, sum); }
};

// The scores of a page, then weights: room.weights, room.largest and room.sum. limits[query] is the number of slots that a query sees.
template <int Q>
DEVICE void weigh(const Room& room, int queries, const int (&limits)[Q], unsigned long long hidden)
{
    int slot = threadIdx.x % PageSlots, part = threadIdx.x / PageSlots, parts = blockDim.x / PageSlots;
    const float* key = room.keys + slot * room.width;
    float scores[Q / 2];
#pragma unroll
    for (int i = 0; i < Q / 2; i++)
        scores[i] = 0;
    for (int d = 0; d < room.width - 4; d += 4)
    {
        float4 k = *(const float4*)(key + d);
#pragma unroll
        for (int i = 0; i < Q / 2; i++)
        {
            int query = i * parts + part;
            if (query < queries)
            {
                float4 q = *(const float4*)(room.queries + query * room.width + d);
                scores[i] = fmaf(q.x, k.x, fmaf(q.y, k.y, fmaf(q.z, k.z, fmaf(q.w, k.w, scores[i]))));
            }
        }
    }
#pragma unroll
    for (int i = 0; i < Q / 2; i++)
    {
        int query = i * parts + part;
        if (query < queries)
            room.weights[query * PageSlots + slot] = scores[i];
    }
    __syncthreads();
    int lane = threadIdx.x % WarpSize;
#pragma unroll
    for (int query = 0; query < Q; query++)
    {
        if (query >= queries || query % (blockDim.x / WarpSize) != threadIdx.x / WarpSize)
            continue;
        float* weights = room.weights + query * PageSlots;
        bool first = lane < limits[query] && !(hidden >> lane & 1), second = lane + 32 < limits[query] && !(hidden >> (lane + 32) & 1);
        float a = first ? weights[lane] : negative_infinity(), b = second ? weights[lane + 32] : negative_infinity();
        float largest = warp_largest(larger(a, b));
        a = first ? expf(a - largest) : 0;
        b = second ? expf(b - largest) : 0;
        float sum = warp_sum(__fadd_rn(a, b));
        weights[lane] = a;
        weights[lane + 32] = b;
        if (lane == 0)
        {
            room.largest[query] = largest;
            room.sum[query] = sum;
        }
    }
    __syncthreads();
}

// outputs[query] = the sum of weights times values of this thread's feature, in the order of the slots.
template <int Q>
DEVICE void sum_values(const Room& room, int queries, int count, const int (&limits)[Q], float (&outputs)[Q])
{
    const float* values = room.values + threadIdx.x;
    bool whole = true;
#pragma unroll
    for (int query = 0; query < Q; query++)
    {
        outputs[query] = 0;
        whole &= query >= queries || limits[query] >= count;
    }
    int padded = (count + 3) / 4 * 4;
    if (whole)
        for (int slot = 0; slot < padded; slot += 4)
        {
            float v0 = values[slot * room.width], v1 = values[(slot + 1) * room.width], v2 = values[(slot + 2) * room.width], v3 = values[(slot + 3) * room.width];
#pragma unroll
            for (int query = 0; query < Q; query++)
                if (query < queries)
                {
                    float4 w = *(const float4*)(room.weights + query * PageSlots + slot);
                    outputs[query] = fmaf(w.w, v3, fmaf(w.z, v2, fmaf(w.y, v1, fmaf(w.x, v0, outputs[query]))));
                }
        }
    else
        // A slot that another query sees may hold what is not a number.
        for (int slot = 0; slot < count; slot++)
        {
            float v = values[slot * room.width];
#pragma unroll
            for (int query = 0; query < Q; query++)
                if (query < queries && slot < limits[query])
                    outputs[query] = fmaf(room.weights[query * PageSlots + slot], v, outputs[query]);
        }
}

// The queries of a block: `heads` neighbouring heads, which read one head of keys and values, of `rows` neighbouring rows of a sequence.
struct Queries
{
    int firstRow, rows, head, heads, firstHead, count;

    DEVICE int row(int query) const { return firstRow + query / heads; }

    DEVICE int query_head(int query) const { return firstHead + query % heads; }
};

// Rotated and scaled, to shared memory.
DEVICE void load_queries(const Room& room, const Queries& queries, const float* q, int qs, const float* rotation, int headDim)
{
    float factor = __fdiv_rn(1.0f, __fsqrt_rn((float)headDim));
    int padded = room.width - 4;
    for (int i = threadIdx.x; i < queries.count * padded; i += blockDim.x)
    {
        int query = i / padded, d = i - query * padded, row = queries.row(query);
        const float* x = q + (size_t)row * qs + queries.query_head(query) * headDim;
        room.queries[query * room.width + d] = d < headDim ? __fmul_rn(rotate(x, rotation + (size_t)row * headDim, d, headDim), factor) : 0;
    }
}

// What the queries gather from the pages `page` to endPage - 1.
template <typename Elements, int Q>
DEVICE void gather(const Room& room, const Queries& queries, const int* slots, const unsigned long long* pages, const unsigned long long* hidden, int page, int endPage, int lastSlot,
    int layer, int kvHeads, int headDim, Gathered (&gathered)[Q])
{
    int seen[Q];
#pragma unroll
    for (int query = 0; query < Q; query++)
    {
        seen[query] = query < queries.count ? slots[queries.row(query)] + 1 : 0;
        gathered[query].largest = negative_infinity();
        gathered[query].sum = gathered[query].output = 0;
    }
    for (; page < endPage; page++)
    {
        int count = min(PageSlots, lastSlot + 1 - page * PageSlots);
        unsigned long long mask = hidden ? hidden[page] : 0;
        typename Elements::Type* keys = find_keys<Elements>(pages[page], layer, kvHeads, queries.head, headDim);
        const float* scales = find_scales<Elements>(keys, headDim);
        HeadRows<Elements> keyRows = { keys, (size_t)headDim, scales, count, headDim, mask };
        HeadRows<Elements> valueRows = { keys + PageSlots * headDim, (size_t)headDim, scales + PageSlots, count, headDim, mask };
        load_rows(keyRows, valueRows, room);
        __syncthreads();
        int limits[Q];
#pragma unroll
        for (int query = 0; query < Q; query++)
            limits[query] = max(0, min(PageSlots, seen[query] - page * PageSlots));
        weigh<Q>(room, queries.count, limits, mask);
        float outputs[Q];
        if ((int)threadIdx.x < headDim)
        {
            sum_values<Q>(room, queries.count, count, limits, outputs);
#pragma unroll
            for (int query = 0; query < Q; query++)
                if (query < queries.count)
                    gathered[query].join(room.largest[query], room.sum[query], outputs[query]);
        }
        __syncthreads();
    }
}

// Joins a query's pages.
DEVICE float combine(const float* partials, int pages, int headDim)
{
    Gathered gathered = { negative_infinity(), 0, 0 };
    for (int page = 0; page < pages; page++, partials += headDim + 2)
        gathered.join(__ldcg(partials + headDim), __ldcg(partials + headDim + 1), __ldcg(partials + threadIdx.x));
    return gathered.result();
}
