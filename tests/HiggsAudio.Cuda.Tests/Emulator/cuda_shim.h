// CUDA C++ for a host compiler: what NVRTC has built in, as far as the kernels use it. Included in front of every program.
#pragma once
#define CUDA_EMULATOR 1

#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>
#include "emulator.h"

#define __device__
#define __host__
#define __global__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __constant__ static const
#define __shared__ static
#define __launch_bounds__(...)

// In the section of initialised data: the other one is shared memory.
__attribute__((section(".data"), used)) static emulator::Runtime* emulatorRuntime = nullptr;

#define threadIdx (emulatorRuntime->thread->index)
#define blockIdx (emulatorRuntime->block)
#define blockDim (emulatorRuntime->blockSize)
#define gridDim (emulatorRuntime->gridSize)

inline char* launch_memory() { return emulatorRuntime->shared; }

// ---- Vectors ------------------------------------------------------------------------------------------------------------------------

struct alignas(8) int2 { int x, y; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };

inline int2 make_int2(int x, int y) { return { x, y }; }
inline uint2 make_uint2(unsigned x, unsigned y) { return { x, y }; }
inline float2 make_float2(float x, float y) { return { x, y }; }
inline int4 make_int4(int x, int y, int z, int w) { return { x, y, z, w }; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return { x, y, z, w }; }
inline float4 make_float4(float x, float y, float z, float w) { return { x, y, z, w }; }

// ---- Numbers ------------------------------------------------------------------------------------------------------------------------

template <typename To, typename From> inline To emulator_bits(From value)
{
    static_assert(sizeof(To) == sizeof(From));
    To bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline unsigned __float_as_uint(float value) { return emulator_bits<unsigned>(value); }
inline int __float_as_int(float value) { return emulator_bits<int>(value); }
inline float __uint_as_float(unsigned value) { return emulator_bits<float>(value); }
inline float __int_as_float(int value) { return emulator_bits<float>(value); }

// A rounded result that the compiler cannot join with another operation: elsewhere it may join products and sums, as NVRTC may.
template <typename T> inline T emulator_rounded(T value)
{
#if defined(__x86_64__)
    asm("" : "+x"(value));
#elif defined(__aarch64__)
    asm("" : "+w"(value));
#endif
    return value;
}

inline float __fadd_rn(float a, float b) { return emulator_rounded(emulator_rounded(a) + emulator_rounded(b)); }
inline float __fsub_rn(float a, float b) { return emulator_rounded(emulator_rounded(a) - emulator_rounded(b)); }
inline float __fmul_rn(float a, float b) { return emulator_rounded(a * b); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline double __dadd_rn(double a, double b) { return emulator_rounded(emulator_rounded(a) + emulator_rounded(b)); }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __expf(float a) { return expf(a); }
inline float rsqrtf(float a) { return 1 / sqrtf(a); }
inline int __float2int_rn(float a) { return (int)rintf(a); }
inline float __int2float_rn(int a) { return (float)a; }
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
inline int __popc(unsigned a) { return __builtin_popcount(a); }
inline int __popcll(unsigned long long a) { return __builtin_popcountll(a); }
inline int __clz(int a) { return a == 0 ? 32 : __builtin_clz((unsigned)a); }
inline int __ffs(int a) { return __builtin_ffs(a); }

// Four of eight bytes, by the lower three bits of the selector's half-bytes; with the fourth bit the byte's sign.
inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector)
{
    uint64_t all = (uint64_t)high << 32 | low;
    unsigned result = 0;
    for (int i = 0; i < 4; i++, selector >>= 4)
    {
        unsigned byte = (unsigned)(all >> 8 * (selector & 7)) & 0xFF;
        result |= ((selector & 8) == 0 ? byte : byte & 0x80 ? 0xFFu : 0u) << 8 * i;
    }
    return result;
}

inline int __dp4a(int a, int b, int c)
{
    for (int i = 0; i < 4; i++)
        c += (signed char)((unsigned)a >> 8 * i) * (signed char)((unsigned)b >> 8 * i);
    return c;
}

template <typename T> inline T __ldg(const T* address) { return *address; }
template <typename T> inline T __ldcg(const T* address) { return *address; }
template <typename T> inline T __ldcs(const T* address) { return *address; }

template <typename T> inline T atomicAdd(T* address, T value)
{
    T old = *address;
    *address = old + value;
    return old;
}

inline unsigned atomicInc(unsigned* address, unsigned most)
{
    unsigned old = *address;
    *address = old >= most ? 0 : old + 1;
    return old;
}

template <typename T> inline T atomicMax(T* address, T value)
{
    T old = *address;
    *address = old > value ? old : value;
    return old;
}

template <typename T> inline T atomicExch(T* address, T value)
{
    T old = *address;
    *address = value;
    return old;
}

// ---- Barriers and warp operations ----------------------------------------------------------------------------------------------------

inline void __syncthreads() { emulatorRuntime->synchronize(); }
inline void __threadfence() {}
inline void __threadfence_block() {}

inline void __syncwarp(unsigned mask = 0xFFFFFFFFu)
{
    int nothing;
    emulatorRuntime->join("__syncwarp", mask, &nothing, [](void* const*) {});
}

template <typename T> struct EmulatorShuffle
{
    T value, result;
    int source;             // lane, or -1 for this one
};

template <typename T> inline T emulator_shuffle(const char* name, unsigned mask, T value, int source)
{
    typedef EmulatorShuffle<T> Shuffle;
    Shuffle mine = { value, value, source };
    emulatorRuntime->join(name, mask, &mine, [](void* const arguments[32])
    {
        for (int lane = 0; lane < 32; lane++)
            if (Shuffle* to = (Shuffle*)arguments[lane])
            {
                Shuffle* from = to->source < 0 ? to : (Shuffle*)arguments[to->source];
                if (!from)
                    emulatorRuntime->fail("a shuffle reads a lane that does not take part");
                to->result = from->value;
            }
    });
    return mine.result;
}

template <typename T> inline T __shfl_sync(unsigned mask, T value, int source, int width = 32)
{
    int lane = emulatorRuntime->thread->lane;
    return emulator_shuffle("__shfl_sync", mask, value, lane / width * width + ((source % width) + width) % width);
}

template <typename T> inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32)
{
    int lane = emulatorRuntime->thread->lane, source = lane ^ bits;
    return emulator_shuffle("__shfl_xor_sync", mask, value, source / width > lane / width ? -1 : source);
}

template <typename T> inline T __shfl_down_sync(unsigned mask, T value, int distance, int width = 32)
{
    int lane = emulatorRuntime->thread->lane, source = lane + distance;
    return emulator_shuffle("__shfl_down_sync", mask, value, source / width == lane / width ? source : -1);
}

template <typename T> inline T __shfl_up_sync(unsigned mask, T value, int distance, int width = 32)
{
    int lane = emulatorRuntime->thread->lane;
    return emulator_shuffle("__shfl_up_sync", mask, value, lane % width >= distance ? lane - distance : -1);
}

struct EmulatorVote
{
    bool value;
    unsigned result;
};

inline unsigned __ballot_sync(unsigned mask, int predicate)
{
    EmulatorVote mine = { predicate != 0, 0 };
    emulatorRuntime->join("__ballot_sync", mask, &mine, [](void* const arguments[32])
    {
        unsigned votes = 0;
        for (int lane = 0; lane < 32; lane++)
            if (arguments[lane] && ((EmulatorVote*)arguments[lane])->value)
                votes |= 1u << lane;
        for (int lane = 0; lane < 32; lane++)
            if (arguments[lane])
                ((EmulatorVote*)arguments[lane])->result = votes;
    });
    return mine.result;
}

inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

// ---- Tensor cores -------------------------------------------------------------------------------------------------------------------

struct EmulatorProduct
{
    unsigned a[4], b[2];
    float* c;
    int* d;
    int start;
};

typedef double EmulatorRow __attribute__((vector_size(64)));
typedef float EmulatorFloats __attribute__((vector_size(32)));
typedef int EmulatorInts __attribute__((vector_size(32)));

// Sums in double precision, cut to floats: tensor cores do not round to nearest either. One less as bits is one step to zero.
inline EmulatorFloats emulator_cut(EmulatorRow value)
{
    EmulatorFloats near = __builtin_convertvector(value, EmulatorFloats);
    EmulatorRow back = __builtin_convertvector(near, EmulatorRow);
    EmulatorRow beyond = value < 0 ? value - back : back - value;
    EmulatorInts longer = __builtin_convertvector(beyond > 0, EmulatorInts);
    EmulatorInts finite = ((EmulatorInts)near & 0x7F800000) != 0x7F800000;
    return (EmulatorFloats)((EmulatorInts)near + (longer & finite));
}

inline void emulator_mma_bf16(void* const arguments[32])
{
    float a[16][16], b[16][8], c[16][8];
    for (int lane = 0; lane < 32; lane++)
    {
        const EmulatorProduct& p = *(const EmulatorProduct*)arguments[lane];
        int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 4; i++)
        {
            a[g + 8 * (i & 1)][2 * t + 8 * (i >> 1)] = __uint_as_float(p.a[i] << 16);
            a[g + 8 * (i & 1)][2 * t + 1 + 8 * (i >> 1)] = __uint_as_float(p.a[i] & 0xFFFF0000u);
        }
        for (int i = 0; i < 2; i++)
        {
            b[2 * t + 8 * i][g] = __uint_as_float(p.b[i] << 16);
            b[2 * t + 1 + 8 * i][g] = __uint_as_float(p.b[i] & 0xFFFF0000u);
        }
        memcpy(&c[g][2 * t], p.c, 8);
        memcpy(&c[g + 8][2 * t], p.c + 2, 8);
    }
    EmulatorRow rows[16];
    EmulatorFloats floats;
    for (int k = 0; k < 16; k++)
    {
        memcpy(&floats, b[k], 32);
        rows[k] = __builtin_convertvector(floats, EmulatorRow);
    }
    for (int i = 0; i < 16; i++)
    {
        memcpy(&floats, c[i], 32);
        EmulatorRow sum = __builtin_convertvector(floats, EmulatorRow), other = rows[1] * (double)a[i][1];
        sum += rows[0] * (double)a[i][0];
        for (int k = 2; k < 16; k += 2)
        {
            sum += rows[k] * (double)a[i][k];
            other += rows[k + 1] * (double)a[i][k + 1];
        }
        floats = emulator_cut(sum + other);
        memcpy(c[i], &floats, 32);
    }
    for (int lane = 0; lane < 32; lane++)
    {
        EmulatorProduct& p = *(EmulatorProduct*)arguments[lane];
        memcpy(p.c, &c[lane / 4][2 * (lane % 4)], 8);
        memcpy(p.c + 2, &c[lane / 4 + 8][2 * (lane % 4)], 8);
    }
}

inline void emulator_mma_s8(void* const arguments[32])
{
    int a[16][32], d[16][8] = {};
    EmulatorInts b[32];
    for (int lane = 0; lane < 32; lane++)
    {
        const EmulatorProduct& p = *(const EmulatorProduct*)arguments[lane];
        int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 4; i++)
            for (int byte = 0; byte < 4; byte++)
                a[g + 8 * (i & 1)][4 * t + byte + 16 * (i >> 1)] = (signed char)(p.a[i] >> 8 * byte);
        for (int i = 0; i < 2; i++)
            for (int byte = 0; byte < 4; byte++)
                b[4 * t + byte + 16 * i][g] = (signed char)(p.b[i] >> 8 * byte);
    }
    for (int i = 0; i < 16; i++)
    {
        EmulatorInts sum = {};
        for (int k = 0; k < 32; k++)
            sum += b[k] * a[i][k];
        memcpy(d[i], &sum, 32);
    }
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 4; i++)
        {
            EmulatorProduct& p = *(EmulatorProduct*)arguments[lane];
            p.d[i] = p.start + d[lane / 4 + 8 * (i >> 1)][2 * (lane % 4) + (i & 1)];
        }
}

inline void mma_bf16(float (&c)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1)
{
    EmulatorProduct mine = { { a0, a1, a2, a3 }, { b0, b1 }, c, nullptr, 0 };
    emulatorRuntime->join("mma.sync bf16", 0xFFFFFFFFu, &mine, emulator_mma_bf16);
}

inline void mma_s8(int (&d)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1, int start)
{
    EmulatorProduct mine = { { a0, a1, a2, a3 }, { b0, b1 }, nullptr, d, start };
    emulatorRuntime->join("mma.sync s8", 0xFFFFFFFFu, &mine, emulator_mma_s8);
}

// ---- The module ---------------------------------------------------------------------------------------------------------------------

template <auto Function, typename... Parameters> struct EmulatorKernel
{
    static constexpr int Sizes[sizeof...(Parameters) + 1] = { (int)sizeof(Parameters)..., 0 };

    template <size_t... I> static void invoke(void* const* arguments, std::index_sequence<I...>) { Function(*(std::remove_cv_t<Parameters>*)arguments[I]...); }

    static void invoke(void* const* arguments) { invoke(arguments, std::index_sequence_for<Parameters...>()); }
};

template <auto Function, typename... Parameters>
constexpr emulator::Kernel emulator_kernel(const char* name, void (*)(Parameters...), int maxThreads)
{
    static_assert(((std::is_pointer_v<Parameters> || std::is_same_v<Parameters, int> || std::is_same_v<Parameters, float> || std::is_same_v<Parameters, unsigned long long>) && ...),
        "parameters are pointers, int, float and unsigned long long");
    typedef EmulatorKernel<Function, Parameters...> Kernel;
    return { name, (void (*)(void* const*))&Kernel::invoke, (int)sizeof...(Parameters), Kernel::Sizes, maxThreads };
}

// The checks of -fsanitize=alignment call this: on a GPU a misaligned access of several bytes ends the launch.
extern "C" __attribute__((visibility("hidden"), used)) void __ubsan_handle_type_mismatch_v1(void*, void*)
{
    emulatorRuntime->fail("a misaligned or null address is read or written");
}
