// Streams, events, graphs, modules and launches.
#include "fake_cuda.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <unistd.h>
#include "fibers.h"

using namespace emulator;

#define ENTER(...) \
    std::lock_guard<std::recursive_mutex> guard(driver().lock); \
    Driver& d = driver(); \
    (void)d; \
    if (CUresult refused = enter(__func__ __VA_OPT__(,) __VA_ARGS__)) \
        return refused

namespace
{
    constexpr int MostShared = 227 * 1024;

    double seconds()
    {
        timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
    }

    CUresult launch(const Operation& operation)
    {
        std::vector<void*> arguments;
        for (const uint64_t& argument : operation.arguments)
            arguments.push_back((void*)&argument);
        Launch launch = { operation.function->kernel, operation.function->owner->module, operation.grid, operation.block, operation.sharedBytes, arguments.data() };
        driver().launches++;
        std::string error = run(launch);
        if (!error.empty())
            return explain(driver().broken = LaunchFailed, error);
        return Success;
    }

    CUresult perform(const Operation& operation)
    {
        Driver& d = driver();
        switch (operation.kind)
        {
            case Operation::Launch:
                return launch(operation);
            case Operation::Copy:
                if (((operation.hostToDevice || !operation.deviceToHost) && !is_device_range((CUdeviceptr)operation.to, operation.size))
                    || ((operation.deviceToHost || !operation.hostToDevice) && !is_device_range((CUdeviceptr)operation.from, operation.size)))
                    return explain(d.broken = IllegalAddress, "a copy of " + std::to_string(operation.size) + " bytes is not inside of a block of device memory when it runs.");
                memmove(operation.to, operation.bytes ? operation.bytes->data() : operation.from, operation.size);
                return Success;
            case Operation::Fill:
                if (!is_device_range((CUdeviceptr)operation.to, operation.size))
                    return explain(d.broken = IllegalAddress, "a fill is not inside of a block of device memory when it runs.");
                for (size_t i = 0; i < operation.size; i += 4)
                    memcpy(operation.to + i, &operation.pattern, 4);
                return Success;
            case Operation::Record:
                operation.event->completed = operation.recording;
                operation.event->time = seconds();
                return Success;
            case Operation::Wait:
                if (operation.event->completed < operation.recording && d.streams.count(operation.other))
                    return drain(operation.other, operation.event, operation.recording);
                return Success;
            case Operation::Replay:
                d.graphLaunches++;
                for (const Operation& node : operation.graph->nodes)
                    if (CUresult failed = perform(node))
                        return failed;
                return Success;
        }
        return Success;
    }

    CUresult submit(Stream* stream, Operation&& operation)
    {
        if (stream->capture)
            stream->capture->nodes.push_back(std::move(operation));
        else
            stream->queue.push_back(std::move(operation));
        return Success;
    }

    bool is_stream(Stream* stream) { return driver().streams.count(stream) > 0; }

    // The loaded library with these bytes; it stays loaded.
    void* library_of(const std::string& bytes, std::string* why)
    {
        static std::map<std::string, void*> libraries;
        auto known = libraries.find(bytes);
        if (known != libraries.end())
            return known->second;
        char path[] = "/tmp/cuda-emulator-XXXXXX";
        int file = mkstemp(path);
        if (file < 0)
            return nullptr;
        for (size_t written = 0; written < bytes.size();)
        {
            ssize_t count = write(file, bytes.data() + written, bytes.size() - written);
            if (count <= 0)
                break;
            written += (size_t)count;
        }
        close(file);
        void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!library)
            *why = dlerror();
        unlink(path);
        return library ? libraries[bytes] = library : nullptr;
    }

    bool is_range(CUdeviceptr address, size_t size) { return is_device_range(address, size); }
}

namespace emulator
{
    CUresult drain(Stream* stream, const Event* until, uint64_t recording)
    {
        if (stream->running)
            return explain(driver().broken = LaunchFailed, "streams wait for each other.");
        stream->running = true;
        CUresult result = driver().broken;
        while (result == Success && !stream->queue.empty() && !(until && until->completed >= recording))
        {
            Operation operation = std::move(stream->queue.front());
            stream->queue.pop_front();
            result = perform(operation);
        }
        stream->running = false;
        return result != Success || until ? result : check_guards();
    }

    CUresult drain_all()
    {
        for (Stream* stream : driver().streams)
        {
            if (stream->capture)
                return explain(CaptureUnsupported, "waiting for everything while a stream is captured.");
            if (!stream->running)
                if (CUresult failed = drain(stream))
                    return failed;
        }
        return Success;
    }
}

// ---- Copies -------------------------------------------------------------------------------------------------------------------------

EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t size, Stream* stream)
{
    ENTER();
    if (!is_stream(stream))
        return InvalidHandle;
    if (!is_range(to, size))
        return explain(InvalidValue, "cuMemcpyHtoDAsync: " + std::to_string(size) + " bytes are not inside of a block of device memory.");
    Operation copy = { Operation::Copy };
    copy.to = (char*)to;
    copy.from = (char*)from;
    copy.size = size;
    copy.hostToDevice = true;
    if (!is_pinned(from, size))
    {
        if (stream->capture)
            return explain(CaptureUnsupported, "cuMemcpyHtoDAsync: a graph copies from memory that is not pinned.");
        copy.bytes = std::make_shared<std::vector<char>>((const char*)from, (const char*)from + size);
    }
    return submit(stream, std::move(copy));
}

EXPORT CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t size, Stream* stream)
{
    ENTER();
    if (!is_stream(stream))
        return InvalidHandle;
    if (!is_range(from, size))
        return explain(InvalidValue, "cuMemcpyDtoHAsync: " + std::to_string(size) + " bytes are not inside of a block of device memory.");
    Operation copy = { Operation::Copy };
    copy.to = (char*)to;
    copy.from = (char*)from;
    copy.size = size;
    copy.deviceToHost = true;
    CUresult result = submit(stream, std::move(copy));
    // To pageable memory the driver copies at once.
    return result == Success && !stream->capture && !is_pinned(to, size) ? drain(stream) : result;
}

EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t size, Stream* stream)
{
    ENTER();
    if (!is_stream(stream))
        return InvalidHandle;
    if (!is_range(to, size) || !is_range(from, size))
        return explain(InvalidValue, "cuMemcpyDtoDAsync: " + std::to_string(size) + " bytes are not inside of blocks of device memory.");
    Operation copy = { Operation::Copy };
    copy.to = (char*)to;
    copy.from = (char*)from;
    copy.size = size;
    return submit(stream, std::move(copy));
}

EXPORT CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t size)
{
    ENTER();
    if (CUresult failed = drain_all())
        return failed;
    if (!is_range(to, size))
        return InvalidValue;
    memcpy((void*)to, from, size);
    return Success;
}

EXPORT CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t size)
{
    ENTER();
    if (CUresult failed = drain_all())
        return failed;
    if (!is_range(from, size))
        return InvalidValue;
    memcpy(to, (const void*)from, size);
    return Success;
}

EXPORT CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, Stream* stream)
{
    ENTER();
    if (!is_stream(stream))
        return InvalidHandle;
    if (to % 4 != 0 || !is_range(to, 4 * count))
        return explain(InvalidValue, "cuMemsetD32Async: " + std::to_string(count) + " words are not inside of a block of device memory.");
    Operation fill = { Operation::Fill };
    fill.to = (char*)to;
    fill.size = 4 * count;
    fill.pattern = value;
    return submit(stream, std::move(fill));
}

// ---- Streams and events ----------------------------------------------------------------------------------------------------------------

EXPORT CUresult cuStreamCreate(Stream** stream, unsigned)
{
    ENTER();
    d.streams.insert(*stream = new Stream());
    return Success;
}

EXPORT CUresult cuStreamDestroy_v2(Stream* stream)
{
    ENTER();
    if (!is_stream(stream))
        return InvalidHandle;
    CUresult result = drain(stream);
    for (Event* event : d.events)
        if (event->stream == stream)
            event->stream = nullptr;
    d.streams.erase(stream);
    delete stream;
    return result;
}

EXPORT CUresult cuStreamSynchronize(Stream* stream)
{
    ENTER();
    if (!is_stream(stream))
        return InvalidHandle;
    return stream->capture ? explain(CaptureUnsupported, "waiting for a stream while it is captured.") : drain(stream);
}

EXPORT CUresult cuStreamQuery(Stream* stream)
{
    ENTER();
    return !is_stream(stream) ? InvalidHandle : stream->queue.empty() ? Success : NotReady;
}

EXPORT CUresult cuStreamWaitEvent(Stream* stream, Event* event, unsigned)
{
    ENTER();
    if (!is_stream(stream) || !d.events.count(event))
        return InvalidHandle;
    Operation wait = { Operation::Wait };
    wait.event = event;
    wait.recording = event->recorded;           // a later recording does not matter
    wait.other = event->stream;
    return submit(stream, std::move(wait));
}

EXPORT CUresult cuEventCreate(Event** event, unsigned flags)
{
    ENTER();
    *event = new Event();
    (*event)->timing = (flags & 2) == 0;
    d.events.insert(*event);
    return Success;
}

EXPORT CUresult cuEventDestroy_v2(Event* event)
{
    ENTER();
    if (!d.events.count(event))
        return InvalidHandle;
    for (Stream* stream : d.streams)
        for (const Operation& operation : stream->queue)
            if (operation.event == event)
            {
                if (CUresult failed = drain(stream))
                    return failed;
                break;
            }
    d.events.erase(event);
    delete event;
    return Success;
}

EXPORT CUresult cuEventRecord(Event* event, Stream* stream)
{
    ENTER();
    if (!is_stream(stream) || !d.events.count(event))
        return InvalidHandle;
    Operation record = { Operation::Record };
    record.event = event;
    record.recording = ++event->recorded;
    event->stream = stream;
    return submit(stream, std::move(record));
}

EXPORT CUresult cuEventSynchronize(Event* event)
{
    ENTER();
    if (!d.events.count(event))
        return InvalidHandle;
    return event->completed < event->recorded && event->stream ? drain(event->stream, event, event->recorded) : Success;
}

EXPORT CUresult cuEventQuery(Event* event)
{
    ENTER();
    return !d.events.count(event) ? InvalidHandle : event->completed < event->recorded ? NotReady : Success;
}

EXPORT CUresult cuEventElapsedTime(float* milliseconds, Event* start, Event* end)
{
    ENTER();
    if (!d.events.count(start) || !d.events.count(end) || !start->timing || !end->timing || start->recorded == 0 || end->recorded == 0)
        return InvalidHandle;
    if (start->completed < start->recorded || end->completed < end->recorded)
        return NotReady;
    *milliseconds = (float)(1000 * (end->time - start->time));
    return Success;
}

// ---- Graphs -------------------------------------------------------------------------------------------------------------------------

EXPORT CUresult cuStreamBeginCapture_v2(Stream* stream, unsigned)
{
    ENTER();
    if (!is_stream(stream))
        return InvalidHandle;
    if (stream->capture)
        return IllegalState;
    stream->capture = std::make_unique<Graph>();
    return Success;
}

EXPORT CUresult cuStreamEndCapture(Stream* stream, Graph** graph)
{
    ENTER();
    if (!is_stream(stream))
        return InvalidHandle;
    if (!stream->capture)
        return IllegalState;
    *graph = stream->capture.release();
    d.graphs.insert(*graph);
    return Success;
}

EXPORT CUresult cuGraphInstantiateWithFlags(std::shared_ptr<Graph>** executable, Graph* graph, unsigned long long)
{
    ENTER();
    if (!d.graphs.count(graph))
        return InvalidHandle;
    *executable = new std::shared_ptr<Graph>(std::make_shared<Graph>(*graph));
    d.executables.insert(*executable);
    return Success;
}

EXPORT CUresult cuGraphLaunch(std::shared_ptr<Graph>* executable, Stream* stream)
{
    ENTER();
    if (!d.executables.count(executable) || !is_stream(stream))
        return InvalidHandle;
    Operation replay = { Operation::Replay };
    replay.graph = *executable;
    return submit(stream, std::move(replay));
}

EXPORT CUresult cuGraphExecDestroy(std::shared_ptr<Graph>* executable)
{
    ENTER();
    if (!d.executables.erase(executable))
        return InvalidHandle;
    delete executable;
    return Success;
}

EXPORT CUresult cuGraphDestroy(Graph* graph)
{
    ENTER();
    if (!d.graphs.erase(graph))
        return InvalidHandle;
    delete graph;
    return Success;
}

// ---- Modules and launches ------------------------------------------------------------------------------------------------------------

EXPORT CUresult cuModuleLoadData(LoadedModule** module, const void* image)
{
    ENTER();
    const ImageHeader* header = (const ImageHeader*)image;
    if (memcmp(header->magic, Magic, sizeof header->magic) != 0)
        return explain(InvalidImage, "cuModuleLoadData: this image was not made by the emulated NVRTC.");
    std::string why;
    void* library = library_of(std::string((const char*)(header + 1), header->size), &why);
    const Module* inside = library ? (const Module*)dlsym(library, "emulator_module") : nullptr;
    if (!inside)
        return explain(InvalidImage, "cuModuleLoadData: " + why);
    inside->bind(runtime());
    d.modules.insert(*module = new LoadedModule { library, inside });
    return Success;
}

EXPORT CUresult cuModuleUnload(LoadedModule* module)
{
    ENTER();
    if (!d.modules.count(module))
        return InvalidHandle;
    CUresult result = drain_all();
    for (auto f = d.functions.begin(); f != d.functions.end();)
        f = f->first.first == module ? d.functions.erase(f) : std::next(f);
    d.modules.erase(module);
    delete module;
    return result;
}

EXPORT CUresult cuModuleGetFunction(Function** function, LoadedModule* module, const char* name)
{
    ENTER();
    if (!d.modules.count(module))
        return InvalidHandle;
    for (int i = 0; i < module->module->count; i++)
        if (strcmp(module->module->kernels[i].name, name) == 0)
        {
            std::unique_ptr<Function>& slot = d.functions[{ module, name }];
            if (!slot)
                slot.reset(new Function { module, module->module->kernels + i });
            *function = slot.get();
            return Success;
        }
    return explain(NotFound, std::string("cuModuleGetFunction: no kernel ") + name + ".");
}

EXPORT CUresult cuFuncSetAttribute(Function* function, int attribute, int value)
{
    ENTER();
    if (attribute != 8)
        return Success;
    if (value > MostShared)
        return explain(InvalidValue, std::string(function->kernel->name) + ": " + std::to_string(value) + " bytes of shared memory.");
    function->mostDynamicShared = value;
    return Success;
}

EXPORT CUresult cuFuncGetAttribute(int* value, int attribute, Function* function)
{
    ENTER();
    *value = attribute == 0 ? function->kernel->maxThreads : attribute == 8 ? function->mostDynamicShared : 0;
    return Success;
}

EXPORT CUresult cuLaunchKernel(Function* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes, Stream* stream,
    void** parameters, void** extra)
{
    ENTER();
    bool known = false;
    for (auto& f : d.functions)
        known |= f.second.get() == function;
    if (!known || !is_stream(stream) || extra)
        return InvalidHandle;
    const Kernel& kernel = *function->kernel;
    std::string name = kernel.name;
    if (gridX == 0 || gridY == 0 || gridZ == 0 || blockX == 0 || blockY == 0 || blockZ == 0)
        return explain(InvalidValue, name + ": an empty grid or block.");
    if (gridX > 2147483647u || gridY > 65535 || gridZ > 65535)
        return explain(InvalidValue, name + ": a grid of " + std::to_string(gridX) + " x " + std::to_string(gridY) + " x " + std::to_string(gridZ) + " blocks.");
    uint64_t threads = (uint64_t)blockX * blockY * blockZ;
    if (blockX > 1024 || blockY > 1024 || blockZ > 64 || threads > 1024)
        return explain(InvalidValue, name + ": a block of " + std::to_string(blockX) + " x " + std::to_string(blockY) + " x " + std::to_string(blockZ) + " threads.");
    if (kernel.maxThreads > 0 && threads > (uint64_t)kernel.maxThreads)
        return explain(LaunchOutOfResources, name + ": " + std::to_string(threads) + " threads, its bound is " + std::to_string(kernel.maxThreads) + ".");
    if ((int)sharedBytes > function->mostDynamicShared)
        return explain(InvalidValue, name + ": " + std::to_string(sharedBytes) + " bytes of shared memory, " + std::to_string(function->mostDynamicShared) + " are allowed.");
    Operation operation = { Operation::Launch };
    operation.function = function;
    operation.grid = { gridX, gridY, gridZ };
    operation.block = { blockX, blockY, blockZ };
    operation.sharedBytes = sharedBytes;
    for (int i = 0; i < kernel.parameters; i++)
    {
        uint64_t value = 0;
        memcpy(&value, parameters[i], (size_t)kernel.sizes[i]);
        operation.arguments.push_back(value);
    }
    return submit(stream, std::move(operation));
}
