using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using HiggsAudio.Extensions.AI.Speech;

namespace HiggsAudio.Extensions.AI.Remote;

/// <summary>
/// Reads 16-bit samples from the bytes of an answer, wherever those are cut: a sample may be divided; a WAV header at the start is skipped, and says the
/// rate; an error may be written, as JSON, in the middle. Not thread-safe.
/// </summary>
internal sealed class SampleReader
{
    private const int MostHeader = 1 << 16, MostError = 1 << 16;
    private static readonly byte[][] ErrorStarts = [[.. "{\"error\""u8], [.. "{\"object\""u8]];
    private readonly List<byte> _bytes = [];   // not yet read
    private bool _begun;

    /// <summary>The sampling rate that the sound itself says; null if it says none.</summary>
    public int? SamplingRate { get; private set; }

    /// <summary>The samples that the bytes complete.</summary>
    /// <exception cref="HiggsAudioRemoteException">The sound is not of the format that was asked for.</exception>
    public float[] Add(ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return (_begun || Begin(ended: false)) ? Samples(ended: false) : [];
    }

    /// <summary>The samples that are left.</summary>
    /// <exception cref="HiggsAudioRemoteException">The answer ends with an error, or in the middle of a sample.</exception>
    public float[] Complete()
    {
        if (!_begun)
            Begin(ended: true);
        ThrowIfError();
        float[] samples = Samples(ended: true);
        if (_bytes.Count > 0)
            throw new HiggsAudioRemoteException("The server's sound ends in the middle of a sample: it was cut.");
        return samples;
    }

    // Whether what comes next are samples.
    private bool Begin(bool ended)
    {
        ReadOnlySpan<byte> bytes = CollectionsMarshal.AsSpan(_bytes);
        if (bytes.Length < 12 && !ended)
            return false;
        if (bytes.StartsWith("ID3"u8) || bytes.StartsWith("OggS"u8) || bytes.StartsWith("fLaC"u8))
            throw new HiggsAudioRemoteException("The server answered with compressed sound, though samples were asked for (response_format pcm).");
        if (bytes.Length >= 12 && bytes.StartsWith("RIFF"u8) && bytes[8..].StartsWith("WAVE"u8))
        {
            int header = HeaderLength(bytes);
            if (header < 0 && !ended && bytes.Length < MostHeader)
                return false;
            if (header < 0)
                throw new HiggsAudioRemoteException("The server answered with a WAV file whose header is broken.");
            _bytes.RemoveRange(0, header);
        }
        _begun = true;
        return true;
    }

    // The bytes before the samples; −1 if they are not all there.
    private int HeaderLength(ReadOnlySpan<byte> bytes)
    {
        for (int at = 12; at + 8 <= bytes.Length;)
        {
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(at + 4)..]);
            if (bytes[at..].StartsWith("data"u8))
                return at + 8;
            if (bytes[at..].StartsWith("fmt "u8) && length >= 16 && at + 24 <= bytes.Length)
            {
                ReadOnlySpan<byte> format = bytes[(at + 8)..];
                (int channels, int bits) = (BinaryPrimitives.ReadUInt16LittleEndian(format[2..]), BinaryPrimitives.ReadUInt16LittleEndian(format[14..]));
                if (channels != 1 || bits != 16)
                    throw new HiggsAudioRemoteException($"The server answered with a WAV file of {channels} channels and {bits} bits; 16-bit mono is read.");
                SamplingRate = (int)Math.Clamp(BinaryPrimitives.ReadUInt32LittleEndian(format[4..]), 1, (uint)Resampler.MaxSamplingRate);
            }
            if (length > MostHeader)
                return -1;
            at += 8 + (int)length + (int)(length & 1);
        }
        return -1;
    }

    private float[] Samples(bool ended)
    {
        ReadOnlySpan<byte> bytes = CollectionsMarshal.AsSpan(_bytes);
        int sound = ended ? bytes.Length : ErrorStart(bytes);
        if (bytes.Length - sound > MostError)
            sound += 2 + ErrorStart(bytes[(sound + 2)..]);   // no error is so long: it was sound
        sound &= ~1;
        float[] samples = SpeechFormat.Decode(bytes[..sound]);
        _bytes.RemoveRange(0, sound);
        return samples;
    }

    // Where an error may begin: at one of its beginnings, or at a part of one at the end; else the end.
    private static int ErrorStart(ReadOnlySpan<byte> bytes)
    {
        for (int at = 0; at < bytes.Length; at++)
        {
            int next = bytes[at..].IndexOf((byte)'{');
            if (next < 0)
                break;
            at += next;
            ReadOnlySpan<byte> rest = bytes[at..];
            foreach (byte[] start in ErrorStarts)
                if (rest.Length >= start.Length ? rest.StartsWith(start) : start.AsSpan().StartsWith(rest))
                    return at;
        }
        return bytes.Length;
    }

    private void ThrowIfError()
    {
        ReadOnlySpan<byte> bytes = CollectionsMarshal.AsSpan(_bytes);
        int at = ErrorStart(bytes);
        if (at == bytes.Length || !RemoteReading.TryParse(bytes[at..], out JsonDocument? document))
            return;
        using (document)
            if (RemoteReading.Error(document!.RootElement) is { } error)
                throw error;
    }
}
