using System.Diagnostics;

namespace HiggsAudio.LongForm;

/// <summary>Tells a caller how far the speaking of a text is.</summary>
internal sealed class SpeechMeter(IReadOnlyList<SpeechPiece> pieces, int samplingRate, IProgress<SpeakProgress>? progress)
{
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private readonly int _chunks = pieces.Count(piece => !piece.IsPause);
    private readonly long _characters = pieces.Sum(piece => (long)piece.Text.Length);
    private int _chunk, _frames;
    private long _said;

    public void AddFrames(int frames, long samples)
    {
        _frames += frames;
        Report(samples);
    }

    public void EndChunk(SpeechPiece piece, long samples)
    {
        _chunk++;
        _said += piece.Text.Length;
        Report(samples);
    }

    private void Report(long samples) => progress?.Report(new SpeakProgress(_chunk, _chunks, (double)_said / _characters, _frames,
        TimeSpan.FromSeconds((double)samples / samplingRate), _frames / Math.Max(_watch.Elapsed.TotalSeconds, 1e-6)));
}
