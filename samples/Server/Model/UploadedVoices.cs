using System.Text.Json;
using System.Text.RegularExpressions;
using HiggsAudio.Server.Contracts;
using HiggsAudio.Server.Http;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Model;

/// <summary>
/// Voices that callers bring and take away: <c>NAME.voice</c> in the library's folder, with <c>NAME.upload.json</c> beside it, which says who consented.
/// Only these can be deleted. The recording itself is not kept.
/// </summary>
internal sealed partial class UploadedVoices(HiggsAudioServeEngine engine, VoiceLibrary library, VoiceCatalog catalog, IOptions<ServerOptions> options) : IDisposable
{
    private const string Ending = ".upload.json";
    private readonly SemaphoreSlim _writing = new(1);

    /// <summary>What is known of them, in alphabetical order.</summary>
    public IReadOnlyList<UploadedVoice> List() =>
        [.. from path in Directory.EnumerateFiles(library.Folder, "*" + Ending).Order(StringComparer.Ordinal)
            let voice = Read(path)
            where voice is not null && File.Exists(VoicePath(voice.Name))
            select voice];

    /// <summary>Refuses what cannot be a new voice's name.</summary>
    /// <exception cref="ApiException">It is not a plain name, or taken.</exception>
    public void CheckNew(string? name)
    {
        if (name is null || !IsName(name))
            throw ApiException.Invalid("A voice's name has 1 to 64 letters of a to z, digits, '_' and '-', and begins with a letter or digit.", "name");
        if (catalog.IsReserved(name) || library.Names.Contains(name, StringComparer.OrdinalIgnoreCase))
            throw new ApiException(StatusCodes.Status409Conflict, $"There is a voice '{name}' already.", ApiException.InvalidRequest, "name", "voice_exists");
        if (library.Names.Count >= options.Value.Limits.Voices)
            throw ApiException.Invalid($"The server keeps at most {options.Value.Limits.Voices} voices; delete one first.", null, "too_many_voices");
    }

    /// <summary>Encodes a recording and keeps the voice.</summary>
    /// <exception cref="ApiException">The name is taken.</exception>
    public async Task<UploadedVoice> AddAsync(UploadedVoice voice, Waveform recording, CancellationToken cancellationToken)
    {
        string transcript = options.Value.IsNano ? NanoVoice.Normalize(voice.RefText!) : voice.RefText!;
        Voice encoded = await engine.CreateVoiceAsync(recording, transcript, voice.Name, cancellationToken: cancellationToken);
        await _writing.WaitAsync(cancellationToken);
        try
        {
            CheckNew(voice.Name);   // somebody may have been faster
            await File.WriteAllBytesAsync(NotePath(voice.Name), JsonSerializer.SerializeToUtf8Bytes(voice, ServerJson.Default.UploadedVoice), cancellationToken);
            encoded.Save(VoicePath(voice.Name));
            return voice;
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Deletes a voice.</summary>
    /// <exception cref="ApiException">There is no such voice, or it was not uploaded.</exception>
    public async Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            if (!IsName(name) || !File.Exists(NotePath(name)) || !File.Exists(VoicePath(name)))
            {
                bool known = catalog.Names.Contains(name, StringComparer.Ordinal);
                throw known
                    ? new ApiException(StatusCodes.Status403Forbidden, $"The voice '{name}' was not uploaded and cannot be deleted here.", ApiException.InvalidRequest, "name", "voice_not_deletable")
                    : ApiException.NotFound("There is no such voice.", "name", "voice_not_found");
            }
            File.Delete(VoicePath(name));
            File.Delete(NotePath(name));
        }
        finally
        {
            _writing.Release();
        }
    }

    public void Dispose() => _writing.Dispose();

    private string VoicePath(string name) => Path.Combine(library.Folder, name + ".voice");

    private string NotePath(string name) => Path.Combine(library.Folder, name + Ending);

    private static UploadedVoice? Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), ServerJson.Default.UploadedVoice);
        }
        catch (Exception problem) when (problem is IOException or JsonException)
        {
            return null;   // deleted a moment ago, or not ours
        }
    }

    // Names of devices are no names of files on Windows.
    private static bool IsName(string name) => PlainName().IsMatch(name) && !DeviceName().IsMatch(name);

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_-]{0,63}\z")]
    private static partial Regex PlainName();

    [GeneratedRegex(@"\A(con|prn|aux|nul|com[0-9]|lpt[0-9]|config)\z", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex DeviceName();
}
