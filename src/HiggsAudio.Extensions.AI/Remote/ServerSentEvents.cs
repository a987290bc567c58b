using System.Text;

namespace HiggsAudio.Extensions.AI.Remote;

/// <summary>
/// Reads server-sent events (the HTML standard, 9.2.6): only their data, which may be of several lines. It takes bytes as they come and keeps no
/// more than one event. Not thread-safe.
/// </summary>
/// <param name="mostBytes">Most bytes of an event.</param>
internal sealed class ServerSentEvents(int mostBytes)
{
    private readonly List<byte> _line = [];
    private readonly List<byte> _data = [];
    private bool _hasData, _afterReturn, _begun;

    /// <summary>The data of the events that the bytes complete.</summary>
    /// <exception cref="HiggsAudioRemoteException">An event is too long.</exception>
    public List<byte[]> Add(ReadOnlySpan<byte> bytes)
    {
        var events = new List<byte[]>();
        while (!bytes.IsEmpty)
        {
            // A line ends with \n, \r or both.
            if (_afterReturn && bytes[0] == '\n')
                bytes = bytes[1..];
            _afterReturn = false;
            int end = bytes.IndexOfAny((byte)'\n', (byte)'\r');
            _line.AddRange(end < 0 ? bytes : bytes[..end]);
            if ((long)_line.Count + _data.Count > mostBytes)
                throw new HiggsAudioRemoteException(
                    $"An event of the server's answer is longer than {mostBytes} bytes ({nameof(HiggsAudioRemoteOptions)}.{nameof(HiggsAudioRemoteOptions.MaxResponseBytes)}).");
            if (end < 0)
                break;
            _afterReturn = bytes[end] == '\r';
            bytes = bytes[(end + 1)..];
            EndLine(events);
        }
        return events;
    }

    private void EndLine(List<byte[]> events)
    {
        ReadOnlySpan<byte> line = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_line);
        if (!_begun && line.StartsWith(Encoding.UTF8.Preamble))
            line = line[Encoding.UTF8.Preamble.Length..];
        _begun = true;
        if (line.IsEmpty && _hasData)
        {
            events.Add([.. _data]);
            _data.Clear();
            _hasData = false;
        }
        else if (line.StartsWith("data"u8) && (line.Length == 4 || line[4] == ':'))
        {
            if (_hasData)
                _data.Add((byte)'\n');
            ReadOnlySpan<byte> value = line.Length > 4 ? line[5..] : [];
            _data.AddRange(value.StartsWith(" "u8) ? value[1..] : value);
            _hasData = true;
        }
        _line.Clear();
    }
}
