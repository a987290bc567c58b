namespace HiggsAudio.Cuda;

/// <summary>A call of the CUDA driver or of NVRTC failed.</summary>
public sealed class CudaException : Exception
{
    /// <param name="function">The function that was called.</param>
    /// <param name="code">What it returned.</param>
    /// <param name="problem">What the library says about it.</param>
    public CudaException(string function, int code, string problem) : base($"{function} failed: {problem} (code {code}).") =>
        (Function, Code) = (function, code);

    /// <summary>The function that failed, such as <c>cuLaunchKernel</c>.</summary>
    public string Function { get; }

    /// <summary>The code that it returned: a <c>CUresult</c> or <c>nvrtcResult</c>.</summary>
    public int Code { get; }
}

/// <summary>There is no usable NVIDIA GPU, or a library that is needed for it is missing or too old; the message says which, where it was looked for and how to get it.</summary>
public sealed class CudaNotFoundException : Exception
{
    /// <param name="message">What is missing, where it was looked for, how to get it.</param>
    /// <param name="inner">What went wrong.</param>
    public CudaNotFoundException(string message, Exception? inner = null) : base(message, inner)
    {
    }
}

/// <summary>The GPU has not that much free memory.</summary>
public sealed class CudaOutOfMemoryException : OutOfMemoryException
{
    /// <param name="device">The device, such as <c>cuda:0</c>.</param>
    /// <param name="bytes">Bytes that were asked for.</param>
    /// <param name="free">Bytes that are free.</param>
    /// <param name="total">Bytes that there are.</param>
    public CudaOutOfMemoryException(string device, long bytes, long free, long total)
        : base($"{device} has no {bytes:N0} bytes left: {free:N0} of {total:N0} are free. A smaller EngineOptions.WeightFormat, KeyValueFormat or KvCacheBytes needs less.") =>
        Bytes = bytes;

    /// <summary>Bytes that were asked for.</summary>
    public long Bytes { get; }
}

/// <summary>NVRTC refused a kernel; the message has its log.</summary>
public sealed class CudaCompilationException : Exception
{
    /// <param name="kernel">The source file.</param>
    /// <param name="options">What the compiler was told.</param>
    /// <param name="log">What the compiler said.</param>
    public CudaCompilationException(string kernel, string options, string log) : base($"{kernel} could not be compiled ({options}):\n{log}") =>
        (Kernel, Log) = (kernel, log);

    /// <summary>The source file.</summary>
    public string Kernel { get; }

    /// <summary>What the compiler said.</summary>
    public string Log { get; }
}
