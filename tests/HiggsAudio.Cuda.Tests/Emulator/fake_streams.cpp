// Streams, events and graphs.
#include "fake_cuda.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include "fibers.h"

using namespace emulator;

namespace
{
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
}

namespace emulator
{
    CUresult submit(Stream* stream, Operation&& operation)
    {
        if (stream->capture)
            stream->capture->nodes.push_back(std::move(operation));
        else
            stream->queue.push_back(std::move(operation));
        return Success;
    }

    bool is_stream(Stream* stream) { return driver().streams.count(stream) > 0; }

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
    if (!is_device_range(to, size))
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
    if (!is_device_range(from, size))
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
    if (!is_device_range(to, size) || !is_device_range(from, size))
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
    if (!is_device_range(to, size))
        return InvalidValue;
    memcpy((void*)to, from, size);
    return Success;
}

EXPORT CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t size)
{
    ENTER();
    if (CUresult failed = drain_all())
        return failed;
    if (!is_device_range(from, size))
        return InvalidValue;
    memcpy(to, (const void*)from, size);
    return Success;
}

EXPORT CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, Stream* stream)
{
    ENTER();
    if (!is_stream(stream))
        return InvalidHandle;
    if (to % 4 != 0 || !is_device_range(to, 4 * count))
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
