using System.Diagnostics;
using System.Globalization;
using System.Runtime;
using HiggsAudio.Compute;

namespace HiggsAudio.Benchmarks;

/// <summary>start: from the start of the process to the first frame and the first sound, as a program that streams has it.</summary>
internal static class StartSpeed
{
    public const string Usage = "start MODEL CODEC [--format F] [--threads N] [--encode]";

    private static readonly DateTime Begin = Process.GetCurrentProcess().StartTime;

    public static async Task<int> RunAsync(string[] args)
    {
        Print("main", "");
        var options = new EngineOptions { Threads = int.Parse(CommandLine.Value(args, "--threads", "0"), CultureInfo.InvariantCulture) };
        if (WeightFormatText.TryParse(CommandLine.Value(args, "--format", "as-stored"), out WeightFormat format))
            options = options with { WeightFormat = format };
        var stages = new Stages();
        using HiggsAudioServeEngine engine = HiggsAudioServeEngine.Load(args[1], args[2], options, stages);
        foreach ((string stage, double seconds) in stages.Ends)
            Console.WriteLine($"  {stage,-14} {seconds,6:0.00} s");
        Print("loaded", Memory());
        if (args.Contains("--encode"))
        {
            engine.Codec.Encode(new Waveform(new float[engine.SamplingRate], engine.SamplingRate));
            Print("encoded", "a second");
        }
        var sample = new ChatMLSample(new Message("user", "The sun rises in the east."));
        var generation = new GenerationOptions { ForceAudioGeneration = true, Temperature = 1, Seed = 1, MaxNewTokens = 60 };
        var streaming = new StreamOptions { Sound = new CodecStreamOptions { FirstChunkFrames = 4, ChunkFrames = 15, LowLatencyStart = true } };
        int frames = 0;
        await foreach (HiggsAudioStreamerDelta delta in engine.GenerateDeltaStreamAsync(sample, generation, streaming))
        {
            if (delta.AudioTokens is not null && ++frames == 2)     // the first column is the begin of stream: nothing is computed for it
                Print("first frame", "");
            if (delta.Audio.IsEmpty)
                continue;
            Print("first sound", $"{frames} columns; {Memory()}");
            break;
        }
        return 0;
    }

    private static double Seconds => (DateTime.Now - Begin).TotalSeconds;

    private static void Print(string what, string more) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what,-16} {Seconds,6:0.00} s  compiled {JitInfo.GetCompiledMethodCount()} methods in {JitInfo.GetCompilationTime().TotalSeconds:0.00} s  {more}"));

    private static string Memory()
    {
        if (!File.Exists("/proc/self/status"))
            return $"{Environment.WorkingSet / 1e9:0.00} GB resident";
        static double Field(string name) => double.Parse(File.ReadLines("/proc/self/status").First(l => l.StartsWith(name, StringComparison.Ordinal)).Split(':')[1].Trim().Split(' ')[0], CultureInfo.InvariantCulture) * 1024 / 1e9;
        return string.Create(CultureInfo.InvariantCulture, $"{Field("RssAnon"):0.00} GB own, {Field("RssFile"):0.00} GB mapped");
    }

    // When each stage was heard of last.
    private sealed class Stages : IProgress<LoadProgress>
    {
        public Dictionary<string, double> Ends { get; } = [];

        public void Report(LoadProgress value) => Ends[value.Stage] = Seconds;
    }
}
