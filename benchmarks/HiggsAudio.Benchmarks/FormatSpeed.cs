using System.Diagnostics;
using System.Globalization;
using HiggsAudio.Compute;
using HiggsAudio.Model;

namespace HiggsAudio.Benchmarks;

/// <summary>formats: what a format of weights and of the key-value cache costs in time and memory, on a checkpoint of true size.</summary>
internal static class FormatSpeed
{
    public const string Usage = "formats DIR [--model FOLDER] [--format F] [--kv F] [--contexts 256,2048] [--steps N] [--threads N]";

    public static int Run(ReadOnlySpan<string> args)
    {
        string folder = args[0], model = CommandLine.Value(args, "--model", Path.Combine(folder, "lm"));
        int steps = int.Parse(CommandLine.Value(args, "--steps", "20"), CultureInfo.InvariantCulture);
        int[] contexts = [.. CommandLine.Value(args, "--contexts", "256,2048").Split(',').Select(c => int.Parse(c, CultureInfo.InvariantCulture))];
        var options = new EngineOptions
        {
            Threads = int.Parse(CommandLine.Value(args, "--threads", "0"), CultureInfo.InvariantCulture),
            WeightFormat = Enum.Parse<WeightFormat>(CommandLine.Value(args, "--format", nameof(WeightFormat.AsStored))),
            KeyValueFormat = Enum.Parse<KeyValueFormat>(CommandLine.Value(args, "--kv", nameof(KeyValueFormat.BFloat16))),
        };
        Print("started", $"{(DateTime.Now - Process.GetCurrentProcess().StartTime).TotalSeconds:0.00} s after the process");
        var clock = Stopwatch.StartNew();
        var ends = new Dictionary<string, double>();
        using var engine = HiggsAudioServeEngine.Load(model, Path.Combine(folder, "codec"), options, new Stages(p => ends[p.Stage] = clock.Elapsed.TotalSeconds));
        foreach ((string stage, double seconds) in ends)
            Print($"  {stage}", $"until {seconds:0.00} s");
        Print("load", $"{clock.Elapsed.TotalSeconds:0.00} s");
        Print("memory after loading", Memory());
        var one = new ChatMLSample(new Message("user", "a"));
        engine.Generate(one, new GenerationOptions { ForceAudioGeneration = true, Temperature = 1, Seed = 1, MaxNewTokens = 2 });
        Print("first frame", $"{(DateTime.Now - Process.GetCurrentProcess().StartTime).TotalSeconds:0.00} s after the process started");
        Decode(engine, contexts, steps);
        Print("memory at the end", Memory());
        return 0;
    }

    // Steps at several contexts, in turns.
    private static void Decode(HiggsAudioServeEngine engine, int[] contexts, int steps)
    {
        HiggsAudioModel model = engine.Model;
        using Backend lane = engine.CreateLane();
        TokenBatch batch = model.CreateBatch();
        var codes = new int[model.Config.AudioNumCodebooks];
        SequenceState[] sequences = [.. contexts.Select(_ => model.CreateSequence())];
        for (int i = 0; i < contexts.Length; i++)
            for (int done = 0, piece; done < contexts[i] - 1; done += piece)
            {
                batch.Clear();
                piece = Math.Min(512, contexts[i] - 1 - done);
                for (int row = 0; row < piece; row++)
                    batch.AddAudio(sequences[i], codes);
                model.Forward(lane, batch);
            }
        List<double>[] times = [.. contexts.Select(_ => new List<double>())];
        for (int step = 0; step < steps; step++)
            for (int i = 0; i < contexts.Length; i++)
            {
                long start = Stopwatch.GetTimestamp();
                batch.Clear();
                batch.AddAudio(sequences[i], codes);
                batch.RequestAudioLogits();
                model.Forward(lane, batch);
                times[i].Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                sequences[i].EndPrefill();
                sequences[i].Truncate(sequences[i].Length with { Rows = contexts[i] - 1 });
            }
        for (int i = 0; i < contexts.Length; i++)
            Print($"step at {contexts[i]}", $"{Median(times[i]):0.0} ms ({1000 / Median(times[i]):0.0} frames/s; fastest {times[i].Min():0.0}); cache {sequences[i].Cache.Bytes / 1e6:0} MB");
        foreach (SequenceState sequence in sequences)
            sequence.Dispose();
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static string Memory()
    {
        if (!File.Exists("/proc/self/status"))
            return $"{Environment.WorkingSet / 1e9:0.00} GB resident";
        static double Field(string name) => double.Parse(File.ReadLines("/proc/self/status").First(l => l.StartsWith(name, StringComparison.Ordinal)).Split(':')[1].Trim().Split(' ')[0], CultureInfo.InvariantCulture) * 1024 / 1e9;
        return $"{Field("VmRSS"):0.00} GB resident (own {Field("RssAnon"):0.00}, mapped {Field("RssFile"):0.00}), at most {Field("VmHWM"):0.00}";
    }

    private static void Print(string what, string value) => Console.WriteLine($"{what,-22} {value}");

    private sealed class Stages(Action<LoadProgress> report) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value) => report(value);
    }
}
