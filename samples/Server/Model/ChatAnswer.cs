using System.Runtime.InteropServices;
using HiggsAudio.Server.Contracts;
using HiggsAudio.Server.Telemetry;

namespace HiggsAudio.Server.Model;

/// <summary>An answer as it is made: its pieces in OpenAI's shape, and the whole of them.</summary>
internal sealed class ChatAnswer(HiggsAudioServeEngine engine, ChatOrder order, string model, AudioMemory memory, RequestMeter meter)
{
    private readonly string _id = $"chatcmpl-{Guid.NewGuid():N}", _audioId = AudioMemory.NewId();
    private readonly long _created = DateTimeOffset.UtcNow.ToUnixTimeSeconds(), _expires = memory.Expiry.ToUnixTimeSeconds();
    private readonly List<byte> _samples = [];
    private readonly List<AudioCodes> _codes = [];
    private string _text = "";
    private int _columns;
    private Usage _usage;
    private FinishReason _reason;

    /// <summary>Takes the next piece in.</summary>
    /// <returns>What a stream shows of it; null for nothing.</returns>
    public ChatResponse? Add(HiggsAudioStreamerDelta delta)
    {
        string text = VisibleText(delta);
        _text += text;
        _columns += delta.AudioTokens is null ? 0 : 1;
        if (delta.AudioCodes is not null && order.WithAudio)
            _codes.Add(delta.AudioCodes);
        if (delta.Usage is { } usage)
        {
            (_usage, _reason) = (usage, delta.FinishReason!.Value);
            meter.AddTokens(usage);
        }
        bool sounds = order.WithAudio && !delta.Audio.IsEmpty;
        if (sounds)
            meter.AddSound(delta.Audio.Length, engine.SamplingRate);
        if (sounds && !order.IsStream)
            _samples.AddRange(Sound.Samples(delta.Audio.Span));
        if (!sounds && text.Length == 0)
            return null;
        return Piece(new ChatMessage
        {
            Content = text.Length > 0 ? text : null,
            Audio = sounds ? new ChatAudio(_audioId, Sound.Samples(delta.Audio.Span), _expires, "") : null,
        });
    }

    /// <summary>The first piece of a stream.</summary>
    public ChatResponse Begin() => Piece(new ChatMessage { Role = "assistant", Content = "" });

    /// <summary>The last piece of a stream.</summary>
    public ChatResponse End()
    {
        Remember();
        return Piece(new ChatMessage(), Reason);
    }

    /// <summary>What it cost, as a piece of its own.</summary>
    public ChatResponse UsageAlone() => New("chat.completion.chunk", []) with { Usage = Cost };

    /// <summary>The whole answer.</summary>
    public ChatResponse Whole()
    {
        Remember();
        byte[] sound = _samples.Count == 0 ? [] : Sound.Encode(CollectionsMarshal.AsSpan(_samples), engine.SamplingRate, order.Format);
        var message = new ChatMessage
        {
            Role = "assistant",
            Content = _text,
            Audio = sound.Length > 0 ? new ChatAudio(_audioId, sound, _expires, "") : null,
        };
        return New("chat.completion", [new ChatChoice { Message = message, FinishReason = Reason }]) with { Usage = Cost };
    }

    private string Reason => _reason == FinishReason.Length ? "length" : "stop";

    private ChatUsage Cost => new(_usage.PromptTokens, _usage.CompletionTokens, _usage.TotalTokens, new ChatPromptDetails(_usage.CachedTokens), new ChatCompletionDetails(_columns));

    // Special tokens, such as the one that ends the turn, are no text.
    private string VisibleText(HiggsAudioStreamerDelta delta) =>
        delta.Text is { } text && !(delta.TextTokens is [int token] && engine.Tokenizer.IsSpecial(token)) ? text : "";

    private void Remember()
    {
        if (_codes.Count > 0)
            memory.Add(_audioId, AudioCodes.Concat([.. _codes]));
    }

    private ChatResponse Piece(ChatMessage delta, string? reason = null) => New("chat.completion.chunk", [new ChatChoice { Delta = delta, FinishReason = reason }]);

    private ChatResponse New(string kind, IReadOnlyList<ChatChoice> choices) => new() { Id = _id, Object = kind, Created = _created, Model = model, Choices = choices };
}
