using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using HiggsAudio.Cuda.Interop;

namespace HiggsAudio.Cuda.Compilation;

/// <summary>Compiles a module with NVRTC for one kind of GPU.</summary>
internal sealed unsafe class KernelCompiler
{
    // NVRTC_ERROR_COMPILATION, NVRTC_ERROR_INVALID_OPTION
    private const int CompilationError = 6, InvalidOption = 5;

    private readonly Nvrtc _nvrtc;
    private readonly int _capability;

    /// <param name="nvrtc">The compiler.</param>
    /// <param name="major">Compute capability.</param>
    /// <param name="minor">Compute capability, after the point.</param>
    public KernelCompiler(Nvrtc nvrtc, int major, int minor)
    {
        (_nvrtc, _capability) = (nvrtc, 10 * major + minor);
        int version = 0, after = 0;
        nvrtc.Check(nvrtc.GetVersion(&version, &after), "nvrtcVersion");
        Version = string.Create(CultureInfo.InvariantCulture, $"{version}.{after}");
    }

    /// <summary>NVRTC's version.</summary>
    public string Version { get; }

    /// <summary>What the compiler is told.</summary>
    public IReadOnlyList<string> Options => OptionsFor("sm");

    /// <summary>Machine code for the GPU; where NVRTC does not know it yet, PTX of the newest kind that it knows, which the driver translates.</summary>
    /// <exception cref="CudaCompilationException">The source has an error.</exception>
    public byte[] Compile(string name, string source, IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        if (TryCompile(name, source, headers, OptionsFor("sm"), machineCode: true) is { } image)
            return image;
        if (TryCompile(name, source, headers, OptionsFor("compute"), machineCode: false) is { } text)
            return text;
        // NVRTC is older than the GPU: its PTX of compute capability 8.0 runs on all later ones.
        IReadOnlyList<string> options = ["--gpu-architecture=compute_80", .. OptionsFor("sm").Skip(1)];
        return TryCompile(name, source, headers, options, machineCode: false)
            ?? throw new CudaCompilationException(name, string.Join(' ', options), $"NVRTC {Version} does not know this GPU (compute capability {_capability / 10}.{_capability % 10}).");
    }

    private string[] OptionsFor(string kind) =>
        [string.Create(CultureInfo.InvariantCulture, $"--gpu-architecture={kind}_{_capability}"), "--std=c++17", "--device-as-default-execution-space"];

    // Null if NVRTC does not know the architecture.
    private byte[]? TryCompile(string name, string source, IReadOnlyList<KeyValuePair<string, string>> headers, IReadOnlyList<string> options, bool machineCode)
    {
        using var texts = new NativeStrings([source, name + ".cu", .. headers.Select(header => header.Value), .. headers.Select(header => header.Key), .. options]);
        byte** at = texts.Pointers;
        nint program = 0;
        _nvrtc.Check(_nvrtc.CreateProgram(&program, at[0], at[1], headers.Count, at + 2, at + 2 + headers.Count), "nvrtcCreateProgram");
        try
        {
            int result = _nvrtc.CompileProgram(program, options.Count, at + 2 + 2 * headers.Count);
            if (result == InvalidOption)
                return null;
            if (result == CompilationError)
                throw new CudaCompilationException(name + ".cu", string.Join(' ', options), Log(program));
            _nvrtc.Check(result, "nvrtcCompileProgram");
            return Image(program, machineCode);
        }
        finally
        {
            _ = _nvrtc.DestroyProgram(&program);
        }
    }

    private byte[] Image(nint program, bool machineCode)
    {
        nuint size = 0;
        _nvrtc.Check(machineCode ? _nvrtc.GetCubinSize(program, &size) : _nvrtc.GetPtxSize(program, &size), machineCode ? "nvrtcGetCUBINSize" : "nvrtcGetPTXSize");
        var image = new byte[size];
        fixed (byte* to = image)
            _nvrtc.Check(machineCode ? _nvrtc.GetCubin(program, to) : _nvrtc.GetPtx(program, to), machineCode ? "nvrtcGetCUBIN" : "nvrtcGetPTX");
        return image;
    }

    private string Log(nint program)
    {
        nuint size = 0;
        _nvrtc.Check(_nvrtc.GetProgramLogSize(program, &size), "nvrtcGetProgramLogSize");
        var log = new byte[size];
        fixed (byte* to = log)
            _nvrtc.Check(_nvrtc.GetProgramLog(program, to), "nvrtcGetProgramLog");
        return Encoding.UTF8.GetString(log).TrimEnd('\0');
    }

    // Strings as C has them.
    private sealed class NativeStrings : IDisposable
    {
        private readonly int _count;

        public NativeStrings(string[] texts)
        {
            Pointers = (byte**)NativeMemory.Alloc((nuint)(texts.Length * sizeof(byte*)));
            foreach (string text in texts)
                Pointers[_count++] = (byte*)Marshal.StringToCoTaskMemUTF8(text);
        }

        public byte** Pointers { get; }

        public void Dispose()
        {
            for (int i = 0; i < _count; i++)
                Marshal.FreeCoTaskMem((nint)Pointers[i]);
            NativeMemory.Free(Pointers);
        }
    }
}
