using System.Diagnostics;
using System.Globalization;

namespace HiggsAudio.Benchmarks;

/// <summary>Time to first audio, and throughput for 1, 2, 4 and 8 requests at once, interleaved.</summary>
internal static class ServingSpeed
{
    public const string Usage = "serving [DIR] [--rounds N] [--frames N] [--threads N]: the nano voice, or DIR/lm and DIR/codec";

    public static async Task<int> RunAsync(string[] args)
    {
        string? folder = args.FirstOrDefault(a => !a.StartsWith("--", StringComparison.Ordinal) && Directory.Exists(a));
        int rounds = int.Parse(CommandLine.Value(args, "--rounds", "5"), CultureInfo.InvariantCulture);
        int frames = int.Parse(CommandLine.Value(args, "--frames", "60"), CultureInfo.InvariantCulture);
        var engineOptions = new EngineOptions { Threads = int.Parse(CommandLine.Value(args, "--threads", "0"), CultureInfo.InvariantCulture) };
        using HiggsAudioServeEngine engine = folder is null
            ? NanoVoice.Load(engineOptions)
            : HiggsAudioServeEngine.Load(Path.Combine(folder, "lm"), Path.Combine(folder, "codec"), engineOptions);
        var options = new GenerationOptions { ForceAudioGeneration = true, MaxNewTokens = frames, Temperature = 1, TopP = 1, Seed = 1 };
        var first = new List<double>();
        int[] requests = [1, 2, 4, 8];
        var speeds = requests.ToDictionary(n => n, _ => new List<double>());
        await TimeToFirstAudioAsync(engine, options);
        for (int round = 0; round < rounds; round++)
        {
            first.Add(await TimeToFirstAudioAsync(engine, options));
            foreach (int n in requests)
                speeds[n].Add(await FramesPerSecondAsync(engine, options, n));
        }
        Console.WriteLine($"time to first audio   {Median(first) * 1000:0} ms (median of {rounds})");
        foreach (int n in requests)
            Console.WriteLine($"{n} request(s)          {Median(speeds[n]):0.0} frames/s, {Median(speeds[n]) / engine.Codec.FrameRate:0.00} s of audio a second, {Median(speeds[n]) / Median(speeds[1]):0.00} x one");
        return 0;
    }

    private static async Task<double> TimeToFirstAudioAsync(HiggsAudioServeEngine engine, GenerationOptions options)
    {
        var clock = Stopwatch.StartNew();
        await foreach (HiggsAudioStreamerDelta delta in engine.GenerateDeltaStreamAsync(NanoVoice.Say("the weather is cold and rainy today."), options))
            if (!delta.Audio.IsEmpty)
                break;
        return clock.Elapsed.TotalSeconds;
    }

    private static async Task<double> FramesPerSecondAsync(HiggsAudioServeEngine engine, GenerationOptions options, int requests)
    {
        var clock = Stopwatch.StartNew();
        HiggsAudioResponse[] answers = await Task.WhenAll(Enumerable.Range(0, requests).Select(i =>
            engine.GenerateAsync(NanoVoice.Say("the weather is cold and rainy today."), options with { Seed = i })));
        return answers.Sum(a => a.AudioCodes?.Frames ?? 0) / clock.Elapsed.TotalSeconds;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
