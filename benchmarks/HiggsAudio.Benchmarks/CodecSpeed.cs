using System.Diagnostics;
using System.Globalization;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Benchmarks;

/// <summary>The codec: real-time factors of decoding and encoding, and where the time of decoding goes.</summary>
internal static class CodecSpeed
{
    public const string Usage = """
        codec DIR [--rounds N] [--threads N] [--format F] [--encode-only] [--decode-only] [--profile] [--windows]
                      decodes 10 s and windows of a stream (with their context), encodes 10 s; --profile: every layer of the published decoder by itself, and the parts of encoding
        """;

    public static int Run(string[] args)
    {
        string? folder = args.Skip(1).FirstOrDefault(a => !a.StartsWith("--", StringComparison.Ordinal) && Directory.Exists(a));
        int rounds = int.Parse(CommandLine.Value(args, "--rounds", "5"), CultureInfo.InvariantCulture), threads = int.Parse(CommandLine.Value(args, "--threads", "0"), CultureInfo.InvariantCulture);
        MachineLine.Print(threads);
        int count = threads == 0 ? Environment.ProcessorCount : threads;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"multiply-adds in registers: {FlopProbe.Measure(1):0} GFLOP/s on one thread, {FlopProbe.Measure(count):0} on {count}"));
        if (args.Contains("--profile") && !args.Contains("--encode-only"))
            Profile(threads, rounds);
        if (folder is null)
            return args.Contains("--profile") ? 0 : 2;
        var format = Enum.Parse<WeightFormat>(CommandLine.Value(args, "--format", nameof(WeightFormat.AsStored)));
        using var device = new CpuDevice(threads);
        using AudioCodec codec = AudioCodec.Load(folder, device, new AudioCodecOptions { WeightFormat = format, DecodeOnly = args.Contains("--decode-only") });
        Console.WriteLine($"{folder}, {format}; {rounds} rounds, medians (lowest to highest)");
        var random = new Random(1);
        AudioCodes Codes(int frames) => new(codec.Codebooks, [.. Enumerable.Range(0, codec.Codebooks * frames).Select(_ => random.Next(codec.CodebookSize))], codec.FrameRate);
        var waveform = new Waveform([.. Enumerable.Range(0, 10 * codec.SamplingRate).Select(_ => random.NextSingle() - 0.5f)], codec.SamplingRate);
        AudioCodes ten = Codes(250), window = Codes(10), context = Codes(10 + 2 * codec.DecoderReachFrames), second = Codes(25);
        float[] samples = new float[10 * codec.HopLength], whole = new float[250 * codec.HopLength];
        List<(string Name, double Sound, Action Work)> all = [];
        if (!args.Contains("--encode-only"))
            all.AddRange([
                ("decode 10 s", 10, () => codec.Decode(ten)),
                ("decode 1 s", 1, () => codec.Decode(second)),
                ("decode 0.4 s", 0.4, () => codec.Decode(window)),
                ("decode 0.4 s within a stream", 0.4, () => codec.DecodeFrames(context, codec.DecoderReachFrames, 10, samples)),
            ]);
        if (args.Contains("--windows"))
            foreach (int frames in new[] { 16, 24, 32, 48, 64, 96, 128, 236 })
                all.Add(($"decode 10 s by {frames} frames", 10, () => codec.DecodeFrames(ten, 0, 250, whole, frames)));
        if (codec.CanEncode)
            all.Add(("encode 10 s", 10, () => codec.Encode(waveform)));
        var seconds = all.ConvertAll(_ => new List<double>());
        foreach ((_, _, Action work) in all)
            work();
        for (int round = 0; round < rounds; round++)
            for (int i = 0; i < all.Count; i++)
                seconds[i].Add(Seconds(all[i].Work));
        for (int i = 0; i < all.Count; i++)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{all[i].Name,-30} {Median(seconds[i]) * 1000,8:0.0} ms ({seconds[i].Min() * 1000:0.0} to {seconds[i].Max() * 1000:0.0}), real-time factor {Median(seconds[i]) / all[i].Sound:0.000}"));
        if (args.Contains("--profile") && codec.CanEncode)
            ProfileEncoding(device, codec, waveform.Samples.Span, rounds);
        return 0;
    }

    // What is observed while 10 s are encoded tells when each part has ended.
    private static void ProfileEncoding(CpuDevice device, AudioCodec codec, ReadOnlySpan<float> samples, int rounds)
    {
        using Backend ops = device.CreateLane();
        var parts = new Dictionary<string, List<double>>();
        var clock = new Stopwatch();
        ops.Observer = (name, _, _) =>
        {
            if (!parts.TryGetValue(name, out List<double>? times))
                parts[name] = times = [];
            times.Add(clock.Elapsed.TotalSeconds);
            clock.Restart();
        };
        for (int i = 0; i <= rounds; i++)
        {
            clock.Restart();
            codec.EncodeMono(ops, samples);
        }
        Console.WriteLine("parts of encoding 10 s, each up to:");
        foreach ((string name, List<double> times) in parts)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name,-24} {Median(times) * 1000,8:0.0} ms"));
    }

    // 10 s and 0.4 s (with 0.8 s around) through layers of the published sizes, each timed by itself.
    private static void Profile(int threads, int rounds)
    {
        using var device = new CpuDevice(threads);
        using Backend ops = device.CreateLane();
        foreach (int frames in new[] { 250, 30 })
        {
            var layers = new List<(string Name, double Flops, double Seconds)>();
            int rows = frames, width = 1024;
            Add("conv 7, 256 to 1024", rows, 256, 1024, Conv1dShape.Same(7));
            foreach (int stride in new[] { 8, 5, 4, 2, 3 })
            {
                AddSnake(rows, width);
                AddTransposed(rows, width, width / 2, stride);
                (rows, width) = (rows * stride, width / 2);
                foreach (int dilation in new[] { 1, 3, 9 })
                {
                    AddSnake(rows, width);
                    Add($"conv 7 ({dilation}), {width}", rows, width, width, Conv1dShape.Same(7, dilation));
                    AddSnake(rows, width);
                    Add($"conv 1, {width}", rows, width, width, new Conv1dShape(1));
                    Time($"add, {width}", 0, rows, width, (x, y) => ops.Add(y, x));
                }
            }
            Add("conv 7, 32 to 1", rows, 32, 1, Conv1dShape.Same(7));
            double total = layers.Sum(l => l.Seconds);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\n{frames} frames: {total * 1000:0.0} ms, {layers.Sum(l => l.Flops) / total / 1e9:0} GFLOP/s"));
            foreach (var group in layers.GroupBy(l => l.Name))
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"  {group.Key,-24} {group.Count()} x {group.Average(l => l.Seconds) * 1000,7:0.00} ms {group.Sum(l => l.Seconds) / total,6:P0} {group.Sum(l => l.Flops) / group.Sum(l => l.Seconds) / 1e9,5:0} GFLOP/s"));

            void AddSnake(int rows, int width)
            {
                Weight alpha = Vector(width);
                Time($"snake, {width}", 0, rows, width, (x, y) => ops.Snake(x, alpha, y));
            }

            void Add(string name, int rows, int inputs, int outputs, Conv1dShape shape)
            {
                (Weight weight, Weight bias) = (Values(outputs, inputs * shape.Kernel), Vector(outputs));
                Time(name, 2.0 * rows * inputs * outputs * shape.Kernel, rows, inputs, (x, _) => ops.Conv1d(x, weight, bias, shape));
            }

            void AddTransposed(int rows, int inputs, int outputs, int stride)
            {
                (Weight weight, Weight bias) = (Values(stride * outputs, 2 * inputs), Vector(outputs));
                var shape = new ConvTranspose1dShape(2 * stride, stride, (stride + 1) / 2, stride % 2);
                Time($"up {stride}, {inputs} to {outputs}", 4.0 * rows * inputs * outputs * stride, rows, inputs, (x, _) => ops.ConvTranspose1d(x, weight, bias, shape));
            }

            void Time(string name, double flops, int rows, int width, Action<Matrix, Matrix> work)
            {
                using var scope = ops.Scratch();
                Matrix x = ops.Zeros(rows, width), y = ops.Zeros(rows, width);
                var times = new List<double>();
                for (int i = 0; i <= rounds; i++)
                {
                    using var inner = ops.Scratch();
                    times.Add(Seconds(() => work(x, y)));
                }
                layers.Add((name, flops, Median(times)));
            }
        }

        Weight Values(int rows, int columns)
        {
            var random = new Random(rows + columns);
            return device.CreateWeight([.. Enumerable.Range(0, rows * columns).Select(_ => (random.NextSingle() - 0.5f) / columns)], rows, columns, WeightUse.Linear);
        }

        Weight Vector(int count) => device.CreateWeight([.. Enumerable.Repeat(0.5f, count)], 1, count, WeightUse.Vector);
    }

    private static double Seconds(Action action)
    {
        var clock = Stopwatch.StartNew();
        action();
        return clock.Elapsed.TotalSeconds;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
