using System.Runtime.InteropServices;
using HiggsAudio.Cuda.Memory;

namespace HiggsAudio.Cuda.Execution;

/// <summary>
/// What a lane wants the GPU to do, written down as words and handed over as a whole. Two lists of equal words do the same work, on whatever the
/// pinned memory then holds that they copy from; so one that comes again can be a CUDA graph, without anybody saying that it will.
/// </summary>
internal sealed unsafe class CommandList : IDisposable
{
    private const int FirstWords = 4096;

    private enum Kind : ulong
    {
        Launch,
        Upload,
        Copy,
        Fill,
    }

    private ulong* _words = (ulong*)NativeMemory.Alloc(FirstWords, sizeof(ulong));
    private int _capacity = FirstWords;
    private int _length;

    /// <summary>Commands in the list.</summary>
    public int Count { get; private set; }

    /// <summary>The list as words: equal words, equal work.</summary>
    public ReadOnlySpan<ulong> Words => new(_words, _length);

    /// <summary>Runs a kernel.</summary>
    public void Launch(nint kernel, Extent grid, Extent block, int sharedBytes, ReadOnlySpan<Argument> arguments)
    {
        ulong* at = Add(Kind.Launch, arguments.Length, 5 + arguments.Length);
        at[0] = (ulong)kernel;
        at[1] = Pair(grid.X, grid.Y);
        at[2] = Pair(grid.Z, sharedBytes);
        at[3] = Pair(block.X, block.Y);
        at[4] = (ulong)block.Z;
        MemoryMarshal.Cast<Argument, ulong>(arguments).CopyTo(new Span<ulong>(at + 5, arguments.Length));
    }

    /// <summary>Copies pinned memory to the device: what it holds when the list runs.</summary>
    public void Upload(nint to, byte* from, long bytes) => Add(Kind.Upload, (ulong)to, (ulong)from, (ulong)bytes);

    /// <summary>Copies device memory.</summary>
    public void Copy(nint to, nint from, long bytes) => Add(Kind.Copy, (ulong)to, (ulong)from, (ulong)bytes);

    /// <summary>Sets 32-bit words of device memory.</summary>
    public void Fill(nint to, uint word, long words) => Add(Kind.Fill, (ulong)to, word, (ulong)words);

    public void Clear() => (Count, _length) = (0, 0);

    /// <summary>Gives all commands to a stream, one by one.</summary>
    public void Submit(CudaContext context, CudaStream stream)
    {
        for (ulong* at = _words, end = _words + _length; at < end;)
        {
            var kind = (Kind)(at[0] & 0xFF);
            int arguments = (int)(at[0] >> 8);
            at++;
            switch (kind)
            {
                case Kind.Launch:
                    Launch(context, stream, at, arguments);
                    at += 5 + arguments;
                    continue;
                case Kind.Upload:
                    stream.CopyToDevice((nint)at[0], (void*)at[1], (long)at[2]);
                    break;
                case Kind.Copy:
                    stream.Copy((nint)at[0], (nint)at[1], (long)at[2]);
                    break;
                default:
                    stream.Fill((nint)at[0], (uint)at[1], (long)at[2]);
                    break;
            }
            at += 3;
        }
    }

    public void Dispose()
    {
        NativeMemory.Free(_words);
        _words = null;
        (_capacity, _length, Count) = (0, 0, 0);
    }

    private static void Launch(CudaContext context, CudaStream stream, ulong* at, int arguments)
    {
        void** addresses = stackalloc void*[arguments + 1];
        for (int i = 0; i < arguments; i++)
            addresses[i] = at + 5 + i;
        int result = context.Driver.LaunchKernel((nint)at[0], (uint)at[1], (uint)(at[1] >> 32), (uint)at[2], (uint)at[3], (uint)(at[3] >> 32), (uint)at[4],
            (uint)(at[2] >> 32), stream.Handle, addresses, null);
        context.Driver.Check(result, "cuLaunchKernel");
    }

    private void Add(Kind kind, ulong first, ulong second, ulong third)
    {
        ulong* at = Add(kind, 0, 3);
        (at[0], at[1], at[2]) = (first, second, third);
    }

    private ulong* Add(Kind kind, int arguments, int words)
    {
        if (_length + words + 1 > _capacity)
        {
            _capacity = Math.Max(2 * _capacity, _length + words + 1);
            _words = (ulong*)NativeMemory.Realloc(_words, (nuint)_capacity * sizeof(ulong));
        }
        ulong* at = _words + _length;
        at[0] = (ulong)kind | (ulong)arguments << 8;
        _length += words + 1;
        Count++;
        return at + 1;
    }

    private static ulong Pair(int low, int high) => (uint)low | (ulong)(uint)high << 32;
}
