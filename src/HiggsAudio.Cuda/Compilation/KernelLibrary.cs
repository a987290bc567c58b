using System.Globalization;
using System.Runtime.InteropServices;
using HiggsAudio.Cuda.Interop;
using HiggsAudio.Cuda.Memory;

namespace HiggsAudio.Cuda.Compilation;

/// <summary>A kernel by name: made once, so that finding it costs no look-up of strings.</summary>
/// <param name="module">The source's file name, without extension.</param>
/// <param name="name">The function's name.</param>
internal sealed class KernelName(string module, string name)
{
    private static int s_count;

    /// <summary>Its number among all names.</summary>
    public int Index { get; } = Interlocked.Increment(ref s_count) - 1;

    public string Module => module;

    public string Name => name;
}

/// <summary>The modules of one GPU, each compiled and loaded when it is first asked for. Thread-safe.</summary>
internal sealed unsafe class KernelLibrary : IDisposable
{
    private readonly CudaContext _context;
    private readonly KernelCompiler _compiler;
    private readonly KernelCache _cache;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, nint> _modules = [];
    private volatile Kernel?[] _kernels = [];

    private sealed class Kernel(nint handle)
    {
        public nint Handle { get; } = handle;

        public int SharedBytes { get; set; } = 48 << 10;
    }

    public KernelLibrary(CudaContext context, Nvrtc nvrtc, KernelCache cache)
    {
        (_context, _cache) = (context, cache);
        _compiler = new KernelCompiler(nvrtc, context.Major, context.Minor);
    }

    /// <summary>A kernel's handle; compiled and loaded if need be.</summary>
    /// <param name="name">Which.</param>
    /// <param name="sharedBytes">The dynamic shared memory that it is launched with; more than 48 KB must be said to the driver.</param>
    /// <exception cref="CudaCompilationException">The source has an error.</exception>
    public nint Get(KernelName name, int sharedBytes = 0)
    {
        Kernel?[] kernels = _kernels;
        return name.Index < kernels.Length && kernels[name.Index] is { } kernel && kernel.SharedBytes >= sharedBytes ? kernel.Handle : Load(name, sharedBytes);
    }

    /// <summary>Compiles and loads all modules now.</summary>
    public void LoadAll()
    {
        lock (_lock)
            foreach (string module in KernelSources.Modules)
                Module(module);
    }

    private nint Load(KernelName name, int sharedBytes)
    {
        lock (_lock)
        {
            if (name.Index >= _kernels.Length)
            {
                Kernel?[] kernels = _kernels;
                Array.Resize(ref kernels, name.Index + 32);
                _kernels = kernels;
            }
            _context.Use();
            Kernel kernel = _kernels[name.Index] ??= Find(name);
            if (kernel.SharedBytes < sharedBytes)
            {
                _context.Driver.Check(_context.Driver.FuncSetAttribute(kernel.Handle, CudaDriver.MostDynamicSharedBytes, sharedBytes), "cuFuncSetAttribute");
                kernel.SharedBytes = sharedBytes;
            }
            return kernel.Handle;
        }
    }

    private Kernel Find(KernelName name)
    {
        nint module = Module(name.Module), function = 0, text = Marshal.StringToCoTaskMemUTF8(name.Name);
        try
        {
            _context.Driver.Check(_context.Driver.ModuleGetFunction(&function, module, (byte*)text), $"cuModuleGetFunction({name.Name})");
            return new Kernel(function);
        }
        finally
        {
            Marshal.FreeCoTaskMem(text);
        }
    }

    private nint Module(string name)
    {
        if (_modules.TryGetValue(name, out nint module))
            return module;
        string source = KernelSources.Module(name);
        IReadOnlyList<KeyValuePair<string, string>> headers = KernelSources.Headers;
        string key = KernelCache.KeyOf([name, source, .. headers.SelectMany(header => (string[])[header.Key, header.Value]), .. _compiler.Options, _compiler.Version,
            _context.DriverVersion.ToString(CultureInfo.InvariantCulture)]);
        byte[] image = _cache.GetOrAdd(key, () => _compiler.Compile(name, source, headers));
        _context.Use();
        // The driver reads text (PTX) up to a zero.
        byte[] terminated = [.. image, 0];
        fixed (byte* data = terminated)
            _context.Driver.Check(_context.Driver.ModuleLoadData(&module, data), $"cuModuleLoadData({name})");
        return _modules[name] = module;
    }

    public void Dispose()
    {
        _context.Use();
        foreach (nint module in _modules.Values)
            _ = _context.Driver.ModuleUnload(module);
        _modules.Clear();
        _kernels = [];
    }
}
