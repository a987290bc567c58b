namespace HiggsAudio;

/// <summary>Why a repository could not be had from the Hub.</summary>
public enum HubProblem
{
    /// <summary>There is no such repository, revision or file (or the repository is private and there is no token).</summary>
    NotFound,

    /// <summary>The repository is gated or private, and the token is missing, wrong, or its owner has not accepted the terms.</summary>
    AccessDenied,

    /// <summary>The Hub cannot be reached, or fails again and again.</summary>
    Unavailable,

    /// <summary>It is not in the cache, and the options forbid the network.</summary>
    Offline,

    /// <summary>What the Hub sends is not what it lists, or not what is known of a pinned revision: size, hash, or something that is not understood.</summary>
    NotGenuine,

    /// <summary>The disk is full, or has less room than is needed.</summary>
    DiskFull,

    /// <summary>The cache cannot be written.</summary>
    CacheNotWritable,
}

/// <summary>A repository could not be had from the Hub.</summary>
public sealed class HubException : IOException
{
    internal HubException(HubProblem problem, string message, Exception? inner = null) : base(message, inner) => Problem = problem;

    /// <summary>Why.</summary>
    public HubProblem Problem { get; }
}
