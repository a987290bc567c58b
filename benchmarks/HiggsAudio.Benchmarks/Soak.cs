using System.Diagnostics;
using System.Globalization;

namespace HiggsAudio.Benchmarks;

/// <summary>Random requests, streams and cancellations on the nano voice for some minutes: nothing may fail, nothing may stay.</summary>
internal static class Soak
{
    public const string Usage = "soak [--minutes M] [--callers N]";

    public static async Task<int> RunAsync(string[] args)
    {
        double minutes = double.Parse(CommandLine.Value(args, "--minutes", "1"), CultureInfo.InvariantCulture);
        int callers = int.Parse(CommandLine.Value(args, "--callers", "8"), CultureInfo.InvariantCulture);
        using HiggsAudioServeEngine engine = NanoVoice.Load();
        await engine.GenerateAsync(NanoVoice.Say("warm up."), new GenerationOptions { ForceAudioGeneration = true, MaxNewTokens = 30 });
        long before = Settle();
        var counts = new Counts();
        using var end = new CancellationTokenSource(TimeSpan.FromMinutes(minutes));
        await Task.WhenAll(Enumerable.Range(0, callers).Select(i => Task.Run(() => CallAsync(engine, new Random(i), counts, end.Token))));
        long after = Settle();
        Console.WriteLine($"{counts.Done} requests done, {counts.Cancelled} cancelled, {counts.Failed} failed");
        Console.WriteLine($"resident memory {before / 1e6:0} MB at the start, {after / 1e6:0} MB at the end; requests left {engine.ActiveRequests}");
        return counts.Failed == 0 && engine.ActiveRequests == 0 ? 0 : 1;
    }

    private static async Task CallAsync(HiggsAudioServeEngine engine, Random random, Counts counts, CancellationToken end)
    {
        string[] words = ["good", "morning", "tea", "window", "weather", "please", "today", "seven", "thank", "you"];
        while (!end.IsCancellationRequested)
        {
            string text = string.Join(' ', Enumerable.Range(0, random.Next(1, 9)).Select(_ => words[random.Next(words.Length)])) + ".";
            var options = new GenerationOptions { ForceAudioGeneration = true, MaxNewTokens = random.Next(5, 120), Seed = random.Next() };
            using var cancellation = new CancellationTokenSource();
            int leaveAt = random.Next(3) == 0 ? random.Next(40) : int.MaxValue, deltas = 0;
            try
            {
                await foreach (HiggsAudioStreamerDelta _ in engine.GenerateDeltaStreamAsync(NanoVoice.Say(text), options, cancellationToken: cancellation.Token))
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

    private static long Settle()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        using Process self = Process.GetCurrentProcess();
        return self.WorkingSet64;
    }

    private sealed class Counts
    {
        public int Done;
        public int Cancelled;
        public int Failed;
    }
}
