using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Quantizer;

/// <summary>One codebook, with linear maps into and out of its space unless that is the quantizer's own.</summary>
internal sealed class Codebook
{
    private readonly int _columns;
    private readonly Weight _entries;
    private readonly Weight? _in;
    private readonly Weight? _inBias;
    private readonly Weight? _out;
    private readonly Weight? _outBias;

    // Codes are decided by small differences: the entries stay 32-bit floats, whatever the format of the rest.
    public Codebook(WeightReader reader, QuantizerSizes sizes, bool decodeOnly)
    {
        _columns = sizes.CodebookWidth;
        _entries = reader.Table("codebook.embed", sizes.CodebookSize, _columns, WeightFormat.Float32);
        if (_columns == sizes.Width)
            return;
        _out = reader.Linear("project_out", sizes.Width, _columns);
        _outBias = reader.Vector("project_out.bias", sizes.Width);
        if (decodeOnly)
            return;
        _in = reader.Linear("project_in", _columns, sizes.Width);
        _inBias = reader.Vector("project_in.bias", _columns);
    }

    /// <summary>The nearest entry of every row of x [frames, width].</summary>
    public void Nearest(Backend ops, Matrix x, Span<int> codes)
    {
        using var scope = ops.Scratch();
        ops.NearestRow(_in is null ? x : ops.Linear(x, _in, _inBias), _entries, codes);   // [frames, columns]
    }

    /// <summary>What codes stand for.</summary>
    /// <returns>[frames, width]</returns>
    public Matrix Lookup(Backend ops, ReadOnlySpan<int> codes)
    {
        Matrix entries = ops.Embed(_entries, codes);                                       // [frames, columns]
        return _out is null ? entries : ops.Linear(entries, _out, _outBias);
    }
}

/// <summary>
/// Residual vector quantization (arXiv:2107.03312, algorithm 1; core_vq_lsx_version.py): each codebook takes the entry nearest to what
/// the ones before it left over.
/// </summary>
internal sealed class ResidualVectorQuantizer(WeightReader reader, QuantizerSizes sizes, bool decodeOnly)
{
    private readonly Codebook[] _codebooks =
        [.. Enumerable.Range(0, sizes.Codebooks).Select(i => new Codebook(reader.Scope($"quantizers.{i}"), sizes, decodeOnly))];

    /// <param name="ops">The lane.</param>
    /// <param name="x">[frames, width]; becomes what is left over.</param>
    /// <returns>[codebooks, frames]</returns>
    public int[] Encode(Backend ops, Matrix x)
    {
        var codes = new int[sizes.Codebooks * x.Rows];
        for (int i = 0; i < _codebooks.Length; i++)
        {
            using var scope = ops.Scratch();
            Span<int> ofCodebook = codes.AsSpan(i * x.Rows, x.Rows);
            _codebooks[i].Nearest(ops, x, ofCodebook);
            Matrix found = _codebooks[i].Lookup(ops, ofCodebook);
            ops.Scale(found, -1);
            ops.Add(x, found);
        }
        return codes;
    }

    /// <param name="ops">The lane.</param>
    /// <param name="codes">Codes of all frames.</param>
    /// <param name="start">First frame to look up.</param>
    /// <param name="frames">Number of frames.</param>
    /// <returns>[frames, width]: the sum of what the codes stand for.</returns>
    public Matrix Decode(Backend ops, AudioCodes codes, int start, int frames)
    {
        Matrix sum = ops.Zeros(frames, sizes.Width);
        for (int i = 0; i < _codebooks.Length; i++)
        {
            using var scope = ops.Scratch();
            ops.Add(sum, _codebooks[i].Lookup(ops, codes.Codebook(i).Slice(start, frames)));
        }
        return sum;
    }
}
