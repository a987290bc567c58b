using System.Diagnostics;
using System.Globalization;
using HiggsAudio.Compute;

namespace HiggsAudio.Benchmarks;

/// <summary>Time to first audio, and throughput of 1, 2, 4 and 8 callers, who are all spoken to or (--in-turn) ask one question after the other; all interleaved.</summary>
internal static class ServingSpeed
{
    public const string Usage = """
        serving [DIR] [--rounds N] [--seconds S] [--frames N] [--threads N] [--format F] [--callers 1,2,4,8] [--no-first] [--no-at-once] [--in-turn]
                      the nano voice, or DIR/lm and DIR/codec; S seconds for each number of callers and round; --in-turn: requests of N frames at most
        """;

    // About as long as a sentence of the published tokenizer, which has fewer tokens for it, is in rows.
    private const string Text = "the weather is cold and rainy.";

    public static async Task<int> RunAsync(string[] args)
    {
        int Number(string name, string otherwise) => int.Parse(CommandLine.Value(args, name, otherwise), CultureInfo.InvariantCulture);
        string? folder = args.Skip(1).FirstOrDefault(a => !a.StartsWith("--", StringComparison.Ordinal) && Directory.Exists(a));
        (int rounds, int seconds, int frames, int threads) = (Number("--rounds", "5"), Number("--seconds", "5"), Number("--frames", "100"), Number("--threads", "0"));
        int[] callers = [.. CommandLine.Value(args, "--callers", "1,2,4,8").Split(',').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
        var engineOptions = new EngineOptions { Threads = threads, WeightFormat = Enum.Parse<WeightFormat>(CommandLine.Value(args, "--format", nameof(WeightFormat.AsStored))) };
        MachineLine.Print(threads);
        var clock = Stopwatch.StartNew();
        using HiggsAudioServeEngine engine = folder is null
            ? NanoVoice.Load(engineOptions)
            : HiggsAudioServeEngine.Load(Path.Combine(folder, "lm"), Path.Combine(folder, "codec"), engineOptions);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{folder ?? "nano voice"}, {engineOptions.WeightFormat}, loaded in {clock.Elapsed.TotalSeconds:0.0} s; {rounds} rounds, medians (lowest to highest)"));

        var options = new GenerationOptions { ForceAudioGeneration = true, StopAtAudioEnd = true, MaxNewTokens = frames };
        var time = TimeSpan.FromSeconds(seconds);
        if (!args.Contains("--no-first"))
            await FirstAudioAsync(engine, options, rounds);
        if (!args.Contains("--no-at-once"))
            await SpeedAsync("at once", n => TogetherAsync(engine, options, n, time), callers, rounds, engine.Codec.FrameRate);
        if (args.Contains("--in-turn"))
        {
            Waits[] waits = [.. callers.Select(n => new Waits(n))];
            await SpeedAsync("callers, one request after the other", n => InTurnAsync(engine, options, waits.First(w => w.Callers == n), time), callers, rounds, engine.Codec.FrameRate);
            foreach (Waits w in waits.Where(w => w.First.Count > 0))
                Console.WriteLine($"{w.Callers} callers, one request after the other: first sound {Milliseconds(w.First)}, longest pause of an answer {Milliseconds(w.Longest)}");
        }
        return 0;
    }

    private static async Task FirstAudioAsync(HiggsAudioServeEngine engine, GenerationOptions options, int rounds)
    {
        Start[] starts = Starts(engine);
        foreach (Start start in starts)
            await FirstAudioAsync(engine, start, options);
        for (int round = 0; round < rounds; round++)
            foreach (Start start in starts)
                start.Seconds.Add(await FirstAudioAsync(engine, start, options));
        foreach (Start start in starts)
            Console.WriteLine($"first audio, {start.Name,-42} {Milliseconds(start.Seconds)}");
    }

    private static async Task SpeedAsync(string what, Func<int, Task<double>> measure, int[] callers, int rounds, double frameRate)
    {
        var speeds = callers.ToDictionary(n => n, _ => new List<double>());
        if (rounds > 1)
            await measure(callers[0]);
        for (int round = 0; round < rounds; round++)
            foreach (int n in callers)
                speeds[n].Add(await measure(n));
        foreach (int n in callers)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{n} {what}: {Median(speeds[n]),6:0.0} frames/s ({speeds[n].Min():0.0} to {speeds[n].Max():0.0}), {Median(speeds[n]) / frameRate:0.00} s of sound a second, " +
                $"{Median(speeds[n]) / Median(speeds[callers[0]]):0.00} x {callers[0]}"));
    }

    private sealed record Start(string Name, ChatMLSample Sample, StreamOptions Streaming, bool Prepared)
    {
        public List<double> Seconds { get; } = [];
    }

    private static Start[] Starts(HiggsAudioServeEngine engine)
    {
        var low = new StreamOptions { Sound = new CodecStreamOptions { FirstChunkFrames = 4, LowLatencyStart = true } };
        var random = new Random(1);
        int voiceFrames = (int)(10 * engine.Codec.FrameRate);
        Voice voice = Voice.FromCodes(new AudioCodes(engine.Codec.Codebooks, [.. Enumerable.Range(0, engine.Codec.Codebooks * voiceFrames).Select(_ => random.Next(engine.Codec.CodebookSize))], engine.Codec.FrameRate),
            engine.Codec, string.Concat(Enumerable.Repeat(Text + " ", 5)), "voice");
        return
        [
            new("default chunks", NanoVoice.Say(Text), new StreamOptions(), true),
            new("LowLatencyStart, first chunk of 4 frames", NanoVoice.Say(Text), low, true),
            new("a voice of 10 s, not prepared", voice.Say(Text), low, false),
            new("a voice of 10 s, prepared", voice.Say(Text), low, true),
        ];
    }

    // What is not prepared gets another scene each time, so that nothing of it is known.
    private static async Task<double> FirstAudioAsync(HiggsAudioServeEngine engine, Start start, GenerationOptions options)
    {
        ChatMLSample sample = start.Prepared ? start.Sample : new ChatMLSample([new Message("system", $"{Guid.NewGuid()}"), .. start.Sample.Messages]);
        var clock = Stopwatch.StartNew();
        await foreach (HiggsAudioStreamerDelta delta in engine.GenerateDeltaStreamAsync(sample, options with { Seed = 1 }, start.Streaming))
            if (!delta.Audio.IsEmpty)
                break;
        double seconds = clock.Elapsed.TotalSeconds;
        while (engine.ActiveRequests > 0)
            await Task.Delay(1);
        return seconds;
    }

    // What callers hear together a second, from when all of them are spoken to until the first has heard all. The draws are made, but have one outcome.
    private static async Task<double> TogetherAsync(HiggsAudioServeEngine engine, GenerationOptions options, int callers, TimeSpan time)
    {
        var heard = new long[callers];
        using var end = new CancellationTokenSource();
        Task[] work = [.. Enumerable.Range(0, callers).Select(i => Task.Run(() => CallAsync(i)))];
        while (heard.Any(frames => Interlocked.Read(ref frames) == 0) && !work.Any(task => task.IsCompleted))
            await Task.Delay(1);
        long before = heard.Sum();
        var clock = Stopwatch.StartNew();
        await Task.WhenAny([.. work, Task.Delay(time)]);
        double speed = (heard.Sum() - before) / clock.Elapsed.TotalSeconds;
        await end.CancelAsync();
        await Task.WhenAll(work);
        while (engine.ActiveRequests > 0)
            await Task.Delay(1);
        return speed;

        async Task CallAsync(int caller)
        {
            try
            {
                GenerationOptions same = options with { MaxNewTokens = 1000, TopK = 1, RasWinLen = null, Seed = 1 };
                await foreach (HiggsAudioStreamerDelta delta in engine.GenerateDeltaStreamAsync(NanoVoice.Say(Text), same, cancellationToken: end.Token))
                    Interlocked.Add(ref heard[caller], delta.AudioCodes?.Frames ?? 0);
            }
            catch (OperationCanceledException)
            {
            }
        }
    }

    // What callers waited for, in seconds: for the first sound of an answer, and at most for the next.
    private sealed record Waits(int Callers)
    {
        public List<double> First { get; } = [];

        public List<double> Longest { get; } = [];
    }

    // Callers that ask again when their answer has ended: prompts among the steps of others. It counts from when all have heard something.
    private static async Task<double> InTurnAsync(HiggsAudioServeEngine engine, GenerationOptions options, Waits waits, TimeSpan time)
    {
        long frames = 0;
        var heard = new bool[waits.Callers];
        using var end = new CancellationTokenSource();
        Task[] work = [.. Enumerable.Range(0, waits.Callers).Select(i => Task.Run(() => CallAsync(i)))];
        while (!heard.All(h => h))
            await Task.Delay(1);
        long before = Interlocked.Read(ref frames);
        var clock = Stopwatch.StartNew();
        await Task.Delay(time);
        double speed = (Interlocked.Read(ref frames) - before) / clock.Elapsed.TotalSeconds;
        await end.CancelAsync();
        await Task.WhenAll(work);
        return speed;

        async Task CallAsync(int caller)
        {
            for (int i = 0; !end.IsCancellationRequested; i++)
                try
                {
                    var clock = Stopwatch.StartNew();
                    double first = 0, longest = 0;
                    await foreach (HiggsAudioStreamerDelta delta in engine.GenerateDeltaStreamAsync(NanoVoice.Say(Text), options with { Seed = 1000 * caller + i }, cancellationToken: end.Token))
                    {
                        Interlocked.Add(ref frames, delta.AudioCodes?.Frames ?? 0);
                        if (delta.Audio.IsEmpty)
                            continue;
                        (first, longest) = first == 0 ? (clock.Elapsed.TotalSeconds, 0) : (first, Math.Max(longest, clock.Elapsed.TotalSeconds));
                        heard[caller] = true;
                        clock.Restart();
                    }
                    lock (waits)
                        if (i > 0 && longest > 0)
                        {
                            waits.First.Add(first);
                            waits.Longest.Add(longest);
                        }
                }
                catch (OperationCanceledException)
                {
                }
        }
    }

    private static string Milliseconds(List<double> seconds) =>
        string.Create(CultureInfo.InvariantCulture, $"{Median(seconds) * 1000:0} ms ({seconds.Min() * 1000:0} to {seconds.Max() * 1000:0})");

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
