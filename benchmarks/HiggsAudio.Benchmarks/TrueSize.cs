using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Model;

namespace HiggsAudio.Benchmarks;

/// <summary>
/// Whole steps at true size. Without a folder: the language model on random weights made in memory, decode and prefill beside the memory's
/// own speed. With a folder (see make-checkpoint): the whole engine, from loading on.
/// </summary>
internal static class TrueSize
{
    public const string Usage = """
        true-size [--format BFloat16|Int8|Int4|AsStored] [--threads 1,2] [--contexts 256,2048] [--rows 1,4] [--prefill 512] [--rounds N] [--seconds S] [--busy N] [--keys-values Float32|BFloat16|Int8]
              true-size DIR [--device cpu|cuda:0] [--format AsStored|Float32|BFloat16|Int8|Int4] [--threads N] [--frames N] [--prompt CHARACTERS]
        """;

    /// <summary>The command that keeps a core busy until its process is killed, ten minutes at most.</summary>
    public const string Spin = "spin";

    public static int RunSpin()
    {
        Console.WriteLine("busy");
        long begin = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begin).TotalMinutes < 10)
            Thread.SpinWait(1000);
        return 0;
    }

    public static int Run(ReadOnlySpan<string> args)
    {
        string? folder = args.IsEmpty || args[0].StartsWith('-') ? null : args[0];
        var format = Enum.Parse<WeightFormat>(CommandLine.Value(args, "--format", folder is null ? nameof(WeightFormat.Int4) : nameof(WeightFormat.AsStored)));
        if (folder is null)
            RunInMemory(format, Enum.Parse<KeyValueFormat>(CommandLine.Value(args, "--keys-values", nameof(KeyValueFormat.BFloat16))), Numbers(args, "--threads", $"1,{Environment.ProcessorCount}"), Numbers(args, "--contexts", "256,2048"),
                Numbers(args, "--rows", "1,4"), Numbers(args, "--prefill", "512"), Number(args, "--rounds", "3"), Number(args, "--seconds", "2"), Number(args, "--busy", "0"));
        else
            RunFolder(folder, CommandLine.Value(args, "--device", "cpu"), format, Number(args, "--threads", "0"), Number(args, "--frames", "50"), Number(args, "--prompt", "400"));
        return 0;
    }

    private static void RunInMemory(WeightFormat format, KeyValueFormat keyValueFormat, int[] threads, int[] contexts, int[] rows, int[] prompts, int rounds, int seconds, int busy)
    {
        PrintMachine();
        var clock = Stopwatch.StartNew();
        using var model = new TrueSizeModel(format, keyValueFormat);
        using var probe = new TrueSizeProbe();
        Line("weights", $"{format}, {model.Bytes / 1e9:0.00} GB, {model.AudioStepBytes / 1e9:0.000} GB of them for an audio step, made in {clock.Elapsed.TotalSeconds:0.0} s");
        TrueSizeSteps[] lanes = [.. threads.Distinct().Select(t => new TrueSizeSteps(model.Model, new CpuDevice(t), t))];
        int mostRows = rows.Max();
        Dictionary<int, SequenceState[]> sequences = contexts.ToDictionary(c => c, c => Forks(lanes[^1].Sequence(c), c == contexts[0] ? mostRows : 1));
        var figures = new Figures();
        for (int round = 0; round < rounds; round++)
            foreach (TrueSizeSteps lane in lanes)
            {
                figures.Add($"read, {lane.Threads} threads", probe.Measure(lane.Threads) / 1e9, "GB/s");
                foreach (int context in contexts)
                    foreach (int count in rows.Where(r => r <= sequences[context].Length))
                        Decode(figures, model, lane, sequences[context].AsSpan(0, count), context, seconds, "");
                if (busy > 0)
                    using (new BusyProcesses(busy))
                        Decode(figures, model, lane, sequences[contexts[0]].AsSpan(0, 1), contexts[0], seconds, $", {busy} busy processes");
                foreach (int prompt in prompts.Where(p => p > 0))
                    figures.Add($"prefill {prompt}, {lane.Threads} threads", prompt / lane.Prefill(prompt), "tokens/s");
            }
        figures.Print();
        Line("intermediate results", $"{lanes.Max(l => l.ScratchBytes) / 1e6:0} MB at most");
        Line("peak memory", $"{Status("VmHWM")}, {sequences.Values.Sum(s => s[0].Cache.Bytes) / 1e9:0.00} GB of it keys and values, 1.07 GB the probe's");
        foreach (SequenceState sequence in sequences.Values.SelectMany(s => s))
            sequence.Dispose();
        foreach (TrueSizeSteps lane in lanes)
            lane.Dispose();
    }

    private static void Decode(Figures figures, TrueSizeModel model, TrueSizeSteps lane, ReadOnlySpan<SequenceState> sequences, int context, int seconds, string suffix)
    {
        double one = lane.Decode(sequences, 1).Seconds;
        (double step, double allocated) = lane.Decode(sequences, Math.Clamp((int)(seconds / one), 2, 64));
        string name = $"decode, {lane.Threads} threads, context {context}, {sequences.Length} rows{suffix}";
        figures.Add(name, sequences.Length / step, "frames/s");
        figures.Add(name + ", weights", model.AudioStepBytes / step / 1e9, "GB/s");
        figures.Add(name + ", allocated", allocated, "bytes/step");
    }

    private static SequenceState[] Forks(SequenceState first, int count) => [first, .. Enumerable.Range(1, count - 1).Select(_ => first.Fork())];

    private static void RunFolder(string folder, string device, WeightFormat format, int threads, int frames, int prompt)
    {
        PrintMachine();
        var clock = Stopwatch.StartNew();
        using var engine = HiggsAudioServeEngine.Load(Path.Combine(folder, "lm"), Path.Combine(folder, "codec"),
            new EngineOptions { Device = device, Threads = threads, WeightFormat = format });
        Line("load", $"{clock.Elapsed.TotalSeconds:0.0} s");
        Line("memory after loading", $"own {Status("RssAnon")}, mapped {Status("RssFile")}");

        var sample = new ChatMLSample(new Message("user", new string('a', prompt)));
        var options = new GenerationOptions { ForceAudioGeneration = true, Temperature = 1, Seed = 1 };
        Line("one step, cold", $"{Seconds(() => engine.Generate(sample, options with { MaxNewTokens = 2 })):0.00} s (pages the weights in)");
        double prefill = Seconds(() => engine.Generate(sample, options with { MaxNewTokens = 1 }));
        int rows = engine.Generate(sample, options with { MaxNewTokens = 1 }).Usage.PromptTokens;
        Line("prefill", $"{rows / prefill:0.0} rows/s ({rows} rows)");
        Line("first sound", $"{FirstSound(engine, sample, options with { MaxNewTokens = frames + 1 }):0.000} s after the request (the codec's reach of {engine.Codec.DecoderReachFrames} frames included)");
        double all = Seconds(() => engine.Generate(sample, options with { MaxNewTokens = frames + 1 }));
        Line("decode", $"{frames / (all - prefill):0.00} frames/s (25 are real time; {frames} frames, the codec included)");
        Line("memory at the end", $"own {Status("RssAnon")}, mapped {Status("RssFile")}");
    }

    private static double FirstSound(HiggsAudioServeEngine engine, ChatMLSample sample, GenerationOptions options)
    {
        var clock = Stopwatch.StartNew();
        IAsyncEnumerator<HiggsAudioStreamerDelta> deltas = engine.GenerateDeltaStreamAsync(sample, options).GetAsyncEnumerator();
        try
        {
            while (deltas.MoveNextAsync().AsTask().GetAwaiter().GetResult())
                if (!deltas.Current.Audio.IsEmpty)
                    break;
            return clock.Elapsed.TotalSeconds;
        }
        finally
        {
            deltas.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static double Seconds(Action action)
    {
        var clock = Stopwatch.StartNew();
        action();
        return clock.Elapsed.TotalSeconds;
    }

    private static void PrintMachine()
    {
        string processor = File.Exists("/proc/cpuinfo")
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "?"
            : RuntimeInformation.ProcessArchitecture.ToString();
        Line("machine", $"{processor}, {Environment.ProcessorCount} cores, {RuntimeInformation.FrameworkDescription}");
    }

    private static string Status(string field) => File.Exists("/proc/self/status")
        ? File.ReadLines("/proc/self/status").First(l => l.StartsWith(field, StringComparison.Ordinal)).Split(':')[1].Trim()
        : $"{Environment.WorkingSet / 1e9:0.00} GB resident";

    private static int Number(ReadOnlySpan<string> args, string name, string otherwise) => int.Parse(CommandLine.Value(args, name, otherwise), CultureInfo.InvariantCulture);

    private static int[] Numbers(ReadOnlySpan<string> args, string name, string otherwise) =>
        [.. CommandLine.Value(args, name, otherwise).Split(',').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];

    private static void Line(string what, string value) => Console.WriteLine($"{what,-22} {value}");

    // Other programs that do nothing but take time.
    private sealed class BusyProcesses : IDisposable
    {
        private readonly Process[] _processes;

        public BusyProcesses(int count)
        {
            _processes = [.. Enumerable.Range(0, count).Select(_ => Process.Start(new ProcessStartInfo(Environment.ProcessPath!, Spin) { RedirectStandardOutput = true })!)];
            foreach (Process process in _processes)
                process.StandardOutput.ReadLine();
        }

        public void Dispose()
        {
            foreach (Process process in _processes)
            {
                process.Kill();
                process.WaitForExit();
                process.Dispose();
            }
        }
    }

    // Medians of what was measured in turns.
    private sealed class Figures
    {
        private readonly Dictionary<string, (List<double> Values, string Unit)> _figures = [];
        private readonly List<string> _names = [];

        public void Add(string name, double value, string unit)
        {
            if (_figures.TryAdd(name, ([], unit)))
                _names.Add(name);
            _figures[name].Values.Add(value);
        }

        public void Print()
        {
            foreach (string name in _names)
            {
                (List<double> values, string unit) = _figures[name];
                values.Sort();
                Console.WriteLine($"{name,-68} {values[values.Count / 2],8:0.00} {unit} ({values[0]:0.00} to {values[^1]:0.00})");
            }
        }
    }
}
