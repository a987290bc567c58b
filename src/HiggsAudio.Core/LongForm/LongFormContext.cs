namespace HiggsAudio.LongForm;

/// <summary>
/// What the model sees while it reads a long transcript chunk by chunk: the messages before, then the last chunks with the audio made of
/// them, so that the voice stays the same (the loop of the reference's HiggsAudioModelClient, examples/generation.py).
/// </summary>
/// <param name="messages">Scene and voices; they always stay.</param>
/// <param name="bufferSize">How many chunks are kept (the reference's generation_chunk_buffer_size); null for all. 0 keeps none.</param>
internal sealed class LongFormContext(IReadOnlyList<Message> messages, int? bufferSize)
{
    private readonly Queue<(string Chunk, AudioContent Audio)> _made = [];

    /// <summary>The conversation that the audio of a chunk continues.</summary>
    public ChatMLSample Next(string chunk)
    {
        var all = new List<Message>(messages);
        foreach ((string earlier, AudioContent audio) in _made)
        {
            all.Add(new Message("user", earlier));
            all.Add(new Message("assistant", audio));
        }
        all.Add(new Message("user", chunk));
        return new ChatMLSample(all);
    }

    /// <summary>Keeps what was made of a chunk, and forgets the oldest beyond the buffer's size.</summary>
    public void Add(string chunk, AudioContent audio)
    {
        _made.Enqueue((chunk, audio));
        while (_made.Count > bufferSize)
            _made.Dequeue();
    }

    /// <summary>Forgets the oldest chunk.</summary>
    /// <returns>Whether there was one.</returns>
    public bool Forget() => _made.TryDequeue(out _);
}
