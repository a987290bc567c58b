// What all kernels share. NVRTC compiles it without any header; the tests' emulator and clang bring declarations of what NVRTC has built in.
#pragma once

#define DEVICE __device__ __forceinline__

static constexpr int WarpSize = 32;
static constexpr int BlockInputs = 32;          // inputs that share a scale in quantized weights and rows

// ---- bfloat16: the upper half of a float --------------------------------------------------------------------------------------------

DEVICE float from_bf16(unsigned short bits) { return __uint_as_float((unsigned)bits << 16); }

DEVICE float low_bf16(unsigned pair) { return __uint_as_float(pair << 16); }

DEVICE float high_bf16(unsigned pair) { return __uint_as_float(pair & 0xFFFF0000u); }

// To nearest, ties to even; what is not a number stays one.
DEVICE unsigned short to_bf16(float value)
{
    unsigned bits = __float_as_uint(value);
    if (value != value)
        return (unsigned short)((bits >> 16) | 0x40);
    return (unsigned short)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// ---- Tables and vectors -------------------------------------------------------------------------------------------------------------

DEVICE float load_element(const float* table, size_t index) { return __ldg(table + index); }

DEVICE float load_element(const unsigned short* table, size_t index) { return from_bf16(__ldg(table + index)); }

DEVICE bool is_aligned(const void* address, int stride) { return (((size_t)address & 15) | (stride & 3)) == 0; }

// ---- Sums of a warp and a block: the same order whatever is summed --------------------------------------------------------------------
// Where kernels must agree bit by bit, no multiplication is left for the compiler to join with an addition as it likes: all are __fmul_rn,
// __fadd_rn or fmaf.

DEVICE float add_exactly(float a, float b) { return __fadd_rn(a, b); }

DEVICE double add_exactly(double a, double b) { return __dadd_rn(a, b); }

template <typename T> DEVICE T warp_sum(T value)
{
    for (int distance = 16; distance > 0; distance >>= 1)
        value = add_exactly(value, __shfl_xor_sync(0xFFFFFFFFu, value, distance));
    return value;
}

// The larger; what is not a number wins.
DEVICE float larger(float a, float b) { return a > b || a != a ? a : b; }

DEVICE float warp_largest(float value)
{
    for (int distance = 16; distance > 0; distance >>= 1)
        value = larger(value, __shfl_xor_sync(0xFFFFFFFFu, value, distance));
    return value;
}

// Every thread gets the sum over a block of whole warps. `room` is shared memory for one value per warp.
template <typename T> DEVICE T block_sum(T value, T* room)
{
    int warp = threadIdx.x / WarpSize, warps = blockDim.x / WarpSize;
    value = warp_sum(value);
    __syncthreads();
    if (threadIdx.x % WarpSize == 0)
        room[warp] = value;
    __syncthreads();
    T sum = 0;
    for (int w = 0; w < warps; w++)
        sum = add_exactly(sum, room[w]);
    return sum;
}

// ---- Quantized rows -----------------------------------------------------------------------------------------------------------------

// Adding it to a small number leaves the number, rounded to even, in the lowest bits. As an integer: the bits of the same float.
static constexpr float Rounder = 12582912.0f;
static constexpr int RounderBits = 0x4B400000;

// From the largest magnitude of 32 values (as bits, so that what is not a number wins): the factor for codes of -127 ... 127, and the scale.
DEVICE float code_factor(unsigned largestBits, float* scale)
{
    float largest = __uint_as_float(largestBits), inverse = __fdiv_rn(127.0f, largest);
    bool finite = largestBits < 0x7F800000u, usable = finite && __float_as_uint(inverse) < 0x7F800000u;
    *scale = usable ? __fdiv_rn(largest, 127.0f) : finite ? 0.0f : __uint_as_float(0x7FC00000u);
    return usable ? inverse : 0.0f;
}

DEVICE unsigned code_word(float value, float factor) { return __float_as_uint(__fadd_rn(__fmul_rn(value, factor), Rounder)); }

// Four codes, the first in the lowest byte.
DEVICE unsigned pack_codes(float a, float b, float c, float d, float factor)
{
    unsigned low = __byte_perm(code_word(a, factor), code_word(b, factor), 0x0040);
    unsigned high = __byte_perm(code_word(c, factor), code_word(d, factor), 0x0040);
    return __byte_perm(low, high, 0x5410);
}

DEVICE unsigned magnitude(float value) { return __float_as_uint(value) & 0x7FFFFFFFu; }

// silu(gate) * up.
DEVICE float gate_value(float gate, float up) { return __fmul_rn(__fdiv_rn(gate, __fadd_rn(1.0f, expf(-gate))), up); }

// ---- Tensor cores -------------------------------------------------------------------------------------------------------------------
// In a warp, thread = 4 * g + t. a: rows g and g + 8 of 16, b: column g of 8, c: rows g and g + 8, columns 2t and 2t + 1 of [16, 8].

#ifndef CUDA_EMULATOR
// c += a [16, 16] * b [16, 8], of bfloat16 pairs: a = (g; 2t), (g + 8; 2t), (g; 2t + 8), (g + 8; 2t + 8), b = (2t; g), (2t + 8; g).
DEVICE void mma_bf16(float (&c)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// d = a [16, 32] * b [32, 8] + start, of signed bytes: a = (g; 4t), (g + 8; 4t), (g; 4t + 16), (g + 8; 4t + 16), b = (4t; g), (4t + 16; g).
DEVICE void mma_s8(int (&d)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1, int start)
{
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %10, %10, %10};"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1), "r"(start));
}

// Shared memory whose size the launch gives.
DEVICE char* launch_memory()
{
    extern __shared__ uint4 launchMemory[];
    return (char*)launchMemory;
}
#endif
