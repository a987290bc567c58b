using System.Globalization;
using System.Runtime.InteropServices;
using HiggsAudio.Cuda.Interop;

namespace HiggsAudio.Cuda.Memory;

/// <summary>One GPU: the driver and the device's primary context, which is shared with other users of CUDA in the process. Thread-safe.</summary>
internal sealed unsafe class CudaContext : IDisposable
{
    // The kernels multiply bfloat16 values on tensor cores.
    private const int LeastMajor = 8;

    private readonly int _device;
    private readonly nint _context;
    private long _bytes;
    private bool _disposed;

    /// <param name="driver">The driver.</param>
    /// <param name="ordinal">Number of the GPU, from 0.</param>
    /// <exception cref="CudaNotFoundException">There is no such GPU.</exception>
    public CudaContext(CudaDriver driver, int ordinal)
    {
        Driver = driver;
        Name = string.Create(CultureInfo.InvariantCulture, $"cuda:{ordinal}");
        int result = driver.Init(0), count = 0, device = 0;
        if (result != 0)
            throw new CudaNotFoundException($"No NVIDIA GPU can be used: cuInit says {driver.Describe(result)}.");
        driver.Check(driver.DeviceGetCount(&count), "cuDeviceGetCount");
        if ((uint)ordinal >= (uint)count)
            throw new CudaNotFoundException($"There is no {Name}: this machine has {count} NVIDIA GPUs, counted from 0.");
        driver.Check(driver.DeviceGet(&device, ordinal), "cuDeviceGet");
        _device = device;
        (Major, Minor) = (Attribute(CudaDriver.ComputeCapabilityMajor), Attribute(CudaDriver.ComputeCapabilityMinor));
        (Multiprocessors, SharedBytes) = (Attribute(CudaDriver.Multiprocessors), Attribute(CudaDriver.MostSharedBytesOfBlock));
        byte* name = stackalloc byte[256];
        driver.Check(driver.DeviceGetName(name, 256, device), "cuDeviceGetName");
        Model = Marshal.PtrToStringUTF8((nint)name) ?? "";
        if (Major < LeastMajor)
            throw new CudaNotFoundException($"{Name}, {Model}, has compute capability {Major}.{Minor}; {LeastMajor}.0 (Ampere, 2020) or later is needed.");
        int version = 0;
        driver.Check(driver.DriverGetVersion(&version), "cuDriverGetVersion");
        DriverVersion = version;
        nint context = 0;
        driver.Check(driver.DevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
        _context = context;
    }

    public CudaDriver Driver { get; }

    /// <summary>Such as <c>cuda:0</c>.</summary>
    public string Name { get; }

    /// <summary>What the GPU is called.</summary>
    public string Model { get; }

    /// <summary>
    /// Held while a graph is captured, and by what may wait for the whole GPU: while a stream is captured, the driver refuses that. Nothing else is locked in it.
    /// </summary>
    public Lock Gate { get; } = new();

    /// <summary>Compute capability.</summary>
    public int Major { get; }

    /// <summary>Compute capability, after the point.</summary>
    public int Minor { get; }

    public int Multiprocessors { get; }

    /// <summary>Most shared memory of a block, in bytes.</summary>
    public int SharedBytes { get; }

    /// <summary>The CUDA version of the driver, such as 12040.</summary>
    public int DriverVersion { get; }

    /// <summary>Bytes of device memory allocated here.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Gives memory back that is kept for later, where there is none left; says whether there was any.</summary>
    public Func<bool>? Trim { get; set; }

    /// <summary>Makes the context the calling thread's: before any other call.</summary>
    public void Use()
    {
        ObjectDisposedException.ThrowIf(_disposed, typeof(CudaDevice));
        Driver.Check(Driver.CtxSetCurrent(_context), "cuCtxSetCurrent");
    }

    /// <summary>Device memory with undefined contents, aligned to 256 bytes.</summary>
    /// <exception cref="CudaOutOfMemoryException">There is not that much.</exception>
    public nint Allocate(long bytes)
    {
        Use();
        nint data = 0;
        int result = Driver.MemAlloc(&data, (nuint)Math.Max(1, bytes));
        if (result == CudaDriver.OutOfMemory && Trim?.Invoke() == true)
            result = Driver.MemAlloc(&data, (nuint)Math.Max(1, bytes));
        if (result == CudaDriver.OutOfMemory)
        {
            (long free, long total) = MemoryInfo();
            throw new CudaOutOfMemoryException(Name, bytes, free, total);
        }
        Driver.Check(result, "cuMemAlloc");
        Interlocked.Add(ref _bytes, bytes);
        return data;
    }

    /// <summary>Frees device memory that no kernel uses any more. A GPU on which a kernel failed refuses this, too; that has been said elsewhere.</summary>
    public void Free(nint data, long bytes)
    {
        if (_disposed)
            return;
        lock (Gate)
        {
            _ = Driver.CtxSetCurrent(_context);
            _ = Driver.MemFree(data);
        }
        Interlocked.Add(ref _bytes, -bytes);
    }

    /// <summary>Free and all bytes of the GPU's memory.</summary>
    public (long Free, long Total) MemoryInfo()
    {
        Use();
        nuint free = 0, total = 0;
        Driver.Check(Driver.MemGetInfo(&free, &total), "cuMemGetInfo");
        return ((long)free, (long)total);
    }

    /// <summary>Waits until the GPU has done everything, or can do nothing more.</summary>
    public void Settle()
    {
        lock (Gate)
        {
            _ = Driver.CtxSetCurrent(_context);
            _ = Driver.CtxSynchronize();
        }
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _ = Driver.DevicePrimaryCtxRelease(_device);
    }

    private int Attribute(int attribute)
    {
        int value = 0;
        Driver.Check(Driver.DeviceGetAttribute(&value, attribute, _device), "cuDeviceGetAttribute");
        return value;
    }
}
