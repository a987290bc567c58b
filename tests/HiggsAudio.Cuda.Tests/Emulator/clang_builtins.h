// What NVRTC has built in, for clang's CUDA front end without a toolkit: enough to compile the kernels to PTX and look at it. Mathematical
// functions stay undefined.
#pragma once

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __host__ __attribute__((host))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))

typedef unsigned long size_t;

struct __attribute__((aligned(8))) int2 { int x, y; };
struct __attribute__((aligned(8))) uint2 { unsigned x, y; };
struct __attribute__((aligned(8))) float2 { float x, y; };
struct __attribute__((aligned(16))) int4 { int x, y, z, w; };
struct __attribute__((aligned(16))) uint4 { unsigned x, y, z, w; };
struct __attribute__((aligned(16))) float4 { float x, y, z, w; };

#define BUILTIN static inline __attribute__((device, always_inline))

BUILTIN uint2 make_uint2(unsigned x, unsigned y) { return { x, y }; }
BUILTIN uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return { x, y, z, w }; }
BUILTIN float4 make_float4(float x, float y, float z, float w) { return { x, y, z, w }; }

// threadIdx.x and so on.
#define INDEX(name, register) \
    struct name##Type \
    { \
        __declspec(property(get = get_x)) unsigned x; \
        __declspec(property(get = get_y)) unsigned y; \
        __declspec(property(get = get_z)) unsigned z; \
        BUILTIN unsigned get_x() { return __nvvm_read_ptx_sreg_##register##_x(); } \
        BUILTIN unsigned get_y() { return __nvvm_read_ptx_sreg_##register##_y(); } \
        BUILTIN unsigned get_z() { return __nvvm_read_ptx_sreg_##register##_z(); } \
    }; \
    extern const __attribute__((device, weak)) name##Type name;

INDEX(threadIdx, tid)
INDEX(blockIdx, ctaid)
INDEX(blockDim, ntid)
INDEX(gridDim, nctaid)

BUILTIN void __syncwarp(unsigned mask = 0xFFFFFFFFu) { __nvvm_bar_warp_sync(mask); }
BUILTIN int __shfl_xor_sync(unsigned mask, int value, int bits) { return __nvvm_shfl_sync_bfly_i32(mask, value, bits, 31); }
BUILTIN unsigned __shfl_xor_sync(unsigned mask, unsigned value, int bits) { return (unsigned)__nvvm_shfl_sync_bfly_i32(mask, (int)value, bits, 31); }
BUILTIN float __shfl_xor_sync(unsigned mask, float value, int bits) { return __nvvm_shfl_sync_bfly_f32(mask, value, bits, 31); }

BUILTIN double __shfl_xor_sync(unsigned mask, double value, int bits)
{
    long long all = __builtin_bit_cast(long long, value);
    int low = __nvvm_shfl_sync_bfly_i32(mask, (int)all, bits, 31), high = __nvvm_shfl_sync_bfly_i32(mask, (int)(all >> 32), bits, 31);
    return __builtin_bit_cast(double, (long long)high << 32 | (unsigned)low);
}

BUILTIN unsigned __float_as_uint(float value) { return __builtin_bit_cast(unsigned, value); }
BUILTIN int __float_as_int(float value) { return __builtin_bit_cast(int, value); }
BUILTIN float __uint_as_float(unsigned value) { return __builtin_bit_cast(float, value); }
BUILTIN float __int_as_float(int value) { return __builtin_bit_cast(float, value); }
BUILTIN unsigned __byte_perm(unsigned low, unsigned high, unsigned selector) { return (unsigned)__nvvm_prmt((int)low, (int)high, (int)selector); }

BUILTIN float __fadd_rn(float a, float b) { return __nvvm_add_rn_f(a, b); }
BUILTIN float __fsub_rn(float a, float b) { return __nvvm_add_rn_f(a, -b); }
BUILTIN float __fmul_rn(float a, float b) { return __nvvm_mul_rn_f(a, b); }
BUILTIN float __fdiv_rn(float a, float b) { return __nvvm_div_rn_f(a, b); }
BUILTIN double __dadd_rn(double a, double b) { return __nvvm_add_rn_d(a, b); }
BUILTIN float __fsqrt_rn(float a) { return __nvvm_sqrt_rn_f(a); }
BUILTIN float fmaf(float a, float b, float c) { return __nvvm_fma_rn_f(a, b, c); }
BUILTIN float fmaxf(float a, float b) { return __nvvm_fmax_f(a, b); }
BUILTIN float fminf(float a, float b) { return __nvvm_fmin_f(a, b); }
BUILTIN float fabsf(float a) { return __nvvm_fabs_f(a); }
BUILTIN float rintf(float a) { return __builtin_rintf(a); }
BUILTIN double sqrt(double a) { return __nvvm_sqrt_rn_d(a); }
BUILTIN int __clz(int a) { return __builtin_clz((unsigned)a); }
BUILTIN int min(int a, int b) { return a < b ? a : b; }
BUILTIN int max(int a, int b) { return a > b ? a : b; }
BUILTIN unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }

extern "C" __attribute__((device)) float expf(float);
extern "C" __attribute__((device)) float expm1f(float);
extern "C" __attribute__((device)) float erff(float);
extern "C" __attribute__((device)) float sinf(float);

BUILTIN void __threadfence() { __nvvm_membar_gl(); }
BUILTIN unsigned atomicInc(unsigned* address, unsigned most) { return __nvvm_atom_inc_gen_ui(address, most); }

BUILTIN float __ldcg(const float* p)
{
    float value;
    asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(value) : "l"(p) : "memory");
    return value;
}

typedef float FloatVector __attribute__((ext_vector_type(4)));
typedef unsigned UintVector __attribute__((ext_vector_type(4)));
typedef unsigned UintPair __attribute__((ext_vector_type(2)));

BUILTIN float __ldg(const float* p) { return __nvvm_ldg_f(p); }
BUILTIN unsigned short __ldg(const unsigned short* p) { return __nvvm_ldg_us(p); }
BUILTIN unsigned __ldg(const unsigned* p) { return __nvvm_ldg_ui(p); }
BUILTIN int __ldg(const int* p) { return __nvvm_ldg_i(p); }
BUILTIN unsigned long long __ldg(const unsigned long long* p) { return __nvvm_ldg_ull(p); }

BUILTIN float4 __ldg(const float4* p)
{
    FloatVector v = __nvvm_ldg_f4((const FloatVector*)p);
    return { v[0], v[1], v[2], v[3] };
}

BUILTIN uint4 __ldg(const uint4* p)
{
    UintVector v = __nvvm_ldg_ui4((const UintVector*)p);
    return { v[0], v[1], v[2], v[3] };
}

BUILTIN uint2 __ldg(const uint2* p)
{
    UintPair v = __nvvm_ldg_ui2((const UintPair*)p);
    return { v[0], v[1] };
}
