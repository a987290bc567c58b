namespace HiggsAudio.Cuda;

/// <summary>How GPUs are used. Immutable.</summary>
public sealed record CudaOptions
{
    /// <summary>The driver's library; null to look for it (environment variable <c>HIGGS_AUDIO_CUDA_DRIVER</c>, then <c>libcuda.so.1</c> or <c>nvcuda.dll</c>).</summary>
    public string? DriverLibrary { get; init; }

    /// <summary>NVRTC, which compiles the kernels; null to look for it (<c>HIGGS_AUDIO_CUDA_NVRTC</c>, the usual names of CUDA 12 and 13, <see cref="LibraryFolders"/>, the toolkit's folder).</summary>
    public string? NvrtcLibrary { get; init; }

    /// <summary>Folders in which NVRTC is looked for, before the toolkit's: such as the <c>nvidia/cuda_nvrtc/lib</c> of a Python environment.</summary>
    public IReadOnlyList<string> LibraryFolders { get; init; } = [];

    /// <summary>Where compiled kernels are kept; null for a folder of the user's, empty to keep none. A folder that cannot be written is not used.</summary>
    public string? KernelCacheFolder { get; init; }

    /// <summary>Whether a sequence of kernels that comes again (a decode step) is given to the GPU as one CUDA graph. The results are the same.</summary>
    public bool UseGraphs { get; init; } = true;

    /// <summary>Whether neighbouring operations of a decode step are done by one kernel. The results are the same.</summary>
    public bool FuseOperations { get; init; } = true;
}
