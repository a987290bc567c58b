using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using HiggsAudio.Compute;

namespace HiggsAudio.Benchmarks;

/// <summary>The whole engine on a checkpoint of true size (see make-checkpoint): load time, memory, prefill and decode speed.</summary>
internal static class TrueSize
{
    public const string Usage = "true-size DIR [--threads N] [--frames N] [--prompt CHARACTERS] [--format AsStored|Float32|BFloat16|Int8|Int4]";

    public static int Run(ReadOnlySpan<string> args)
    {
        if (args.IsEmpty)
        {
            Console.Error.WriteLine(Usage);
            return 2;
        }
        string folder = args[0];
        int threads = int.Parse(CommandLine.Value(args, "--threads", "0"), CultureInfo.InvariantCulture);
        int frames = int.Parse(CommandLine.Value(args, "--frames", "50"), CultureInfo.InvariantCulture);
        int prompt = int.Parse(CommandLine.Value(args, "--prompt", "400"), CultureInfo.InvariantCulture);
        var format = Enum.Parse<WeightFormat>(CommandLine.Value(args, "--format", nameof(WeightFormat.AsStored)));

        PrintMachine(threads);
        var clock = Stopwatch.StartNew();
        using var engine = HiggsAudioServeEngine.Load(Path.Combine(folder, "lm"), Path.Combine(folder, "codec"),
            new EngineOptions { Threads = threads, WeightFormat = format });
        Line("load", $"{clock.Elapsed.TotalSeconds:0.0} s");
        Line("memory after loading", Memory());

        var sample = new ChatMLSample(new Message("user", new string('a', prompt)));
        var options = new GenerationOptions { ForceAudioGeneration = true, Temperature = 1, Seed = 1 };
        Line("one step, cold", $"{Seconds(() => engine.Generate(sample, options with { MaxNewTokens = 2 })):0.00} s (pages the weights in)");
        double prefill = Seconds(() => engine.Generate(sample, options with { MaxNewTokens = 1 }));
        int rows = engine.Generate(sample, options with { MaxNewTokens = 1 }).Usage.PromptTokens;
        Line("prefill", $"{rows / prefill:0.0} rows/s ({rows} rows)");
        double all = Seconds(() => engine.Generate(sample, options with { MaxNewTokens = frames + 1 }));
        Line("decode", $"{frames / (all - prefill):0.00} frames/s (25 are real time; {frames} frames, the codec included)");
        Line("memory at the end", Memory());
        return 0;
    }

    private static double Seconds(Action action)
    {
        var clock = Stopwatch.StartNew();
        action();
        return clock.Elapsed.TotalSeconds;
    }

    private static void PrintMachine(int threads)
    {
        string processor = File.Exists("/proc/cpuinfo")
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "?"
            : RuntimeInformation.ProcessArchitecture.ToString();
        Line("machine", $"{processor}, {Environment.ProcessorCount} cores, {(threads == 0 ? Environment.ProcessorCount : threads)} threads, {RuntimeInformation.FrameworkDescription}");
    }

    private static string Memory()
    {
        if (!File.Exists("/proc/self/status"))
            return $"{Environment.WorkingSet / 1e9:0.00} GB resident";
        string Field(string name) => File.ReadLines("/proc/self/status").First(l => l.StartsWith(name, StringComparison.Ordinal)).Split(':')[1].Trim();
        return $"own {Field("RssAnon")}, mapped {Field("RssFile")}";
    }

    private static void Line(string what, string value) => Console.WriteLine($"{what,-22} {value}");
}
