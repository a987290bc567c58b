using System.Globalization;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Core.Tests.Nano;
using HiggsAudio.Model;
using HiggsAudio.Testing;

namespace HiggsAudio.Benchmarks;

/// <summary>
/// drift: what the formats of weights and caches do to the answers, against 32-bit floats, all fed the same codes (teacher forcing), as the table of
/// docs/performance.md. With --words also the word error rate of the nano voice, if the recogniser is installed.
/// </summary>
internal static class Drift
{
    public const string Usage = "drift [--words] [--voice feminine|masculine|scottish] [--only TEXT]";

    private sealed record Setup(string Name, WeightFormat Weights, KeyValueFormat Cache, Dictionary<string, WeightFormat>? Exceptions = null);

    private sealed record Rows(int[] Text, int[][] Audio);

    private sealed record Model(string Name, string Folder, IReadOnlyList<Rows> Cases);

    public static int Run(string[] args)
    {
        Model[] models = [Nano(), .. Golden.Folders("lm_").Select(RandomRows)];
        Setup[] setups = [.. Setups().Where(s => s.Name.Contains(CommandLine.Value(args, "--only", ""), StringComparison.OrdinalIgnoreCase))];
        bool words = args.Contains("--words") && SpeechRecognizer.IsInstalled;
        Console.WriteLine($"| weights, cache | {string.Join(" | ", models.Select(m => $"{m.Name}: logit error | same codes"))} |{(words ? " word error rate |" : "")}");
        Console.WriteLine($"| --- |{string.Concat(models.Select(_ => " --- | --- |"))}{(words ? " --- |" : "")}");
        float[][] exact = [.. models.Select(m => Logits(m, new Setup("", WeightFormat.Float32, KeyValueFormat.Float32)))];
        foreach (Setup setup in setups)
        {
            Console.Write($"| {setup.Name} |");
            for (int i = 0; i < models.Length; i++)
            {
                float[] logits = Logits(models[i], setup);
                Console.Write(string.Create(CultureInfo.InvariantCulture, $" {Error(logits, exact[i]):0.0000} | {100 * Same(logits, exact[i], CodebookSize(models[i])):0.0} % |"));
            }
            Console.WriteLine(words ? string.Create(CultureInfo.InvariantCulture, $" {WordErrorRate(setup, CommandLine.Value(args, "--voice", "masculine")):0.000} |") : "");
        }
        Codec();
        return 0;
    }

    private static IEnumerable<Setup> Setups()
    {
        yield return new("float32, float32", WeightFormat.Float32, KeyValueFormat.Float32);
        yield return new("float32, bfloat16", WeightFormat.Float32, KeyValueFormat.BFloat16);
        yield return new("float32, int8", WeightFormat.Float32, KeyValueFormat.Int8);
        yield return new("bfloat16, bfloat16", WeightFormat.BFloat16, KeyValueFormat.BFloat16);
        yield return new("int8, bfloat16", WeightFormat.Int8, KeyValueFormat.BFloat16);
        yield return new("int8, int8", WeightFormat.Int8, KeyValueFormat.Int8);
        yield return new("int4, float32", WeightFormat.Int4, KeyValueFormat.Float32);
        yield return new("int4, bfloat16", WeightFormat.Int4, KeyValueFormat.BFloat16);
        yield return new("int4, int8", WeightFormat.Int4, KeyValueFormat.Int8);
        foreach ((string name, string[] parts) in new (string, string[])[]
        {
            ("down projections", ["mlp.down_proj", "audio_mlp.down_proj"]), ("gate projections", ["mlp.gate_proj", "audio_mlp.gate_proj"]),
            ("up projections", ["mlp.up_proj", "audio_mlp.up_proj"]), ("attention", ["self_attn"]), ("k projections", ["self_attn.k_proj"]), ("o projections", ["self_attn.o_proj"]),
        })
            yield return new($"int4 with {name} in int8, bfloat16", WeightFormat.Int4, KeyValueFormat.BFloat16,
                (from layer in Enumerable.Range(0, 64) from part in parts select $"layers.{layer}.{part}").ToDictionary(n => n, _ => WeightFormat.Int8));
        yield return new("int4 with v projections in int4 too, bfloat16", WeightFormat.Int4, KeyValueFormat.BFloat16, Enumerable.Range(0, 64).ToDictionary(i => $"layers.{i}.self_attn.v_proj", _ => WeightFormat.Int4));
        yield return new("int4 with the first layer in int8, bfloat16", WeightFormat.Int4, KeyValueFormat.BFloat16, new() { ["layers.0"] = WeightFormat.Int8 });
        yield return new("int4 with the last layer in int8, bfloat16", WeightFormat.Int4, KeyValueFormat.BFloat16, new() { ["layers.last"] = WeightFormat.Int8 });
    }

    // The exceptions that the model has layers for.
    private static Dictionary<string, WeightFormat>? Exceptions(Setup setup, HiggsAudioConfig config, Checkpoint checkpoint)
    {
        string[] names = [.. checkpoint.Tensors.Keys.Select(TensorNames.Canonical).OfType<string>()];
        return setup.Exceptions?.Select(e => (Name: e.Key.Replace("layers.last", $"layers.{config.NumHiddenLayers - 1}", StringComparison.Ordinal), e.Value))
            .Where(e => names.Any(n => n.StartsWith(e.Name + ".", StringComparison.Ordinal))).ToDictionary(e => e.Name, e => e.Value);
    }

    private static float[] Logits(Model model, Setup setup)
    {
        using Checkpoint checkpoint = Checkpoint.Open(model.Folder);
        using var device = new CpuDevice();
        HiggsAudioConfig config = HiggsAudioConfig.Load(model.Folder);
        HiggsAudioModel loaded = HiggsAudioModel.Load(checkpoint, config, device, new QuantizationPlan(setup.Weights, Exceptions(setup, config, checkpoint)), setup.Cache);
        using Backend lane = device.CreateLane();
        var all = new List<float>();
        foreach (Rows rows in model.Cases)
        {
            using SequenceState sequence = loaded.CreateSequence();
            TokenBatch batch = loaded.CreateBatch();
            foreach (int id in rows.Text)
                batch.AddText(sequence, id);
            var requests = new List<int>();
            foreach (int[] codes in rows.Audio)
            {
                batch.AddAudio(sequence, codes);
                requests.Add(batch.RequestAudioLogits());
            }
            loaded.Forward(lane, batch);
            foreach (int request in requests)
                all.AddRange(batch.AudioLogits(request));
        }
        return [.. all];
    }

    private static int CodebookSize(Model model)
    {
        using Checkpoint checkpoint = Checkpoint.Open(model.Folder);
        using var device = new CpuDevice();
        return HiggsAudioModel.Load(checkpoint, HiggsAudioConfig.Load(model.Folder), device).Config.CodebookSize;
    }

    private static double Error(float[] logits, float[] exact)
    {
        double error = 0, size = 0;
        for (int i = 0; i < exact.Length; i++)
            (error, size) = (error + Math.Pow(logits[i] - exact[i], 2), size + Math.Pow(exact[i], 2));
        return Math.Sqrt(error / size);
    }

    private static double Same(float[] logits, float[] exact, int codebookSize)
    {
        int same = 0, all = exact.Length / codebookSize;
        for (int i = 0; i < all; i++)
            if (Largest(logits.AsSpan(i * codebookSize, codebookSize)) == Largest(exact.AsSpan(i * codebookSize, codebookSize)))
                same++;
        return (double)same / all;
    }

    private static int Largest(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
            if (values[i] > values[best])
                best = i;
        return best;
    }

    // The nano voice on the reference's own answers.
    private static Model Nano()
    {
        var cases = new List<Rows>();
        string folder = NanoVoice.Unpack().ModelFolder;
        HiggsAudioConfig config = HiggsAudioConfig.Load(folder);
        foreach (string golden in Golden.Folders("nano"))
            foreach ((string name, _) in Golden.Cases(golden))
            {
                using Checkpoint file = Checkpoint.Open(Path.Combine(golden, name + ".safetensors"));
                int[] prompt = [.. file.Tensors["prompt_ids"].ToFloats().Select(v => (int)v).Where(t => t != config.AudioInTokenId && t != config.AudioOutTokenId)];
                CheckpointTensor codes = file.Tensors["delayed_codes"];
                int columns = (int)codes.Shape[1];
                float[] values = codes.ToFloats();
                cases.Add(new Rows(prompt, [.. Enumerable.Range(0, columns).Select(c => Enumerable.Range(0, (int)codes.Shape[0]).Select(q => (int)values[q * columns + c]).ToArray())]));
            }
        return new Model("nano", folder, cases);
    }

    private static Model RandomRows(string folder)
    {
        var random = new Random(1);
        HiggsAudioConfig config = HiggsAudioConfig.Load(folder);
        int[] text = [.. Enumerable.Range(0, 30).Select(_ => random.Next(Math.Min(100, config.VocabSize)))];
        int[][] audio = [.. Enumerable.Range(0, 60).Select(_ => Enumerable.Range(0, config.AudioNumCodebooks).Select(_ => random.Next(config.AudioStreamBosId)).ToArray())];
        return new Model(Path.GetFileName(folder), folder, [new Rows(text, audio)]);
    }

    private static double WordErrorRate(Setup setup, string voice)
    {
        string folder = NanoVoice.Unpack().ModelFolder;
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        using HiggsAudioServeEngine engine = NanoVoice.Load(new EngineOptions
        {
            WeightFormat = setup.Weights,
            KeyValueFormat = setup.Cache,
            WeightFormatOverrides = Exceptions(setup, HiggsAudioConfig.Load(folder), checkpoint),
        });
        var options = new GenerationOptions { Temperature = 0, RasWinLen = null, ForceAudioGeneration = true, MaxNewTokens = 256 };
        HiggsAudioResponse[] answers = Task.WhenAll(HeldOutSentences.All.Select(text => engine.GenerateAsync(NanoVoice.Say(text, voice), options))).GetAwaiter().GetResult();
        return SpeechRecognizer.WordErrorRate(HeldOutSentences.All, [.. answers.Select(a => a.Audio!)]);
    }

    // The codec has bfloat16 beside 32-bit floats.
    private static void Codec()
    {
        string folder = NanoVoice.Unpack().CodecFolder;
        using AudioCodec exact = AudioCodec.Load(folder, new AudioCodecOptions { WeightFormat = WeightFormat.Float32 }), half = AudioCodec.Load(folder, new AudioCodecOptions { WeightFormat = WeightFormat.BFloat16 });
        var random = new Random(1);
        var codes = new AudioCodes(exact.Codebooks, [.. Enumerable.Range(0, exact.Codebooks * 100).Select(_ => random.Next(exact.CodebookSize))]);
        float[] a = exact.Decode(codes).Span.ToArray(), b = half.Decode(codes).Span.ToArray();
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Codec of the nano voice, bfloat16: decoded samples differ by {Error(b, a):0.0000} of their size."));
    }
}
