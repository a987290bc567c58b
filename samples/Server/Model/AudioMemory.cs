namespace HiggsAudio.Server.Model;

/// <summary>Remembers the sound of answers for an hour, as codes, so that later turns can refer to it by its id (OpenAI's <c>audio: {"id": …}</c>).</summary>
internal sealed class AudioMemory(TimeProvider time)
{
    private const int Most = 1000;
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (AudioCodes Codes, DateTimeOffset Expires)> _sounds = new(StringComparer.Ordinal);
    private readonly Queue<string> _order = [];

    /// <summary>Until when an answer that is made now is remembered.</summary>
    public DateTimeOffset Expiry => time.GetUtcNow() + Lifetime;

    /// <summary>An id that nobody can guess.</summary>
    public static string NewId() => $"audio-{Guid.NewGuid():N}";

    /// <summary>Remembers a sound.</summary>
    public void Add(string id, AudioCodes codes)
    {
        lock (_lock)
        {
            _sounds[id] = (codes, Expiry);
            _order.Enqueue(id);
            while (_order.TryPeek(out string? oldest) && (_order.Count > Most || !_sounds.TryGetValue(oldest, out var sound) || sound.Expires <= time.GetUtcNow()))
                _sounds.Remove(_order.Dequeue());
        }
    }

    /// <summary>The sound of an answer; null if it is not remembered.</summary>
    public AudioCodes? Find(string id)
    {
        lock (_lock)
            return _sounds.TryGetValue(id, out var sound) && sound.Expires > time.GetUtcNow() ? sound.Codes : null;
    }
}
