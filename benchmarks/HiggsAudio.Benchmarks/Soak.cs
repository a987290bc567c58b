using System.Diagnostics;
using System.Globalization;

namespace HiggsAudio.Benchmarks;

/// <summary>Random requests, voices, conversations and cancellations on the nano voice for some minutes: nothing may fail, nothing may stay.</summary>
internal static class Soak
{
    public const string Usage = "soak [--minutes M] [--callers N] [--threads N]";

    private const int Samples = 12;

    private static readonly string[] Words = ["good", "morning", "tea", "window", "weather", "please", "today", "seven", "thank", "you"];

    public static async Task<int> RunAsync(string[] args)
    {
        double minutes = double.Parse(CommandLine.Value(args, "--minutes", "1"), CultureInfo.InvariantCulture);
        int callers = int.Parse(CommandLine.Value(args, "--callers", "8"), CultureInfo.InvariantCulture);
        using HiggsAudioServeEngine engine = NanoVoice.Load(new EngineOptions { Threads = int.Parse(CommandLine.Value(args, "--threads", "0"), CultureInfo.InvariantCulture) });
        MachineLine.Print(0);
        await engine.GenerateAsync(NanoVoice.Say("warm up."), new GenerationOptions { ForceAudioGeneration = true, MaxNewTokens = 30 });
        Voice[] voices = await Task.WhenAll(NanoVoice.Voices.Select(voice => RecordAsync(engine, voice)));
        var counts = new Counts();
        Report("start", engine, counts, settle: true);
        using var end = new CancellationTokenSource(TimeSpan.FromMinutes(minutes));
        Task all = Task.WhenAll(Enumerable.Range(0, callers).Select(i => Task.Run(() => CallAsync(engine, voices, new Random(i), counts, end.Token))));
        for (int i = 1; i < Samples; i++)
        {
            await Task.WhenAny(all, Task.Delay(TimeSpan.FromMinutes(minutes / Samples)));
            Report(i == Samples / 2 ? "middle" : $"{i}/{Samples}", engine, counts, settle: false);
        }
        await all;
        Report("end", engine, counts, settle: true);
        Console.WriteLine($"{counts.Done} requests done, {counts.Cancelled} cancelled, {counts.Failed} failed; requests left {engine.ActiveRequests + engine.WaitingRequests}");
        return counts.Failed == 0 && engine.ActiveRequests == 0 && engine.KvCacheBytesInUse == 0 ? 0 : 1;
    }

    private static async Task<Voice> RecordAsync(HiggsAudioServeEngine engine, string voice)
    {
        const string Said = "please open the window.";
        var options = new GenerationOptions { ForceAudioGeneration = true, Seed = 1, MaxNewTokens = 120 };
        HiggsAudioResponse recording = await engine.GenerateAsync(NanoVoice.Say(Said, voice), options);
        return await engine.CreateVoiceAsync(recording.Audio!, Said, voice, "Audio is recorded from a quiet room.");
    }

    private static async Task CallAsync(HiggsAudioServeEngine engine, Voice[] voices, Random random, Counts counts, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            using var cancellation = new CancellationTokenSource();
            int leaveAt = random.Next(3) == 0 ? random.Next(40) : int.MaxValue, deltas = 0;
            try
            {
                await foreach (HiggsAudioStreamerDelta _ in Answer(engine, voices, random, cancellation.Token))
                    if (deltas++ == leaveAt)
                        await cancellation.CancelAsync();
                Interlocked.Increment(ref counts.Done);
            }
            catch (OperationCanceledException)
            {
                Interlocked.Increment(ref counts.Cancelled);
            }
#pragma warning disable CA1031 // To be counted, whatever it is.
            catch (Exception problem)
#pragma warning restore CA1031
            {
                Interlocked.Increment(ref counts.Failed);
                Console.Error.WriteLine(problem);
            }
        }
    }

    // A described voice, a recorded one, a sentence after another in a conversation, or a text in several chunks.
    private static IAsyncEnumerable<HiggsAudioStreamerDelta> Answer(HiggsAudioServeEngine engine, Voice[] voices, Random random, CancellationToken cancellation)
    {
        string text = Sentence(random);
        var options = new GenerationOptions { ForceAudioGeneration = true, MaxNewTokens = random.Next(5, 120), Seed = random.Next() };
        Voice voice = voices[random.Next(voices.Length)];
        return random.Next(4) switch
        {
            0 => engine.GenerateDeltaStreamAsync(NanoVoice.Say(text, NanoVoice.Voices[random.Next(3)]), options, cancellationToken: cancellation),
            1 => engine.GenerateDeltaStreamAsync(voice.Say(text), options, cancellationToken: cancellation),
            2 => ConversationAsync(engine, voice, text, Sentence(random), options, cancellation),
            _ => engine.SpeakAsync($"{text} [pause 0.1] {Sentence(random)}", new SpeakOptions
            {
                Generation = options with { StopAtAudioEnd = true },
                Speakers = [voice.ToSpeakerPrompt()],
                Chunking = new ChunkOptions { MaxWords = 8 },
            }, cancellationToken: cancellation),
        };
    }

    private static async IAsyncEnumerable<HiggsAudioStreamerDelta> ConversationAsync(HiggsAudioServeEngine engine, Voice voice, string first, string second,
        GenerationOptions options, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        using ChatSession session = engine.CreateChatSession(voice.ToMessages());
        await session.SendAsync(first, options, cancellationToken: cancellation);
        await foreach (HiggsAudioStreamerDelta delta in session.SendDeltaStreamAsync(second, options, cancellationToken: cancellation))
            yield return delta;
    }

    private static string Sentence(Random random) => string.Join(' ', Enumerable.Range(0, random.Next(1, 9)).Select(_ => Words[random.Next(Words.Length)])) + ".";

    private static void Report(string when, HiggsAudioServeEngine engine, Counts counts, bool settle)
    {
        if (settle)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
        }
        using Process self = Process.GetCurrentProcess();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{when,-7} {self.WorkingSet64 / 1e6,5:0} MB resident, {GC.GetTotalMemory(false) / 1e6,4:0} MB managed, " +
            $"{engine.PrefixCacheBytesInUse / 1e6,4:0} MB of kept beginnings, {engine.ActiveRequests,2} requests, {counts.Done} done, {counts.Cancelled} cancelled, {counts.Failed} failed"));
    }

    private sealed class Counts
    {
        public int Done;
        public int Cancelled;
        public int Failed;
    }
}
