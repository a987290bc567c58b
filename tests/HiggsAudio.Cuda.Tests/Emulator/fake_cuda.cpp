// An emulated libcuda.so.1: the functions of the driver API that the C# side calls, computing on the host.
#include "fake_cuda.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace emulator;

namespace
{
    constexpr int DefaultDevices = 1;
    thread_local bool hasContext = false;
    int contextObject;

    uint64_t environment(const char* name, uint64_t otherwise)
    {
        const char* text = getenv(name);
        return text && *text ? strtoull(text, nullptr, 10) : otherwise;
    }

    struct Text
    {
        CUresult code;
        const char *name, *text;
    };

    constexpr Text Texts[] = {
        { Success, "CUDA_SUCCESS", "no error" }, { InvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument" }, { OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory" },
        { NotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error" }, { NoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected" },
        { InvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal" }, { InvalidImage, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid" },
        { InvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context" }, { InvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle" },
        { NotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found" }, { NotReady, "CUDA_ERROR_NOT_READY", "device not ready" },
        { IllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered" }, { LaunchOutOfResources, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch" },
        { LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure" }, { IllegalState, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state" },
        { CaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing" },
        { CaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture" },
    };

    const Text* find_text(CUresult code)
    {
        for (const Text& text : Texts)
            if (text.code == code)
                return &text;
        return nullptr;
    }
}

namespace emulator
{
    Driver::Driver() { set_defaults(); }

    void Driver::set_defaults()
    {
        devices = (int)environment("CUDA_EMULATOR_DEVICES", DefaultDevices);
        multiprocessors = (int)environment("CUDA_EMULATOR_MULTIPROCESSORS", 132);
        memoryLimit = environment("CUDA_EMULATOR_MEMORY", 80ull << 30);
        int capability = (int)environment("CUDA_EMULATOR_CAPABILITY", 90);
        major = capability / 10;
        minor = capability % 10;
    }

    Driver& driver()
    {
        static Driver* instance = new Driver();         // never destroyed: threads may outlive the process' end
        return *instance;
    }

    CUresult enter(const char* function, bool needsContext)
    {
        Driver& d = driver();
        auto failure = d.failures.find(function);
        if (failure != d.failures.end() && failure->second.first-- <= 0)
            return failure->second.second;
        if (!d.initialized)
            return NotInitialized;
        if (needsContext && (!hasContext || d.contextUses == 0))
            return explain(InvalidContext, std::string(function) + ": no context is current in this thread.");
        return needsContext ? d.broken : Success;
    }

    CUresult explain(CUresult result, const std::string& message)
    {
        driver().message = message;
        if (getenv("CUDA_EMULATOR_VERBOSE"))
            fprintf(stderr, "CUDA emulator: %s\n", message.c_str());
        return result;
    }
}

// ---- Devices and contexts -----------------------------------------------------------------------------------------------------------

EXPORT CUresult cuInit(unsigned flags)
{
    std::lock_guard<std::recursive_mutex> guard(driver().lock);
    Driver& d = driver();
    d.initialized = true;
    if (CUresult refused = enter("cuInit", false))
        return refused;
    return flags != 0 ? InvalidValue : d.devices == 0 ? NoDevice : Success;
}

EXPORT CUresult cuDriverGetVersion(int* version)
{
    *version = 12040;
    return Success;
}

EXPORT CUresult cuDeviceGetCount(int* count)
{
    ENTER(false);
    *count = d.devices;
    return Success;
}

EXPORT CUresult cuDeviceGet(int* device, int ordinal)
{
    ENTER(false);
    if (ordinal < 0 || ordinal >= d.devices)
        return InvalidDevice;
    *device = ordinal;
    return Success;
}

EXPORT CUresult cuDeviceGetName(char* name, int length, int device)
{
    ENTER(false);
    if (device < 0 || device >= d.devices)
        return InvalidDevice;
    snprintf(name, length, "Emulated GPU");
    return Success;
}

EXPORT CUresult cuDeviceTotalMem_v2(size_t* bytes, int)
{
    ENTER(false);
    *bytes = d.memoryLimit;
    return Success;
}

EXPORT CUresult cuDeviceGetAttribute(int* value, int attribute, int device)
{
    ENTER(false);
    if (device < 0 || device >= d.devices)
        return InvalidDevice;
    const std::map<int, int> values = {
        { 1, 1024 }, { 2, 1024 }, { 3, 1024 }, { 4, 64 }, { 5, 2147483647 }, { 6, 65535 }, { 7, 65535 }, { 8, 49152 }, { 10, 32 }, { 12, 65536 }, { 13, 1980000 }, { 16, d.multiprocessors },
        { 18, 0 }, { 19, 1 }, { 20, 0 }, { 31, 1 }, { 36, 2619000 }, { 37, 5120 }, { 38, 52428800 }, { 39, 2048 }, { 40, 3 }, { 41, 1 }, { 75, d.major }, { 76, d.minor }, { 81, 233472 },
        { 82, 65536 }, { 83, 1 }, { 95, 1 }, { 97, 232448 }, { 106, 32 }, { 115, 1 },
    };
    auto found = values.find(attribute);
    if (found == values.end())
        return explain(InvalidValue, "cuDeviceGetAttribute: the emulator does not know attribute " + std::to_string(attribute) + ".");
    *value = found->second;
    return Success;
}

EXPORT CUresult cuDevicePrimaryCtxRetain(void** context, int device)
{
    ENTER(false);
    if (device < 0 || device >= d.devices)
        return InvalidDevice;
    d.contextUses++;
    *context = &contextObject;
    return Success;
}

EXPORT CUresult cuDevicePrimaryCtxRelease_v2(int)
{
    ENTER(false);
    if (d.contextUses == 0)
        return InvalidContext;
    drain_all();
    if (--d.contextUses == 0)
        d.broken = Success;
    return Success;
}

EXPORT CUresult cuCtxSetCurrent(void* context)
{
    ENTER(false);
    if (context && (context != &contextObject || d.contextUses == 0))
        return InvalidContext;
    hasContext = context != nullptr;
    return Success;
}

EXPORT CUresult cuCtxGetCurrent(void** context)
{
    ENTER(false);
    *context = hasContext ? &contextObject : nullptr;
    return Success;
}

EXPORT CUresult cuCtxSynchronize()
{
    ENTER();
    return drain_all();
}

EXPORT CUresult cuGetErrorName(CUresult code, const char** name)
{
    const Text* text = find_text(code);
    *name = text ? text->name : nullptr;
    return text ? Success : InvalidValue;
}

EXPORT CUresult cuGetErrorString(CUresult code, const char** string)
{
    const Text* text = find_text(code);
    *string = text ? text->text : nullptr;
    return text ? Success : InvalidValue;
}

// ---- For tests ----------------------------------------------------------------------------------------------------------------------

// Bytes of device memory that are allocated.
EXPORT uint64_t emulator_memory_in_use()
{
    std::lock_guard<std::recursive_mutex> guard(driver().lock);
    return driver().memoryInUse;
}

EXPORT uint64_t emulator_pinned_in_use()
{
    std::lock_guard<std::recursive_mutex> guard(driver().lock);
    uint64_t bytes = 0;
    for (auto& block : driver().pinned)
        bytes += block.second;
    return bytes;
}

// Streams, events, graphs and modules that are alive.
EXPORT int emulator_objects()
{
    std::lock_guard<std::recursive_mutex> guard(driver().lock);
    Driver& d = driver();
    return (int)(d.streams.size() + d.events.size() + d.graphs.size() + d.executables.size() + d.modules.size());
}

EXPORT int emulator_contexts()
{
    std::lock_guard<std::recursive_mutex> guard(driver().lock);
    return driver().contextUses;
}

EXPORT void emulator_set_memory_limit(uint64_t bytes)
{
    std::lock_guard<std::recursive_mutex> guard(driver().lock);
    driver().memoryLimit = bytes;
}

EXPORT void emulator_set_device(int devices, int multiprocessors, int major, int minor)
{
    std::lock_guard<std::recursive_mutex> guard(driver().lock);
    driver().devices = devices;
    driver().multiprocessors = multiprocessors;
    driver().major = major;
    driver().minor = minor;
}

// Lets a function fail after `skip` calls more, until it is taken back with a result of 0.
EXPORT void emulator_fail_after(const char* function, int skip, int result)
{
    std::lock_guard<std::recursive_mutex> guard(driver().lock);
    if (result == Success)
        driver().failures.erase(function);
    else
        driver().failures[function] = { skip, result };
}

EXPORT void emulator_fail(const char* function, int result) { emulator_fail_after(function, 0, result); }

// Kernels run, in and out of graphs; graphs launched.
EXPORT uint64_t emulator_launches()
{
    std::lock_guard<std::recursive_mutex> guard(driver().lock);
    return driver().launches;
}

EXPORT uint64_t emulator_graph_launches()
{
    std::lock_guard<std::recursive_mutex> guard(driver().lock);
    return driver().graphLaunches;
}

// Why the last call failed that did.
EXPORT const char* emulator_last_error()
{
    std::lock_guard<std::recursive_mutex> guard(driver().lock);
    thread_local std::string copy;
    copy = driver().message;
    return copy.c_str();
}

// Forgets failures and settings, as a new process would.
EXPORT void emulator_reset()
{
    std::lock_guard<std::recursive_mutex> guard(driver().lock);
    driver().set_defaults();
    driver().broken = Success;
    driver().message.clear();
    driver().failures.clear();
    for (Stream* stream : driver().streams)
        stream->queue.clear();
}
