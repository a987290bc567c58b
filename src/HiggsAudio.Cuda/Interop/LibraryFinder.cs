using System.Runtime.InteropServices;

namespace HiggsAudio.Cuda.Interop;

/// <summary>Finds NVIDIA's libraries at run time, so that the package needs none of them to be loaded.</summary>
internal static class LibraryFinder
{
    /// <summary>A library: what it is called in messages, its environment variable, its file names and how to get it.</summary>
    public sealed record Library(string Title, string Variable, string[] Names, string Remedy);

    public static Library Driver { get; } = new("NVIDIA's driver", "HIGGS_AUDIO_CUDA_DRIVER",
        OperatingSystem.IsWindows() ? ["nvcuda.dll"] : ["libcuda.so.1", "libcuda.so"],
        "It comes with the graphics driver: install or update that. In a container, start it with the GPU (docker run --gpus all).");

    public static Library Nvrtc { get; } = new("NVRTC, which compiles the kernels,", "HIGGS_AUDIO_CUDA_NVRTC",
        OperatingSystem.IsWindows()
            ? ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"]
            : ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"],
        "It is part of the CUDA toolkit 12 or 13 (the package cuda-nvrtc), and of the Python package nvidia-cuda-nvrtc: name the folder in CudaOptions.LibraryFolders.");

    /// <summary>Loads a library.</summary>
    /// <param name="library">Which.</param>
    /// <param name="path">The one to use; null to look for it.</param>
    /// <param name="folders">Folders to look in first.</param>
    /// <exception cref="CudaNotFoundException">It is not there.</exception>
    public static nint Load(Library library, string? path, IReadOnlyList<string> folders)
    {
        string? variable = Environment.GetEnvironmentVariable(library.Variable);
        string? given = path ?? (string.IsNullOrEmpty(variable) ? null : variable);
        IEnumerable<string> places = given is null ? Places(library, folders) : [given];
        foreach (string place in places)
            if (NativeLibrary.TryLoad(place, out nint handle))
                return handle;
        string looked = string.Join(", ", places);
        throw new CudaNotFoundException($"{library.Title} was not found. Looked for: {looked}. {library.Remedy} {library.Variable} may name its file.");
    }

    /// <summary>The address of a function.</summary>
    /// <exception cref="CudaNotFoundException">The library has no such function: it is too old.</exception>
    public static nint Function(nint handle, Library library, string name) =>
        NativeLibrary.TryGetExport(handle, name, out nint address)
            ? address
            : throw new CudaNotFoundException($"{library.Title} has no function {name}: it is too old, CUDA 12 or later is needed. {library.Remedy}");

    // Bare names are looked up as the system does; then the toolkit's folders.
    private static IEnumerable<string> Places(Library library, IReadOnlyList<string> folders)
    {
        foreach (string folder in folders)
            foreach (string name in library.Names)
                yield return Path.Combine(folder, name);
        foreach (string name in library.Names)
            yield return name;
        if (library == Driver)
            yield break;
        string?[] toolkits = [Environment.GetEnvironmentVariable("CUDA_PATH"), Environment.GetEnvironmentVariable("CUDA_HOME"), OperatingSystem.IsWindows() ? null : "/usr/local/cuda"];
        foreach (string toolkit in toolkits.OfType<string>().Where(toolkit => toolkit.Length > 0).Distinct())
            foreach (string below in OperatingSystem.IsWindows() ? (string[])["bin", Path.Combine("bin", "x64")] : ["lib64", "lib", Path.Combine("targets", "x86_64-linux", "lib")])
                foreach (string name in library.Names)
                    yield return Path.Combine(toolkit, below, name);
    }
}
