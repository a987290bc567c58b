using System.Buffers;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace HiggsAudio.Hub;

/// <summary>
/// The transfer of one file to a partial file beside its place. It goes on where an earlier one, of this or another process, was cut off, and
/// is accepted if length and hash are those that the Hub lists.
/// </summary>
internal sealed class HubTransfer(HubClient client, Uri address, HubFile file, string partial, Action<long> report) : IDisposable
{
    private const int BufferLength = 1 << 20, WorthCountingAnew = 8 << 20;

    private FileStream? _stream;
    private IncrementalHash? _hash;
    private long _length, _furthest;
    private bool _continued;

    /// <summary>Transfers the file.</summary>
    /// <exception cref="HubException">It cannot be had, or is not what the Hub lists.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await OpenAsync(cancellationToken).ConfigureAwait(false);
            await client.RetryAsync(() => AttemptAsync(cancellationToken), Progressed, cancellationToken).ConfigureAwait(false);
            _stream!.Flush(flushToDisk: true);
        }
        catch (Exception problem) when (problem is IOException and not HubException or UnauthorizedAccessException)
        {
            throw DiskProblem(partial, problem);
        }
    }

    /// <summary>Whether a file has the length and the hash that the Hub lists.</summary>
    public static async Task<bool> IsAsync(string path, HubFile file, CancellationToken cancellationToken)
    {
        if (!HubCache.HasLength(path, file.Length))
            return false;
        using IncrementalHash hash = Begin(file);
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.Asynchronous | FileOptions.SequentialScan);
        await AddAsync(hash, stream, cancellationToken).ConfigureAwait(false);
        return Convert.ToHexStringLower(hash.GetCurrentHash()) == file.Hash;
    }

    /// <summary>What went wrong with the disk.</summary>
    public static HubException DiskProblem(string path, Exception problem)
    {
        bool full = (problem.HResult & 0xFFFF) is 28 or 112 or 39;   // ENOSPC, ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL
        return full
            ? new HubException(HubProblem.DiskFull, $"The disk of '{path}' is full.", problem)
            : new HubException(HubProblem.CacheNotWritable, $"'{path}' cannot be written: {problem.Message}", problem);
    }

    // What an earlier transfer left is part of the hash.
    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        _stream = new FileStream(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, 1, FileOptions.Asynchronous);
        Restart();
        if (_stream.Length > file.Length)
            _stream.SetLength(0);
        if (_stream.Length == 0)
            return;
        _length = await AddAsync(_hash!, _stream, cancellationToken).ConfigureAwait(false);
        _continued = true;
        report(_length);
    }

    private static async Task<long> AddAsync(IncrementalHash hash, FileStream stream, CancellationToken cancellationToken)
    {
        long length = 0;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
        try
        {
            for (int count; (count = await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0; length += count)
                hash.AppendData(buffer, 0, count);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        return length;
    }

    private async Task<bool> AttemptAsync(CancellationToken cancellationToken)
    {
        if (_length < file.Length || file.Length == 0)
            await ReceiveAsync(cancellationToken).ConfigureAwait(false);
        string found = Convert.ToHexStringLower(_hash!.GetCurrentHash());
        if (found == file.Hash)
            return true;
        bool again = _continued;
        _stream!.SetLength(0);
        Restart();
        if (again)
            throw new HubRetryException($"what an earlier download left of '{file.Name}' was not its beginning");
        throw new HubException(HubProblem.NotGenuine, $"'{file.Name}' from {address.GetLeftPart(UriPartial.Path)} has the hash {found}, the Hub lists {file.Hash}.");
    }

    // Farther than ever before: a server that sends the same beginning again and again makes no progress.
    private bool Progressed()
    {
        if (_length - _furthest < WorthCountingAnew)
            return false;
        _furthest = _length;
        return true;
    }

    private void Restart()
    {
        _hash?.Dispose();
        _hash = Begin(file);
        (_length, _continued) = (0, false);
        _stream!.Position = 0;
        report(0);
    }

    // Large files are known by their SHA-256, others by git's hash of a blob: SHA-1 of a header and the content. It is weak, but there is no other.
    private static IncrementalHash Begin(HubFile file)
    {
        if (file.Hash!.Length == 64)
            return IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
#pragma warning disable CA5350
        IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
#pragma warning restore CA5350
        hash.AppendData(Encoding.ASCII.GetBytes(FormattableString.Invariant($"blob {file.Length}\0")));
        return hash;
    }

    private async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        using HubAnswer answer = await client.AskAsync(HttpMethod.Get, address, _length, cancellationToken).ConfigureAwait(false);
        HttpResponseMessage response = answer.Response;
        if (answer.Hash is not null && answer.Hash.Length == file.Hash!.Length && answer.Hash != file.Hash)
            throw new HubException(HubProblem.NotGenuine, $"'{file.Name}' has the hash {answer.Hash} by the headers of {address.GetLeftPart(UriPartial.Path)}, the listing says {file.Hash}.");
        if (response.Content.Headers.ContentEncoding.Count > 0)
            throw new HubException(HubProblem.NotGenuine, $"'{file.Name}' comes encoded as {HubFileChoice.Shown(string.Join(", ", response.Content.Headers.ContentEncoding))}, which was not asked for.");
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            _stream!.SetLength(0);
            Restart();
            throw new HubRetryException($"the rest of '{file.Name}' is not to be had, it is begun anew");
        }
        CheckRange(response);
        using Stream content = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await CopyAsync(content, cancellationToken).ConfigureAwait(false);
        if (_length < file.Length)
            throw new HubRetryException($"the connection ended after {_length} of {file.Length} bytes of '{file.Name}'");
    }

    // Where the answer begins: where it was asked to, or at the beginning.
    private void CheckRange(HttpResponseMessage response)
    {
        if (_length > 0 && response.StatusCode != HttpStatusCode.PartialContent)
        {
            _stream!.SetLength(0);
            Restart();
        }
        if (response.StatusCode == HttpStatusCode.PartialContent && response.Content.Headers.ContentRange is { } range
            && (range.From is { } from && from != _length || range.Length is { } whole && whole != file.Length))
            throw new HubException(HubProblem.NotGenuine, $"'{file.Name}' was asked for from byte {_length} of {file.Length}, the answer is '{range}'.");
        if (response.Content.Headers.ContentLength is { } announced && announced > file.Length - _length)
            throw new HubException(HubProblem.NotGenuine, $"'{file.Name}' should have {file.Length - _length} more bytes, the answer announces {announced}.");
    }

    private async Task CopyAsync(Stream content, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
        try
        {
            for (int count; (count = await client.ReadAsync(content, buffer, cancellationToken).ConfigureAwait(false)) > 0;)
            {
                if (count > file.Length - _length)
                    throw new HubException(HubProblem.NotGenuine, $"'{file.Name}' should have {file.Length} bytes, more are coming.");
                await _stream!.WriteAsync(buffer.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
                _hash!.AppendData(buffer, 0, count);
                _length += count;
                report(_length);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public void Dispose()
    {
        _hash?.Dispose();
        _stream?.Dispose();
    }
}
