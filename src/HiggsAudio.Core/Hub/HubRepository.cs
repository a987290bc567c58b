using System.Text.Json;

namespace HiggsAudio.Hub;

/// <summary>What a revision of a repository holds.</summary>
/// <param name="Reference">What was asked for.</param>
/// <param name="Commit">The commit that the revision is, 40 digits of hex.</param>
/// <param name="Files">The files that are needed, each with length and hash.</param>
internal sealed record HubRepository(HubReference Reference, string Commit, IReadOnlyList<HubFile> Files)
{
    private const int MaxListing = 32 << 20, MaxFiles = 100_000;

    /// <summary>Asks the Hub.</summary>
    /// <exception cref="HubException">It does not have it, does not answer, or answers something that is not understood.</exception>
    public static async Task<HubRepository> ListAsync(HubClient client, HubReference reference, CancellationToken cancellationToken)
    {
        Uri address = client.Address($"/api/models/{reference.Repository}/revision/{Uri.EscapeDataString(reference.Revision)}?blobs=true");
        byte[] text = await client.RetryAsync(() => ReadAsync(client, address, cancellationToken), () => false, cancellationToken).ConfigureAwait(false);
        (string commit, List<HubFile> listed) = Parse(text, address);
        if (reference.IsCommit && commit != reference.Revision)
            throw new HubException(HubProblem.NotGenuine, $"The Hub answers with commit {commit} where {reference.Revision} was asked for.");
        List<HubFile> needed = HubFileChoice.Needed(listed);
        if (needed.Count == 0)
            throw new HubException(HubProblem.NotFound, $"{reference.Repository} at {commit} has no file that could be loaded.");
        for (int i = 0; i < needed.Count; i++)
            if (needed[i].Hash is null || needed[i].Length < 0)
                needed[i] = await DescribeAsync(client, reference, commit, needed[i].Name, cancellationToken).ConfigureAwait(false);
        CheckAgainstWhatIsKnown(reference, commit, needed);
        return new HubRepository(reference, commit, needed);
    }

    /// <summary>Where a file is.</summary>
    public static Uri AddressOf(HubClient client, HubReference reference, string commit, string name) =>
        client.Address($"/{reference.Repository}/resolve/{commit}/{Uri.EscapeDataString(name)}");

    private static async Task<byte[]> ReadAsync(HubClient client, Uri address, CancellationToken cancellationToken)
    {
        using HubAnswer answer = await client.AskAsync(HttpMethod.Get, address, 0, cancellationToken).ConfigureAwait(false);
        using Stream content = await answer.Response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        using var text = new MemoryStream();
        var buffer = new byte[1 << 16];
        for (int count; (count = await client.ReadAsync(content, buffer, cancellationToken).ConfigureAwait(false)) > 0;)
        {
            if (text.Length + count > MaxListing)
                throw new HubException(HubProblem.NotGenuine, $"{address} answers more than {MaxListing} bytes, which is no listing.");
            text.Write(buffer, 0, count);
        }
        return text.ToArray();
    }

    private static (string Commit, List<HubFile> Files) Parse(byte[] text, Uri address)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 64 });
            string? commit = document.RootElement.GetProperty("sha").GetString();
            if (commit is null || !HubReference.IsCommitHash(commit))
                throw new HubException(HubProblem.NotGenuine, $"{address} gives no commit.");
            JsonElement siblings = document.RootElement.GetProperty("siblings");
            if (siblings.GetArrayLength() > MaxFiles)
                throw new HubException(HubProblem.NotGenuine, $"{address} lists more than {MaxFiles} files.");
            return (commit, [.. siblings.EnumerateArray().Select(ParseFile)]);
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new HubException(HubProblem.NotGenuine, $"{address} does not answer with a listing of files: {problem.Message}", problem);
        }
    }

    private static HubFile ParseFile(JsonElement file)
    {
        string name = file.GetProperty("rfilename").GetString() ?? "";
        long length = file.TryGetProperty("size", out JsonElement size) && size.ValueKind == JsonValueKind.Number ? size.GetInt64() : -1;
        string? hash = file.TryGetProperty("blobId", out JsonElement blob) ? HashOf(blob, 40) : null;
        if (file.TryGetProperty("lfs", out JsonElement large) && large.ValueKind == JsonValueKind.Object)
        {
            hash = large.TryGetProperty("sha256", out JsonElement sha) ? HashOf(sha, 64) : null;
            length = large.TryGetProperty("size", out JsonElement largeSize) && largeSize.ValueKind == JsonValueKind.Number ? largeSize.GetInt64() : length;
        }
        return new HubFile(name, length, hash);
    }

    private static string? HashOf(JsonElement value, int digits) =>
        value.ValueKind == JsonValueKind.String && value.GetString() is { } hash && hash.Length == digits && hash.All(char.IsAsciiHexDigitLower) ? hash : null;

    // A mirror that does not list hashes has them in the headers of the file.
    private static Task<HubFile> DescribeAsync(HubClient client, HubReference reference, string commit, string name, CancellationToken cancellationToken)
    {
        Uri address = AddressOf(client, reference, commit, name);
        return client.RetryAsync(async () =>
        {
            using HubAnswer answer = await client.AskAsync(HttpMethod.Head, address, 0, cancellationToken).ConfigureAwait(false);
            return answer.Hash is not null && (answer.Length ?? answer.Response.Content.Headers.ContentLength) is { } length
                ? new HubFile(name, length, answer.Hash)
                : throw new HubException(HubProblem.NotGenuine, $"{address} says neither in the listing nor in its headers what length and hash the file has: it could not be verified.");
        }, () => false, cancellationToken);
    }

    private static void CheckAgainstWhatIsKnown(HubReference reference, string commit, List<HubFile> files)
    {
        foreach (HubFile file in files)
            if (HuggingFaceHub.KnownHash(reference.Repository, commit, file.Name) is { } known && known != file.Hash)
                throw new HubException(HubProblem.NotGenuine, $"'{file.Name}' of {reference.Repository} at {commit} should have the SHA-256 {known}, the Hub lists {file.Hash}.");
    }
}
