using System.Diagnostics;
using HiggsAudio.Testing.RandomModels;

namespace HiggsAudio.Benchmarks;

/// <summary>make-checkpoint: writes folders like the published ones, with random values.</summary>
internal static class MakeCheckpoint
{
    public const string Usage = "make-checkpoint DIR [--layout legacy|hf] [--what lm|codec|both] [--seed N] [--scale tiny|full]";

    public static int Run(ReadOnlySpan<string> arguments)
    {
        string? folder = null, what = "both", scale = "full";
        var layout = CheckpointLayout.Legacy;
        int seed = 0;
        for (int i = 0; i < arguments.Length; i++)
        {
            string? value = i + 1 < arguments.Length ? arguments[i + 1] : null;
            switch (arguments[i], value)
            {
                case ("--layout", "legacy"): layout = CheckpointLayout.Legacy; break;
                case ("--layout", "hf"): layout = CheckpointLayout.HuggingFace; break;
                case ("--what", "lm" or "codec" or "both"): what = value; break;
                case ("--scale", "tiny" or "full"): scale = value; break;
                case ("--seed", not null) when int.TryParse(value, out seed): break;
                case var (name, _) when folder is null && !name.StartsWith('-'): folder = name; continue;
                default: return Refuse(arguments[i]);
            }
            i++;
        }
        if (folder is null)
            return Refuse("no folder");
        if (what is "lm" or "both")
            Write(Path.Combine(folder, "lm"), f => RandomCheckpoint.WriteLanguageModel(f, scale == "full" ? LanguageModelSizes.Published : LanguageModelSizes.Tiny, layout, seed));
        if (what is "codec" or "both")
            Write(Path.Combine(folder, "codec"), f => RandomCheckpoint.WriteCodec(f, scale == "full" ? CodecSizes.Published : CodecSizes.Tiny, layout, seed));
        return 0;
    }

    private static int Refuse(string what)
    {
        Console.Error.WriteLine($"{what}? Usage: {Usage}");
        return 2;
    }

    private static void Write(string folder, Action<string> write)
    {
        var watch = Stopwatch.StartNew();
        write(folder);
        double megabytes = new DirectoryInfo(folder).EnumerateFiles().Sum(f => f.Length) / 1e6;
        Console.WriteLine($"{folder}: {megabytes:F1} MB in {watch.Elapsed.TotalSeconds:F1} s");
    }
}
