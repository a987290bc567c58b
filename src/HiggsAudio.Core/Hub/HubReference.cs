using System.Text.RegularExpressions;

namespace HiggsAudio.Hub;

/// <summary>A repository of the Hub and one of its revisions.</summary>
/// <param name="Repository">Organisation/name.</param>
/// <param name="Revision">A branch, a tag or a commit.</param>
internal sealed partial record HubReference(string Repository, string Revision)
{
    /// <summary>Whether the revision is a commit, which never changes.</summary>
    public bool IsCommit => Commit().IsMatch(Revision);

    /// <summary>Reads <c>organisation/name</c> or <c>organisation/name@revision</c>; null if it is neither.</summary>
    public static HubReference? TryParse(string text)
    {
        int at = text.IndexOf('@', StringComparison.Ordinal);
        string repository = at < 0 ? text : text[..at], revision = at < 0 ? DefaultRevision(text) : text[(at + 1)..];
        return IsRepository(repository) && IsRevision(revision) ? new HubReference(repository, revision) : null;
    }

    /// <summary>Checks a repository and a revision.</summary>
    /// <exception cref="ArgumentException">One of them cannot be a name of the Hub.</exception>
    public static HubReference Of(string repository, string? revision)
    {
        ArgumentException.ThrowIfNullOrEmpty(repository);
        if (!IsRepository(repository))
            throw new ArgumentException($"A repository of the Hub is called 'organisation/name', found '{repository}'.", nameof(repository));
        revision ??= DefaultRevision(repository);
        return IsRevision(revision)
            ? new HubReference(repository, revision)
            : throw new ArgumentException($"A revision is a branch, a tag or a commit, found '{revision}'.", nameof(revision));
    }

    /// <summary>Whether a text is a commit.</summary>
    public static bool IsCommitHash(string text) => Commit().IsMatch(text);

    private static string DefaultRevision(string repository) => HuggingFaceHub.KnownRevision(repository) ?? "main";

    private static bool IsRepository(string text) =>
        text.Length <= 192 && Repositories().IsMatch(text) && !text.Contains("..", StringComparison.Ordinal) && !text.Contains("--", StringComparison.Ordinal);

    private static bool IsRevision(string text) => text.Length is > 0 and <= 255 && HubFileChoice.IsSafe(text);

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}\z")]
    private static partial Regex Repositories();

    [GeneratedRegex(@"^[0-9a-f]{40}\z")]
    private static partial Regex Commit();
}
