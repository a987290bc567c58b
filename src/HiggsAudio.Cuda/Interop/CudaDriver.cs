using System.Runtime.InteropServices;

namespace HiggsAudio.Cuda.Interop;

/// <summary>The functions of the CUDA driver API (cuda.h of CUDA 12) that this package calls. Sizes and addresses are 64-bit.</summary>
internal sealed unsafe class CudaDriver
{
    // CUresult
    public const int OutOfMemory = 2, NoDevice = 100;

    // CUdevice_attribute
    public const int Multiprocessors = 16, ComputeCapabilityMajor = 75, ComputeCapabilityMinor = 76, MostSharedBytesOfBlock = 97;

    // CU_STREAM_NON_BLOCKING, CU_EVENT_DISABLE_TIMING, CU_STREAM_CAPTURE_MODE_RELAXED, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    public const uint NonBlockingStream = 1, EventWithoutTiming = 2, RelaxedCapture = 2;
    public const int MostDynamicSharedBytes = 8;

    private readonly delegate* unmanaged<int, byte**, int> _getErrorName, _getErrorString;

    public CudaDriver(nint handle)
    {
        nint At(string name) => LibraryFinder.Function(handle, LibraryFinder.Driver, name);
        Init = (delegate* unmanaged<uint, int>)At("cuInit");
        DriverGetVersion = (delegate* unmanaged<int*, int>)At("cuDriverGetVersion");
        DeviceGetCount = (delegate* unmanaged<int*, int>)At("cuDeviceGetCount");
        DeviceGet = (delegate* unmanaged<int*, int, int>)At("cuDeviceGet");
        DeviceGetName = (delegate* unmanaged<byte*, int, int, int>)At("cuDeviceGetName");
        DeviceGetAttribute = (delegate* unmanaged<int*, int, int, int>)At("cuDeviceGetAttribute");
        DevicePrimaryCtxRetain = (delegate* unmanaged<nint*, int, int>)At("cuDevicePrimaryCtxRetain");
        DevicePrimaryCtxRelease = (delegate* unmanaged<int, int>)At("cuDevicePrimaryCtxRelease_v2");
        CtxSetCurrent = (delegate* unmanaged<nint, int>)At("cuCtxSetCurrent");
        CtxSynchronize = (delegate* unmanaged<int>)At("cuCtxSynchronize");
        MemGetInfo = (delegate* unmanaged<nuint*, nuint*, int>)At("cuMemGetInfo_v2");
        MemAlloc = (delegate* unmanaged<nint*, nuint, int>)At("cuMemAlloc_v2");
        MemFree = (delegate* unmanaged<nint, int>)At("cuMemFree_v2");
        MemHostAlloc = (delegate* unmanaged<void**, nuint, uint, int>)At("cuMemHostAlloc");
        MemFreeHost = (delegate* unmanaged<void*, int>)At("cuMemFreeHost");
        MemcpyHtoDAsync = (delegate* unmanaged<nint, void*, nuint, nint, int>)At("cuMemcpyHtoDAsync_v2");
        MemcpyDtoHAsync = (delegate* unmanaged<void*, nint, nuint, nint, int>)At("cuMemcpyDtoHAsync_v2");
        MemcpyDtoDAsync = (delegate* unmanaged<nint, nint, nuint, nint, int>)At("cuMemcpyDtoDAsync_v2");
        MemsetD32Async = (delegate* unmanaged<nint, uint, nuint, nint, int>)At("cuMemsetD32Async");
        StreamCreate = (delegate* unmanaged<nint*, uint, int>)At("cuStreamCreate");
        StreamDestroy = (delegate* unmanaged<nint, int>)At("cuStreamDestroy_v2");
        StreamSynchronize = (delegate* unmanaged<nint, int>)At("cuStreamSynchronize");
        StreamWaitEvent = (delegate* unmanaged<nint, nint, uint, int>)At("cuStreamWaitEvent");
        StreamBeginCapture = (delegate* unmanaged<nint, uint, int>)At("cuStreamBeginCapture_v2");
        StreamEndCapture = (delegate* unmanaged<nint, nint*, int>)At("cuStreamEndCapture");
        EventCreate = (delegate* unmanaged<nint*, uint, int>)At("cuEventCreate");
        EventDestroy = (delegate* unmanaged<nint, int>)At("cuEventDestroy_v2");
        EventRecord = (delegate* unmanaged<nint, nint, int>)At("cuEventRecord");
        EventSynchronize = (delegate* unmanaged<nint, int>)At("cuEventSynchronize");
        EventElapsedTime = (delegate* unmanaged<float*, nint, nint, int>)At("cuEventElapsedTime");
        GraphInstantiate = (delegate* unmanaged<nint*, nint, ulong, int>)At("cuGraphInstantiateWithFlags");
        GraphLaunch = (delegate* unmanaged<nint, nint, int>)At("cuGraphLaunch");
        GraphExecDestroy = (delegate* unmanaged<nint, int>)At("cuGraphExecDestroy");
        GraphDestroy = (delegate* unmanaged<nint, int>)At("cuGraphDestroy");
        ModuleLoadData = (delegate* unmanaged<nint*, void*, int>)At("cuModuleLoadData");
        ModuleUnload = (delegate* unmanaged<nint, int>)At("cuModuleUnload");
        ModuleGetFunction = (delegate* unmanaged<nint*, nint, byte*, int>)At("cuModuleGetFunction");
        FuncSetAttribute = (delegate* unmanaged<nint, int, int, int>)At("cuFuncSetAttribute");
        LaunchKernel = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)At("cuLaunchKernel");
        _getErrorName = (delegate* unmanaged<int, byte**, int>)At("cuGetErrorName");
        _getErrorString = (delegate* unmanaged<int, byte**, int>)At("cuGetErrorString");
    }

    public delegate* unmanaged<uint, int> Init { get; }
    public delegate* unmanaged<int*, int> DriverGetVersion { get; }
    public delegate* unmanaged<int*, int> DeviceGetCount { get; }
    public delegate* unmanaged<int*, int, int> DeviceGet { get; }
    public delegate* unmanaged<byte*, int, int, int> DeviceGetName { get; }
    public delegate* unmanaged<int*, int, int, int> DeviceGetAttribute { get; }
    public delegate* unmanaged<nint*, int, int> DevicePrimaryCtxRetain { get; }
    public delegate* unmanaged<int, int> DevicePrimaryCtxRelease { get; }
    public delegate* unmanaged<nint, int> CtxSetCurrent { get; }
    public delegate* unmanaged<int> CtxSynchronize { get; }
    public delegate* unmanaged<nuint*, nuint*, int> MemGetInfo { get; }
    public delegate* unmanaged<nint*, nuint, int> MemAlloc { get; }
    public delegate* unmanaged<nint, int> MemFree { get; }
    public delegate* unmanaged<void**, nuint, uint, int> MemHostAlloc { get; }
    public delegate* unmanaged<void*, int> MemFreeHost { get; }
    public delegate* unmanaged<nint, void*, nuint, nint, int> MemcpyHtoDAsync { get; }
    public delegate* unmanaged<void*, nint, nuint, nint, int> MemcpyDtoHAsync { get; }
    public delegate* unmanaged<nint, nint, nuint, nint, int> MemcpyDtoDAsync { get; }
    public delegate* unmanaged<nint, uint, nuint, nint, int> MemsetD32Async { get; }
    public delegate* unmanaged<nint*, uint, int> StreamCreate { get; }
    public delegate* unmanaged<nint, int> StreamDestroy { get; }
    public delegate* unmanaged<nint, int> StreamSynchronize { get; }
    public delegate* unmanaged<nint, nint, uint, int> StreamWaitEvent { get; }
    public delegate* unmanaged<nint, uint, int> StreamBeginCapture { get; }
    public delegate* unmanaged<nint, nint*, int> StreamEndCapture { get; }
    public delegate* unmanaged<nint*, uint, int> EventCreate { get; }
    public delegate* unmanaged<nint, int> EventDestroy { get; }
    public delegate* unmanaged<nint, nint, int> EventRecord { get; }
    public delegate* unmanaged<nint, int> EventSynchronize { get; }
    public delegate* unmanaged<float*, nint, nint, int> EventElapsedTime { get; }
    public delegate* unmanaged<nint*, nint, ulong, int> GraphInstantiate { get; }
    public delegate* unmanaged<nint, nint, int> GraphLaunch { get; }
    public delegate* unmanaged<nint, int> GraphExecDestroy { get; }
    public delegate* unmanaged<nint, int> GraphDestroy { get; }
    public delegate* unmanaged<nint*, void*, int> ModuleLoadData { get; }
    public delegate* unmanaged<nint, int> ModuleUnload { get; }
    public delegate* unmanaged<nint*, nint, byte*, int> ModuleGetFunction { get; }
    public delegate* unmanaged<nint, int, int, int> FuncSetAttribute { get; }

    /// <summary>function, grid x y z, block x y z, dynamic shared bytes, stream, addresses of the arguments, null.</summary>
    public delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> LaunchKernel { get; }

    /// <summary>Throws if a call failed.</summary>
    /// <param name="result">What it returned.</param>
    /// <param name="function">Its name.</param>
    /// <exception cref="CudaException">It failed.</exception>
    public void Check(int result, string function)
    {
        if (result != 0)
            throw new CudaException(function, result, Describe(result));
    }

    /// <summary>What the driver says about a code.</summary>
    public string Describe(int result)
    {
        byte* name = null, text = null;
        _ = _getErrorName(result, &name);
        _ = _getErrorString(result, &text);
        return name == null ? "an error that the driver does not know" : $"{Marshal.PtrToStringUTF8((nint)name)}, {Marshal.PtrToStringUTF8((nint)text)}";
    }
}
