using System.Runtime.InteropServices;

namespace HiggsAudio.Cuda.Interop;

/// <summary>The functions of NVRTC (nvrtc.h of CUDA 12) that this package calls.</summary>
internal sealed unsafe class Nvrtc
{
    private readonly delegate* unmanaged<int, byte*> _getErrorString;

    public Nvrtc(nint handle)
    {
        nint At(string name) => LibraryFinder.Function(handle, LibraryFinder.Nvrtc, name);
        _getErrorString = (delegate* unmanaged<int, byte*>)At("nvrtcGetErrorString");
        GetVersion = (delegate* unmanaged<int*, int*, int>)At("nvrtcVersion");
        CreateProgram = (delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int>)At("nvrtcCreateProgram");
        DestroyProgram = (delegate* unmanaged<nint*, int>)At("nvrtcDestroyProgram");
        CompileProgram = (delegate* unmanaged<nint, int, byte**, int>)At("nvrtcCompileProgram");
        GetProgramLogSize = (delegate* unmanaged<nint, nuint*, int>)At("nvrtcGetProgramLogSize");
        GetProgramLog = (delegate* unmanaged<nint, byte*, int>)At("nvrtcGetProgramLog");
        GetCubinSize = (delegate* unmanaged<nint, nuint*, int>)At("nvrtcGetCUBINSize");
        GetCubin = (delegate* unmanaged<nint, byte*, int>)At("nvrtcGetCUBIN");
        GetPtxSize = (delegate* unmanaged<nint, nuint*, int>)At("nvrtcGetPTXSize");
        GetPtx = (delegate* unmanaged<nint, byte*, int>)At("nvrtcGetPTX");
    }

    public delegate* unmanaged<int*, int*, int> GetVersion { get; }

    /// <summary>program, source, name, number of headers, their contents, their names.</summary>
    public delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int> CreateProgram { get; }
    public delegate* unmanaged<nint*, int> DestroyProgram { get; }
    public delegate* unmanaged<nint, int, byte**, int> CompileProgram { get; }
    public delegate* unmanaged<nint, nuint*, int> GetProgramLogSize { get; }
    public delegate* unmanaged<nint, byte*, int> GetProgramLog { get; }
    public delegate* unmanaged<nint, nuint*, int> GetCubinSize { get; }
    public delegate* unmanaged<nint, byte*, int> GetCubin { get; }
    public delegate* unmanaged<nint, nuint*, int> GetPtxSize { get; }
    public delegate* unmanaged<nint, byte*, int> GetPtx { get; }

    /// <summary>Throws if a call failed.</summary>
    /// <exception cref="CudaException">It failed.</exception>
    public void Check(int result, string function)
    {
        if (result != 0)
            throw new CudaException(function, result, Describe(result));
    }

    /// <summary>What NVRTC says about a code.</summary>
    public string Describe(int result) => Marshal.PtrToStringUTF8((nint)_getErrorString(result)) ?? "an unknown error";
}
