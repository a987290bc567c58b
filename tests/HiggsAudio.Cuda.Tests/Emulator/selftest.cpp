// Checks of the emulator itself: what it computes, and that it finds what a GPU would punish. Ends with "N checks" or the first that failed.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

extern "C"
{
    int cuInit(unsigned);
    int cuDeviceGetAttribute(int*, int, int);
    int cuDevicePrimaryCtxRetain(void**, int);
    int cuDevicePrimaryCtxRelease_v2(int);
    int cuCtxSetCurrent(void*);
    int cuMemAlloc_v2(uint64_t*, size_t);
    int cuMemFree_v2(uint64_t);
    int cuMemHostAlloc(void**, size_t, unsigned);
    int cuMemFreeHost(void*);
    int cuMemcpyHtoDAsync_v2(uint64_t, const void*, size_t, void*);
    int cuMemcpyDtoHAsync_v2(void*, uint64_t, size_t, void*);
    int cuMemsetD32Async(uint64_t, unsigned, size_t, void*);
    int cuStreamCreate(void**, unsigned);
    int cuStreamDestroy_v2(void*);
    int cuStreamSynchronize(void*);
    int cuStreamWaitEvent(void*, void*, unsigned);
    int cuEventCreate(void**, unsigned);
    int cuEventDestroy_v2(void*);
    int cuEventRecord(void*, void*);
    int cuStreamBeginCapture_v2(void*, unsigned);
    int cuStreamEndCapture(void*, void**);
    int cuGraphInstantiateWithFlags(void**, void*, unsigned long long);
    int cuGraphLaunch(void*, void*);
    int cuGraphExecDestroy(void*);
    int cuGraphDestroy(void*);
    int cuModuleLoadData(void**, const void*);
    int cuModuleUnload(void*);
    int cuModuleGetFunction(void**, void*, const char*);
    int cuFuncSetAttribute(void*, int, int);
    int cuLaunchKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
    const char* emulator_last_error();
    void emulator_reset();
    void emulator_set_memory_limit(uint64_t);
    void emulator_fail_after(const char*, int, int);
    uint64_t emulator_memory_in_use();
    uint64_t emulator_graph_launches();
    int emulator_objects();
    int nvrtcCreateProgram(void**, const char*, const char*, int, const char* const*, const char* const*);
    int nvrtcCompileProgram(void*, int, const char* const*);
    int nvrtcGetProgramLogSize(void*, size_t*);
    int nvrtcGetProgramLog(void*, char*);
    int nvrtcGetCUBINSize(void*, size_t*);
    int nvrtcGetCUBIN(void*, char*);
    int nvrtcDestroyProgram(void**);
}

namespace
{
    const char* Source = R"CU(
#include "part.cuh"

extern "C" __global__ void __launch_bounds__(128) add_one(float* x, int count)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        x[i] += one();
}

extern "C" __global__ void shuffles(int* y)
{
    int lane = threadIdx.x % 32, at = threadIdx.x;
    y[at] = __shfl_xor_sync(0xFFFFFFFFu, at, 5);
    y[64 + at] = __shfl_up_sync(0xFFFFFFFFu, at, 3);
    y[128 + at] = __shfl_down_sync(0xFFFFFFFFu, at, 3);
    y[192 + at] = __shfl_sync(0xFFFFFFFFu, at, 7);
    y[256 + at] = (int)__ballot_sync(0xFFFFFFFFu, lane % 3 == 0);
    if (lane < 16)
        y[320 + at] = __shfl_xor_sync(0xFFFFu, at, 1);
}

// The sum of a block through shared memory, in halves.
extern "C" __global__ void block_sums(const int* x, int* y)
{
    __shared__ int room[96];
    int* launched = (int*)launch_memory();
    room[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
    launched[threadIdx.x] = 1;
    __syncthreads();
    for (int half = 48; half >= 3; half /= 2)
    {
        if ((int)threadIdx.x < half)
            room[threadIdx.x] += room[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0)
        y[blockIdx.x] = room[0] + room[1] + room[2] + launched[95];
}

extern "C" __global__ void some_leave(int* y)
{
    if (threadIdx.x == 7)
        return;
    __syncthreads();
    y[threadIdx.x] = 1;
}

extern "C" __global__ void lane_missing(int* y)
{
    if (threadIdx.x != 9)
        y[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFu, 1, 1);
}

extern "C" __global__ void lanes_diverge(int* y)
{
    if (threadIdx.x < 16)
        y[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFu, 1, 1);
    else
        y[threadIdx.x] = (int)__ballot_sync(0xFFFFFFFFu, 1);
}

extern "C" __global__ void barrier_and_shuffle(int* y)
{
    if (threadIdx.x < 32)
        __syncthreads();
    else
        y[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFu, 1, 33 - 32);
    if (threadIdx.x >= 32)
        return;
}

// A barrier is missing: the result depends on the order of the threads.
extern "C" __global__ void races(int* y)
{
    __shared__ int room[64];
    room[threadIdx.x] = (int)threadIdx.x;
    y[blockIdx.x * 64 + threadIdx.x] = room[63 - threadIdx.x];
}

extern "C" __global__ void too_far(int* y, int at) { y[at] = 1; }

extern "C" __global__ void too_far_in_shared(int* y, int at)
{
    int* room = (int*)launch_memory();
    room[at] = 1;
    y[0] = room[at];
}

extern "C" __global__ void misaligned(float* y)
{
    *(float4*)(y + 1) = make_float4(1, 2, 3, 4);
}

// a [16, 16] times b [16, 8] of bfloat16 pairs, then [16, 32] times [32, 8] of bytes.
extern "C" __global__ void products(const unsigned short* a, const unsigned short* b, float* c, const signed char* p, const signed char* q, int* d)
{
    int g = threadIdx.x / 4, t = threadIdx.x % 4;
    float sums[4] = { 1, 1, 1, 1 };
    unsigned rows[4], columns[2];
    for (int i = 0; i < 4; i++)
        rows[i] = *(const unsigned*)(a + (g + 8 * (i & 1)) * 16 + 2 * t + 8 * (i >> 1));
    for (int i = 0; i < 2; i++)
        columns[i] = b[(2 * t + 8 * i) * 8 + g] | (unsigned)b[(2 * t + 1 + 8 * i) * 8 + g] << 16;
    mma_bf16(sums, rows[0], rows[1], rows[2], rows[3], columns[0], columns[1]);
    int totals[4];
    for (int i = 0; i < 4; i++)
        rows[i] = *(const unsigned*)(p + (g + 8 * (i & 1)) * 32 + 4 * t + 16 * (i >> 1));
    for (int i = 0; i < 2; i++)
    {
        columns[i] = 0;
        for (int byte = 0; byte < 4; byte++)
            columns[i] |= (unsigned)(unsigned char)q[(4 * t + byte + 16 * i) * 8 + g] << 8 * byte;
    }
    mma_s8(totals, rows[0], rows[1], rows[2], rows[3], columns[0], columns[1], 1000);
    for (int i = 0; i < 4; i++)
    {
        c[(g + 8 * (i >> 1)) * 8 + 2 * t + (i & 1)] = sums[i];
        d[(g + 8 * (i >> 1)) * 8 + 2 * t + (i & 1)] = totals[i];
    }
}
)CU";

    int checks = 0;

    void check(bool ok, const char* what, int line)
    {
        checks++;
        if (ok)
            return;
        printf("line %d: %s; %s\n", line, what, emulator_last_error());
        exit(1);
    }

#define CHECK(condition) check(condition, #condition, __LINE__)
#define OK(call) CHECK((call) == 0)

    void *stream, *module;

    std::vector<char> compile(const char* source, int expected = 0, std::string* log = nullptr)
    {
        void* program;
        const char *header = "#pragma once\n__device__ inline float one() { return 1; }\n", *name = "part.cuh", *options[] = { "--gpu-architecture=sm_90", "--std=c++17" };
        OK(nvrtcCreateProgram(&program, source, "test.cu", 1, &header, &name));
        int result = nvrtcCompileProgram(program, 2, options);
        size_t size;
        OK(nvrtcGetProgramLogSize(program, &size));
        std::vector<char> text(size);
        OK(nvrtcGetProgramLog(program, text.data()));
        if (log)
            *log = text.data();
        if (result != expected)
            printf("%s\n", text.data());
        CHECK(result == expected);
        std::vector<char> image;
        if (result == 0)
        {
            OK(nvrtcGetCUBINSize(program, &size));
            image.resize(size);
            OK(nvrtcGetCUBIN(program, image.data()));
        }
        OK(nvrtcDestroyProgram(&program));
        return image;
    }

    template <typename T> struct Block
    {
        uint64_t address;
        size_t count;

        explicit Block(size_t count) : count(count) { OK(cuMemAlloc_v2(&address, count * sizeof(T))); }

        explicit Block(const std::vector<T>& values) : Block(values.size())
        {
            OK(cuMemcpyHtoDAsync_v2(address, values.data(), count * sizeof(T), stream));
        }

        std::vector<T> read() const
        {
            std::vector<T> values(count);
            OK(cuMemcpyDtoHAsync_v2(values.data(), address, count * sizeof(T), stream));
            OK(cuStreamSynchronize(stream));
            return values;
        }
    };

    template <typename... Arguments>
    int launch(const char* name, unsigned grid, unsigned block, unsigned shared, Arguments... arguments)
    {
        void *function, *slots[] = { (void*)&arguments... };
        OK(cuModuleGetFunction(&function, module, name));
        return cuLaunchKernel(function, grid, 1, 1, block, 1, 1, shared, stream, slots, nullptr);
    }

    // A launch that must fail, with a word of the reason.
    template <typename... Arguments>
    void must_fail(const char* word, const char* name, unsigned block, unsigned shared, Arguments... arguments)
    {
        int result = launch(name, 1, block, shared, arguments...);
        if (result == 0)
            result = cuStreamSynchronize(stream);
        CHECK(result != 0);
        if (!strstr(emulator_last_error(), word))
            printf("expected \"%s\"\n", word);
        CHECK(strstr(emulator_last_error(), word));
        emulator_reset();
    }

    void computes()
    {
        Block<int> y(384);
        OK(cuMemsetD32Async(y.address, 77, 384, stream));
        OK(launch("shuffles", 1, 64, 0, y.address));
        std::vector<int> v = y.read();
        for (int i = 0; i < 64; i++)
        {
            int lane = i % 32, warp = i - lane;
            CHECK(v[i] == (i ^ 5));
            CHECK(v[64 + i] == (lane >= 3 ? i - 3 : i));
            CHECK(v[128 + i] == (lane < 29 ? i + 3 : i));
            CHECK(v[192 + i] == warp + 7);
            CHECK((unsigned)v[256 + i] == 0x49249249u);
            CHECK(v[320 + i] == (lane < 16 ? (i ^ 1) : 77));
        }
        std::vector<int> x(960);
        for (size_t i = 0; i < x.size(); i++)
            x[i] = (int)(i * i % 1000);
        Block<int> from(x), sums(10);
        OK(launch("block_sums", 10, 96, 96 * 4, from.address, sums.address));
        v = sums.read();
        for (int b = 0; b < 10; b++)
        {
            int sum = 1;
            for (int i = 0; i < 96; i++)
                sum += x[b * 96 + i];
            CHECK(v[b] == sum);
        }
    }

    float widen(uint16_t bits)
    {
        uint32_t word = (uint32_t)bits << 16;
        float value;
        memcpy(&value, &word, 4);
        return value;
    }

    void multiplies()
    {
        std::vector<uint16_t> a(256), b(128);
        std::vector<int8_t> p(512), q(256);
        srand(3);
        for (auto* values : { &a, &b })
            for (uint16_t& value : *values)
                value = (uint16_t)(0x3F00 + rand() % 256 + (rand() % 2 << 15));
        for (auto* values : { &p, &q })
            for (int8_t& value : *values)
                value = (int8_t)(rand() % 255 - 127);
        Block<uint16_t> da(a), db(b);
        Block<int8_t> dp(p), dq(q);
        Block<float> c(128);
        Block<int> d(128);
        OK(launch("products", 1, 32, 0, da.address, db.address, c.address, dp.address, dq.address, d.address));
        std::vector<float> sums = c.read();
        std::vector<int> totals = d.read();
        for (int i = 0; i < 16; i++)
            for (int j = 0; j < 8; j++)
            {
                double sum = 1;
                int total = 1000;
                for (int k = 0; k < 16; k++)
                    sum += (double)widen(a[i * 16 + k]) * widen(b[k * 8 + j]);
                for (int k = 0; k < 32; k++)
                    total += p[i * 32 + k] * q[k * 8 + j];
                CHECK(std::abs(sums[i * 8 + j] - sum) <= 1e-5);
                CHECK(std::abs(sums[i * 8 + j]) <= std::abs(sum));
                CHECK(totals[i * 8 + j] == total);
            }
    }

    void finds()
    {
        Block<int> y(64);
        must_fail("not all threads come", "some_leave", 32, 0, y.address);
        must_fail("with lanes fffffdff", "lane_missing", 32, 0, y.address);
        must_fail("lanes of a warp diverge", "lanes_diverge", 32, 0, y.address);
        must_fail("not all threads come", "barrier_and_shuffle", 64, 0, y.address);
        must_fail("outside of its shared memory", "too_far_in_shared", 1, 64, y.address, 16);
        must_fail("outside of its shared memory", "too_far_in_shared", 1, 64, y.address, -1);
#ifndef __clang__
        // Clang does not check the assignment of a struct: it ends the process.
        must_fail("misaligned", "misaligned", 1, 0, y.address);
#endif
        must_fail("its bound is 128", "add_one", 256, 0, y.address, 1);
        must_fail("a block of", "some_leave", 2048, 0, y.address);
        must_fail("bytes of shared memory", "too_far_in_shared", 1, 50000, y.address, 0);
        void* function;
        OK(cuModuleGetFunction(&function, module, "too_far_in_shared"));
        OK(cuFuncSetAttribute(function, 8, 200000));
        OK(launch("too_far_in_shared", 1, 1, 200000, y.address, 49999));
        OK(cuStreamSynchronize(stream));
        CHECK(cuFuncSetAttribute(function, 8, 240000) != 0);
        for (int at : { 64, -1 })
        {
            Block<int> small(64);
            must_fail("just outside of a block", "too_far", 1, 0, small.address, at);
            cuMemFree_v2(small.address);
            emulator_reset();
        }
        // Two blocks run in the two orders.
        Block<int> raced(128);
        OK(launch("races", 2, 64, 0, raced.address));
        std::vector<int> outcome = raced.read();
        CHECK(memcmp(outcome.data(), outcome.data() + 64, 64 * sizeof(int)) != 0);
        Block<float> fresh(100);
        for (float value : fresh.read())
            CHECK(std::isnan(value));
        std::string log;
        compile("extern \"C\" __global__ void broken(int* y) { y = undefined_name; }", 6, &log);
        CHECK(log.find("undefined_name") != std::string::npos);
    }

    void streams()
    {
        float *host, *back;
        OK(cuMemHostAlloc((void**)&host, 64 * 4, 0));
        OK(cuMemHostAlloc((void**)&back, 64 * 4, 0));
        Block<float> x(64);
        auto all = [&](float value) { for (int i = 0; i < 64; i++) host[i] = value; };

        // What is in pinned memory when the copy runs counts, and nothing has run before somebody waits.
        all(1);
        back[0] = -1;
        OK(cuMemcpyHtoDAsync_v2(x.address, host, 256, stream));
        OK(launch("add_one", 1, 64, 0, x.address, 64));
        OK(cuMemcpyDtoHAsync_v2(back, x.address, 256, stream));
        all(5);
        CHECK(back[0] == -1);
        OK(cuStreamSynchronize(stream));
        CHECK(back[0] == 6 && back[63] == 6);

        // Graphs keep arguments as they were and copy what is there when they are launched.
        OK(cuStreamBeginCapture_v2(stream, 2));
        int count = 32;
        OK(cuMemcpyHtoDAsync_v2(x.address, host, 256, stream));
        OK(launch("add_one", 1, 64, 0, x.address, count));
        OK(cuMemcpyDtoHAsync_v2(back, x.address, 256, stream));
        CHECK(cuStreamSynchronize(stream) == 900);
        void *graph, *executable;
        OK(cuStreamEndCapture(stream, &graph));
        OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
        OK(cuGraphDestroy(graph));
        count = 0;
        uint64_t before = emulator_graph_launches();
        for (int pass = 0; pass < 3; pass++)
        {
            all((float)(10 * pass));
            OK(cuGraphLaunch(executable, stream));
            OK(cuStreamSynchronize(stream));
            CHECK(back[0] == 10 * pass + 1 && back[31] == 10 * pass + 1 && back[32] == 10 * pass);
        }
        CHECK(emulator_graph_launches() == before + 3);
        OK(cuGraphExecDestroy(executable));

        // An event holds one stream back until the other has come to it.
        void *other, *event;
        OK(cuStreamCreate(&other, 1));
        OK(cuEventCreate(&event, 2));
        OK(cuMemsetD32Async(x.address, 0, 64, other));
        OK(cuEventRecord(event, other));
        OK(cuStreamWaitEvent(stream, event, 0));
        OK(launch("add_one", 1, 64, 0, x.address, 64));
        CHECK(x.read()[5] == 1);
        // Two streams by turns, with an event each that is recorded again and again.
        void* back_again;
        OK(cuEventCreate(&back_again, 2));
        for (int turn = 0; turn < 5; turn++)
        {
            OK(launch("add_one", 1, 64, 0, x.address, 64));
            OK(cuEventRecord(back_again, stream));
            OK(cuStreamWaitEvent(other, back_again, 0));
            OK(cuMemsetD32Async(x.address + 4 * (uint64_t)turn, 0, 1, other));
            OK(cuEventRecord(event, other));
            OK(cuStreamWaitEvent(stream, event, 0));
        }
        std::vector<float> turns = x.read();
        for (int i = 0; i < 64; i++)
            CHECK(turns[i] == (i < 5 ? 4 - i : 6));
        OK(cuEventDestroy_v2(back_again));
        OK(cuEventDestroy_v2(event));
        OK(cuStreamDestroy_v2(other));
        OK(cuMemFreeHost(host));
        OK(cuMemFreeHost(back));
        OK(cuMemFree_v2(x.address));
    }

    void fails()
    {
        uint64_t before = emulator_memory_in_use(), address;
        emulator_set_memory_limit(before + 1000);
        CHECK(cuMemAlloc_v2(&address, 1001) == 2);
        OK(cuMemAlloc_v2(&address, 1000));
        CHECK(cuMemAlloc_v2(&address, 1) == 2);
        OK(cuMemFree_v2(address));
        emulator_set_memory_limit(80ull << 30);
        CHECK(emulator_memory_in_use() == before);
        emulator_fail_after("cuMemAlloc_v2", 1, 2);
        uint64_t first;
        OK(cuMemAlloc_v2(&first, 16));
        CHECK(cuMemAlloc_v2(&address, 16) == 2);
        CHECK(cuMemAlloc_v2(&address, 16) == 2);
        emulator_fail_after("cuMemAlloc_v2", 0, 0);
        OK(cuMemAlloc_v2(&address, 16));
        OK(cuMemFree_v2(first));
        OK(cuMemFree_v2(address));
        CHECK(cuMemFree_v2(12345) != 0);
        CHECK(cuMemcpyHtoDAsync_v2(12345, &first, 8, stream) != 0);
        std::vector<char> nonsense(1000, 'x');
        CHECK(cuModuleLoadData((void**)&first, nonsense.data()) == 200);
    }
}

int main()
{
    void* context;
    CHECK(cuDevicePrimaryCtxRetain(&context, 0) == 3);          // not initialized
    OK(cuInit(0));
    OK(cuDevicePrimaryCtxRetain(&context, 0));
    CHECK(cuStreamCreate(&stream, 1) == 201);                   // no current context
    OK(cuCtxSetCurrent(context));
    int value;
    OK(cuDeviceGetAttribute(&value, 16, 0));
    CHECK(value > 0);
    OK(cuStreamCreate(&stream, 1));
    std::vector<char> image = compile(Source);
    OK(cuModuleLoadData(&module, image.data()));
    void* function;
    CHECK(cuModuleGetFunction(&function, module, "no_such_kernel") == 500);
    computes();
    multiplies();
    finds();
    streams();
    fails();
    OK(cuModuleUnload(module));
    OK(cuStreamDestroy_v2(stream));
    CHECK(emulator_objects() == 0);
    OK(cuDevicePrimaryCtxRelease_v2(0));
    printf("%d checks\n", checks);
    return 0;
}
