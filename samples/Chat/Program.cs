using System.Diagnostics;
using System.Globalization;
using Chat;
using HiggsAudio;

if (!Arguments.TryParse(args, out Arguments? arguments, out string? problem))
{
    Console.Error.WriteLine(problem);
    Console.Error.WriteLine(Arguments.Help);
    return problem is null ? 0 : 2;
}

using var cancellation = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    cancellation.Cancel();
};

try
{
    bool nano = arguments.Model is null;
    var engineOptions = new EngineOptions { WeightFormat = arguments.Format };
    using HiggsAudioServeEngine engine = nano
        ? await NanoVoice.LoadAsync(engineOptions, null, cancellation.Token)
        : await HiggsAudioServeEngine.LoadAsync(arguments.Model!, arguments.Codec!, engineOptions, null, cancellation.Token);
    Console.WriteLine(nano
        ? "The nano voice says what you type; it cannot answer, nor understand what you speak (see --help). For a conversation name the published model."
        : $"{arguments.Model} is loaded.");

    Message system = arguments.System is { } text ? new Message("system", text)
        : nano ? NanoVoice.Say("x").Messages[0]
        : new Message("system", "You are a helpful assistant. Answer in speech.");
    using ChatSession session = engine.CreateChatSession(system);
    var options = new GenerationOptions
    {
        ForceAudioGeneration = !arguments.Text,
        MaxNewTokens = arguments.MaxTokens,
        MaxLoopFrames = 100,
        Temperature = arguments.Temperature,
        Seed = arguments.Seed,
    };
    Directory.CreateDirectory(arguments.Output);
    int number = 0;
    foreach (string turn in arguments.Turns.Count > 0 ? arguments.Turns : TypedTurns())
    {
        MessageContent content = turn.EndsWith(".wav", StringComparison.OrdinalIgnoreCase) ? AudioContent.FromFile(turn) : nano ? NanoVoice.Normalize(turn) : turn;
        Console.WriteLine($"you: {turn}");
        await AnswerAsync(session, content, options, Path.Combine(arguments.Output, $"answer-{++number}.wav"), engine.SamplingRate, cancellation.Token);
    }
    Console.WriteLine($"{session.History.Count} messages in the conversation");
    return 0;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("Cancelled.");
    return 130;
}
catch (Exception expected) when (expected is IOException or ArgumentException or InvalidOperationException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(expected.Message);
    return 1;
}

static IEnumerable<string> TypedTurns()
{
    while (true)
    {
        if (!Console.IsInputRedirected)
            Console.Write("> ");
        if (Console.ReadLine() is not { Length: > 0 } line)
            yield break;
        yield return line;
    }
}

// Writes the sound while it is made; a player would play it.
static async Task AnswerAsync(ChatSession session, MessageContent content, GenerationOptions options, string path, int samplingRate, CancellationToken cancellationToken)
{
    var clock = Stopwatch.StartNew();
    double? first = null;
    long samples = 0;
    WavWriter? file = null;
    try
    {
        Console.Write("model: ");
        var streaming = new StreamOptions { Sound = new CodecStreamOptions { LowLatencyStart = true } };
        await foreach (HiggsAudioStreamerDelta delta in session.SendDeltaStreamAsync(content, options, streaming, cancellationToken))
        {
            Console.Write(Readable(delta.Text));
            if (!delta.Audio.IsEmpty)
            {
                first ??= clock.Elapsed.TotalSeconds;
                file ??= new WavWriter(path, samplingRate);
                file.Write(delta.Audio.Span);
                samples += delta.Audio.Length;
            }
            if (delta is { FinishReason: { } reason, Usage: { } usage })
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"[{reason}; {usage.PromptTokens} rows of conversation, {usage.CachedTokens} of them known from before]"));
        }
        if (first is not null)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"       {path}: {(double)samples / samplingRate:0.00} s of speech, the first after {first * 1000:0} ms, all after {clock.Elapsed.TotalSeconds:0.00} s"));
    }
    finally
    {
        file?.Dispose();
    }
}

// Without the special tokens that stand for sound and ends.
static string Readable(string? text) =>
    text is null || (text.StartsWith("<|", StringComparison.Ordinal) && text.EndsWith("|>", StringComparison.Ordinal)) ? "" : text;
