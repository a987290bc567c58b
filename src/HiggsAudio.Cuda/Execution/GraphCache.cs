using HiggsAudio.Cuda.Interop;
using HiggsAudio.Cuda.Memory;

namespace HiggsAudio.Cuda.Execution;

/// <summary>
/// CUDA graphs of command lists that come again: hundreds of launches become one. A list seen a second time is captured; the graphs used least
/// recently make room for new ones.
/// </summary>
/// <param name="context">The GPU.</param>
/// <param name="capacity">Most graphs.</param>
internal sealed unsafe class GraphCache(CudaContext context, int capacity) : IDisposable
{
    // Below, a graph saves nothing.
    private const int FewestCommands = 8;
    private const int Remembered = 256;

    private sealed record Graph(ulong[] Words, nint Executable)
    {
        public long LastUse { get; set; }
    }

    private readonly Dictionary<ulong, Graph> _graphs = [];
    private readonly HashSet<ulong> _seen = [];
    private long _uses;
    private bool _impossible;

    /// <summary>Graphs that were made so far.</summary>
    public int Captures { get; private set; }

    /// <summary>Lists that ran as a graph.</summary>
    public long Replays { get; private set; }

    /// <summary>Gives a list to the stream: as a graph if it is known.</summary>
    public void Submit(CommandList list, CudaStream stream)
    {
        if (list.Count < FewestCommands || _impossible)
        {
            list.Submit(context, stream);
            return;
        }
        ulong hash = Hash(list.Words);
        if (!_graphs.TryGetValue(hash, out Graph? graph) || !list.Words.SequenceEqual(graph.Words))
        {
            if (graph is not null || !IsSeenAgain(hash))
            {
                list.Submit(context, stream);
                return;
            }
            MakeRoom(stream);
            nint executable;
            lock (context.Gate)
                executable = Capture(list, stream);
            if (executable == 0)
            {
                list.Submit(context, stream);
                return;
            }
            _graphs[hash] = graph = new Graph(list.Words.ToArray(), executable);
            Captures++;
        }
        graph.LastUse = ++_uses;
        Replays++;
        context.Driver.Check(context.Driver.GraphLaunch(graph.Executable, stream.Handle), "cuGraphLaunch");
    }

    public void Dispose()
    {
        foreach (Graph graph in _graphs.Values)
            _ = context.Driver.GraphExecDestroy(graph.Executable);
        _graphs.Clear();
    }

    private bool IsSeenAgain(ulong hash)
    {
        if (_seen.Remove(hash))
            return true;
        if (_seen.Count == Remembered)
            _seen.Clear();
        _seen.Add(hash);
        return false;
    }

    private void MakeRoom(CudaStream stream)
    {
        if (_graphs.Count < capacity)
            return;
        ulong oldest = _graphs.MinBy(graph => graph.Value.LastUse).Key;
        stream.Synchronize();
        context.Driver.Check(context.Driver.GraphExecDestroy(_graphs[oldest].Executable), "cuGraphExecDestroy");
        _graphs.Remove(oldest);
    }

    // 0 if the driver makes no graph of it (there may be no memory for one): nothing of the list has run then, and no other list is tried.
    private nint Capture(CommandList list, CudaStream stream)
    {
        CudaDriver driver = context.Driver;
        nint graph = 0, executable = 0;
        if (driver.StreamBeginCapture(stream.Handle, CudaDriver.RelaxedCapture) == 0)
        {
            bool captured = true;
            try
            {
                list.Submit(context, stream);
            }
            catch (CudaException)
            {
                captured = false;
            }
            // A capture that failed is ended all the same, or the stream could not be used again.
            captured &= driver.StreamEndCapture(stream.Handle, &graph) == 0;
            if (captured && driver.GraphInstantiate(&executable, graph, 0) != 0)
                executable = 0;
            if (graph != 0)
                _ = driver.GraphDestroy(graph);
        }
        _impossible = executable == 0;
        return executable;
    }

    private static ulong Hash(ReadOnlySpan<ulong> words)
    {
        ulong hash = 0x9E3779B97F4A7C15;
        foreach (ulong word in words)
        {
            hash = (hash ^ word) * 0xFF51AFD7ED558CCD;
            hash ^= hash >> 32;
        }
        return hash;
    }
}
