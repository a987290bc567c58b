namespace HiggsAudio.Server.Contracts;

/// <summary>The models.</summary>
/// <param name="Object">list.</param>
/// <param name="Data">The one.</param>
internal sealed record ModelList(string Object, IReadOnlyList<ModelCard> Data);

/// <summary>A model.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Object">model.</param>
/// <param name="Created">When the server was started, in seconds since 1970.</param>
/// <param name="OwnedBy">The organisation.</param>
/// <param name="MaxModelLen">Rows of a conversation and its answer.</param>
/// <param name="SamplingRate">Of its sound, in Hz.</param>
/// <param name="Scenes">Whether it understands scenes and instructions.</param>
internal sealed record ModelCard(string Id, string Object, long Created, string OwnedBy, int MaxModelLen, int SamplingRate, bool Scenes);

/// <summary>The server's version.</summary>
/// <param name="Version">The version.</param>
internal sealed record VersionInfo(string Version);

/// <summary>How the server is.</summary>
/// <param name="Status">ok, stopping or failed.</param>
/// <param name="Active">Requests that are computed.</param>
/// <param name="Queued">Requests that wait.</param>
internal sealed record HealthInfo(string Status, int Active, int Queued);
