using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;

namespace HiggsAudio.Voices;

/// <summary>
/// A voice as a file: "HGAVOICE", the version (1), the header's length, the header (JSON: what it is and the sizes), the codes frame by frame,
/// SHA-256 of all before. Numbers are little-endian: version and length of 32 bits, codes of 16.
/// </summary>
internal static class VoiceFile
{
    private const int Version = 1, Start = 16, MostHeader = 1 << 20, MostBytes = 64 << 20;

    private static ReadOnlySpan<byte> Magic => "HGAVOICE"u8;

    public static byte[] Write(Voice voice)
    {
        byte[] header = Header(voice);
        AudioCodes codes = voice.Codes;
        var file = new byte[Start + header.Length + 2 * codes.Codebooks * codes.Frames + SHA256.HashSizeInBytes];
        Magic.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(12), header.Length);
        header.CopyTo(file, Start);
        Span<byte> rest = file.AsSpan(Start + header.Length);
        for (int frame = 0; frame < codes.Frames; frame++)
            for (int codebook = 0; codebook < codes.Codebooks; codebook++, rest = rest[2..])
                BinaryPrimitives.WriteUInt16LittleEndian(rest, checked((ushort)codes[codebook, frame]));
        SHA256.HashData(file.AsSpan(0, file.Length - rest.Length), rest);
        return file;
    }

    public static Voice Read(Stream stream, string? source)
    {
        byte[] file = ReadAll(stream, source);
        VoiceFormatException Problem(string problem, Exception? inner = null) => new(source, problem, inner);
        if (file.Length < Start || !file.AsSpan(0, 8).SequenceEqual(Magic))
            throw Problem("is not a saved voice");
        int version = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(8)), length = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(12));
        if (version != Version)
            throw Problem($"is of version {version}; this library reads version {Version}");
        int data = file.Length - SHA256.HashSizeInBytes;
        if (length is < 2 or > MostHeader || Start + length > data)
            throw Problem($"is broken or cut: a header of {length} bytes in a file of {file.Length}");
        if (!SHA256.HashData(file.AsSpan(0, data)).AsSpan().SequenceEqual(file.AsSpan(data)))
            throw Problem("is broken: its checksum does not match");
        try
        {
            using JsonDocument header = JsonDocument.Parse(file.AsMemory(Start, length));
            return Read(header.RootElement, file.AsSpan(Start + length, data - Start - length), Problem);
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or FormatException or KeyNotFoundException or ArgumentException)
        {
            throw Problem($"has a header that is not as expected: {problem.Message.TrimEnd('.')}", problem);
        }
    }

    private static Voice Read(JsonElement header, ReadOnlySpan<byte> data, Func<string, Exception?, VoiceFormatException> problem)
    {
        string Text(string name) => header.GetProperty(name).GetString() ?? throw new FormatException($"{name} is null");
        int codebooks = Number(header, "codebooks", 256), size = Number(header, "codebook_size", ushort.MaxValue + 1), frames = Number(header, "frames", MostBytes);
        double rate = header.GetProperty("frame_rate").GetDouble();
        if (!double.IsFinite(rate) || rate <= 0)
            throw new FormatException($"frame_rate is {rate}");
        if (2L * codebooks * frames != data.Length)
            throw problem($"is broken or cut: {data.Length} bytes of codes, expected {2L * codebooks * frames}", null);
        var codes = new int[codebooks * frames];
        for (int i = 0; i < codes.Length; i++)
        {
            codes[i] = BinaryPrimitives.ReadUInt16LittleEndian(data[(2 * i)..]);
            if (codes[i] >= size)
                throw problem($"has the code {codes[i]} in frame {i / codebooks}; codes are 0 to {size - 1}", null);
        }
        string? scene = header.TryGetProperty("scene", out JsonElement found) ? found.GetString() : null;
        return new Voice(AudioCodes.FromFrames(codebooks, codes, rate), size, Text("transcript"), Text("name"), scene);
    }

    private static int Number(JsonElement header, string name, int most) =>
        header.GetProperty(name).GetInt32() is var value && value >= 1 && value <= most ? value : throw new FormatException($"{name} is {value}, expected 1 to {most}");

    private static byte[] Header(Voice voice)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("name", voice.Name);
            json.WriteString("transcript", voice.Transcript);
            if (voice.Scene is not null)
                json.WriteString("scene", voice.Scene);
            json.WriteNumber("codebooks", voice.Codes.Codebooks);
            json.WriteNumber("codebook_size", voice.CodebookSize);
            json.WriteNumber("frames", voice.Codes.Frames);
            json.WriteNumber("frame_rate", voice.Codes.FrameRate!.Value);
            json.WriteEndObject();
        }
        return stream.Length <= MostHeader ? stream.ToArray() : throw new InvalidOperationException($"The voice's texts are too long to save: {stream.Length} bytes, at most {MostHeader}.");
    }

    // Never more than a voice can have.
    private static byte[] ReadAll(Stream stream, string? source)
    {
        using var whole = new MemoryStream();
        var buffer = new byte[1 << 16];
        for (int read; (read = stream.Read(buffer)) > 0;)
        {
            if (whole.Length + read > MostBytes)
                throw new VoiceFormatException(source, $"is not a saved voice: it is larger than {MostBytes} bytes");
            whole.Write(buffer, 0, read);
        }
        return whole.ToArray();
    }
}
