using System.Diagnostics;
using HiggsAudio.Compute;
using HiggsAudio.Model;

namespace HiggsAudio.Benchmarks;

/// <summary>Steps of a model on a lane of a device: sequences with a context, rows added to them and taken back.</summary>
internal sealed class TrueSizeSteps : IDisposable
{
    private readonly HiggsAudioModel _model;
    private readonly Device _device;
    private readonly Backend _lane;
    private readonly TokenBatch _batch;
    private readonly int[] _codes;

    /// <param name="model">The model.</param>
    /// <param name="device">A device that computes on its weights; disposed with this.</param>
    /// <param name="threads">Its threads.</param>
    public TrueSizeSteps(HiggsAudioModel model, Device device, int threads)
    {
        (_model, _device, Threads) = (model, device, threads);
        _lane = _device.CreateLane();
        _batch = model.CreateBatch();
        _codes = new int[model.Config.AudioNumCodebooks];
    }

    public int Threads { get; }

    /// <summary>A sequence that has come so far: its cache is filled with keys and values of random rows.</summary>
    public SequenceState Sequence(int length)
    {
        SequenceState sequence = _model.CreateSequence();
        for (int i = 0; i < length; i++)
            sequence.Next(audio: true, padding: false);
        sequence.EndPrefill();
        KvCacheShape shape = _model.CacheShape;
        var rotary = new RotaryTable(_model.Config.Rope.InverseFrequencies(shape.HeadDim));
        var random = new Random(1);
        const int Piece = 64;
        int width = shape.KeyValueHeads * shape.HeadDim;
        var values = new float[Piece * width];
        var rows = new RowMap();
        using var scratch = _lane.Scratch();
        for (int i = 0; i < values.Length; i++)
            values[i] = 2 * random.NextSingle() - 1;
        for (int first = 0; first < length; first += Piece)
        {
            int count = Math.Min(Piece, length - first);
            rows.Clear();
            for (int i = 0; i < count; i++)
                rows.Add(sequence.Cache, first + i, first + i);
            using var piece = _lane.Scratch();
            Matrix x = _lane.Upload(values, Piece, width)[..count];
            for (int layer = 0; layer < shape.Layers; layer++)
                _lane.RotateAppendAttend(_lane.Copy(x), _lane.Copy(x), x, rotary, rows, layer);
        }
        return sequence;
    }

    /// <summary>Adds one frame to every sequence, again and again, and takes them back at the end.</summary>
    /// <returns>Seconds of a step, and bytes allocated by one.</returns>
    public (double Seconds, double Allocated) Decode(ReadOnlySpan<SequenceState> sequences, int steps)
    {
        SequenceLength start = sequences[0].Length;
        Step(sequences, 0);
        long allocated = GC.GetTotalAllocatedBytes(precise: true), begin = Stopwatch.GetTimestamp();
        for (int i = 1; i <= steps; i++)
            Step(sequences, i);
        double seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        foreach (SequenceState sequence in sequences)
            sequence.Truncate(start);
        return (seconds / steps, (double)allocated / steps);
    }

    /// <summary>Most bytes of intermediate results so far.</summary>
    public long ScratchBytes => _lane.ScratchBytes;

    /// <summary>Runs a prompt of text tokens in one batch.</summary>
    /// <returns>Seconds.</returns>
    public double Prefill(int tokens)
    {
        using SequenceState sequence = _model.CreateSequence();
        sequence.Reserve(tokens);
        _batch.Clear();
        for (int i = 0; i < tokens; i++)
            _batch.AddText(sequence, (i * 7919 + 13) % 100_000);
        _batch.RequestAudioLogits();
        long begin = Stopwatch.GetTimestamp();
        _model.Forward(_lane, _batch);
        return Stopwatch.GetElapsedTime(begin).TotalSeconds;
    }

    public void Dispose()
    {
        _lane.Dispose();
        _device.Dispose();
    }

    private void Step(ReadOnlySpan<SequenceState> sequences, int step)
    {
        _batch.Clear();
        for (int s = 0; s < sequences.Length; s++)
        {
            for (int c = 0; c < _codes.Length; c++)
                _codes[c] = (step * 37 + c * 131 + s * 17) % 1024;
            _batch.AddAudio(sequences[s], _codes);
            _batch.RequestAudioLogits();
        }
        _model.Forward(_lane, _batch);
    }
}
