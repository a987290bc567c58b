namespace HiggsAudio;

/// <summary>How far a download is.</summary>
/// <param name="Repository">What is downloaded.</param>
/// <param name="File">The file that is being transferred.</param>
/// <param name="Bytes">Bytes of all files that are here, those of earlier downloads included.</param>
/// <param name="TotalBytes">Bytes of all files that are needed.</param>
public readonly record struct HubProgress(string Repository, string File, long Bytes, long TotalBytes)
{
    /// <summary>The part that is here, 0 to 1.</summary>
    public double Part => TotalBytes == 0 ? 1 : (double)Bytes / TotalBytes;
}
