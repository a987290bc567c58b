// What a compiled module and the emulated driver share. A kernel's threads are fibers of one host thread: they run one after the other, and
// change at barriers and warp operations.
#pragma once
#include <cstddef>
#include <cstdint>

namespace emulator
{
    struct Index
    {
        unsigned x, y, z;
    };

    struct Thread
    {
        Index index;
        int warp, lane;
    };

    // Computes a warp operation from the arguments of its lanes (null for lanes that do not take part).
    typedef void (*WarpFunction)(void* const arguments[32]);

    // State of the running launch, and what modules call.
    struct Runtime
    {
        Thread* thread;
        Index block, blockSize, gridSize;
        char* shared;

        void (*synchronize)();
        // Waits until all lanes of the mask are here; then one of them computes for all.
        void (*join)(const char* name, unsigned mask, void* arguments, WarpFunction compute);
        // Ends the launch with an error; does not return.
        void (*fail)(const char* message);
    };

    struct Kernel
    {
        const char* name;
        void (*invoke)(void* const* arguments);
        int parameters;
        const int* sizes;
        int maxThreads;
    };

    // What every module exports as `emulator_module`.
    struct Module
    {
        const Kernel* kernels;
        int count;
        void (*bind)(Runtime*);
        char *sharedBegin, *sharedEnd;          // static shared memory
    };

    // In front of a module's bytes.
    struct ImageHeader
    {
        char magic[8];
        uint64_t size;
    };

    constexpr char Magic[9] = "EMULATED";
}
