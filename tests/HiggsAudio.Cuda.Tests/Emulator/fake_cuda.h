// What the parts of the emulated driver share. Names beginning with cu are the driver's own (cuda.h of CUDA 12).
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>
#include "emulator.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

typedef int CUresult;
typedef uint64_t CUdeviceptr;

enum : CUresult
{
    Success = 0, InvalidValue = 1, OutOfMemory = 2, NotInitialized = 3, Deinitialized = 4, NoDevice = 100, InvalidDevice = 101, InvalidImage = 200, InvalidContext = 201,
    NotFound = 500, InvalidHandle = 400, NotReady = 600, IllegalAddress = 700, LaunchOutOfResources = 701, LaunchFailed = 719, CaptureUnsupported = 900, CaptureInvalidated = 901,
    IllegalState = 401,
};

namespace emulator
{
    struct LoadedModule
    {
        void* library;
        const Module* module;
    };

    struct Function
    {
        LoadedModule* owner;
        const Kernel* kernel;
        int mostDynamicShared = 48 * 1024;
    };

    struct Event;
    struct Graph;
    struct Stream;

    // Work of a stream: it waits until somebody waits for it, so that what is read too early has not been computed.
    struct Operation
    {
        enum Kind { Launch, Copy, Fill, Record, Wait, Replay } kind;
        const Function* function = nullptr;
        Index grid = {}, block = {};
        size_t sharedBytes = 0;
        std::vector<uint64_t> arguments;
        char *to = nullptr, *from = nullptr;
        std::shared_ptr<std::vector<char>> bytes;           // of pageable memory, taken at the call
        size_t size = 0;
        uint32_t pattern = 0;
        bool hostToDevice = false, deviceToHost = false;
        Event* event = nullptr;
        uint64_t recording = 0;                             // which one of the event's
        Stream* other = nullptr;                            // where it was recorded
        std::shared_ptr<Graph> graph;
    };

    struct Graph
    {
        std::vector<Operation> nodes;
    };

    struct Stream
    {
        std::deque<Operation> queue;
        std::unique_ptr<Graph> capture;
        bool running = false;
    };

    struct Event
    {
        uint64_t recorded = 0, completed = 0;
        Stream* stream = nullptr;
        double time = 0;
        bool timing = true;
    };

    struct Allocation
    {
        char* base;
        size_t size, whole;
    };

    struct Driver
    {
        std::recursive_mutex lock;
        bool initialized = false;
        int contextUses = 0, devices = 1, multiprocessors = 132, major = 9, minor = 0;
        uint64_t memoryLimit = 80ull << 30, memoryInUse = 0, launches = 0, graphLaunches = 0;
        std::map<CUdeviceptr, Allocation> memory;
        std::map<char*, size_t> pinned;
        std::set<Stream*> streams;
        std::set<Event*> events;
        std::set<Graph*> graphs;
        std::set<std::shared_ptr<Graph>*> executables;
        std::set<LoadedModule*> modules;
        std::map<std::pair<LoadedModule*, std::string>, std::unique_ptr<Function>> functions;
        std::map<std::string, std::pair<int, CUresult>> failures;
        CUresult broken = Success;          // what every call answers once a launch has failed
        std::string message;

        Driver();
        void set_defaults();
    };

    Driver& driver();

    // What a call begins with: an injected failure, or the state that forbids it.
    CUresult enter(const char* function, bool needsContext = true);

    // Remembers why a call fails.
    CUresult explain(CUresult result, const std::string& message);

    bool is_stream(Stream* stream);

    // Appends work to a stream, or to the graph that is captured from it.
    CUresult submit(Stream* stream, Operation&& operation);

    // Runs a stream's work: all of it, or until an event's recording is done.
    CUresult drain(Stream* stream, const Event* until = nullptr, uint64_t recording = 0);
    CUresult drain_all();

    // Whether a range lies inside of one allocation; the allocation whose surroundings were written to, if any.
    bool is_device_range(CUdeviceptr address, size_t size);
    bool is_pinned(const void* address, size_t size);
    CUresult check_guards();
}

// What every call of the driver begins with.
#define ENTER(...) \
    std::lock_guard<std::recursive_mutex> guard(driver().lock); \
    Driver& d = driver(); \
    (void)d; \
    if (CUresult refused = enter(__func__ __VA_OPT__(,) __VA_ARGS__)) \
        return refused
