using System.Globalization;
using HiggsAudio;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

// Quantizes a language model to a folder that loads at once, and says what that costs in precision, tensor by tensor:
//   dotnet run -c Release --project samples/Quantize -- MODEL OUT [--format int8|int4] [--keep NAME=FORMAT]...
//     [--codec CODEC] [--codec-format float32|bfloat16] [--threads N]
// OUT may be "-" to report only. --keep makes an exception, such as --keep layers.0=int8 or --keep layers.27.mlp.down_proj=bfloat16. With --codec, the
// codec is written to OUT/codec as the kernels want it.
const string Usage = "Usage: MODEL OUT [--format int8|int4] [--keep NAME=FORMAT]... [--codec CODEC] [--codec-format float32|bfloat16] [--threads N]";
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
try
{
    (string model, string? folder, EngineOptions options, string? codecFolder, AudioCodecOptions codecOptions) = Parse(args);
    // First, so that a wrong folder is told before anything is done.
    using AudioCodec? codec = codecFolder is null ? null : AudioCodec.Load(codecFolder, codecOptions with { Threads = options.Threads });
    var tensors = new List<QuantizedTensor>();
    using var end = new CancellationTokenSource();
    Console.CancelKeyPress += (_, e) =>
    {
        e.Cancel = true;
        end.Cancel();
    };
    ModelQuantizer.Quantize(model, folder, options, tensors.Add, new Bar(), end.Token);
    if (folder is not null)
        codec?.SavePacked(Path.Combine(folder, "codec"), null, end.Token);
    Print(tensors);
    return 0;
}
catch (Exception problem) when (problem is CheckpointException or IOException or ArgumentException or InvalidOperationException or OperationCanceledException)
{
    Console.Error.WriteLine(problem.Message);
    return 1;
}

static void Print(List<QuantizedTensor> tensors)
{
    Console.WriteLine($"{"tensor",-52} {"size",-16} {"format",-8} {"error",8} {"naive",8} {"largest",9}");
    foreach (QuantizedTensor tensor in tensors.Where(t => t.Error is not null))
        Console.WriteLine($"{tensor.Name,-52} {$"[{tensor.Rows}, {tensor.Columns}]",-16} {tensor.Format,-8} {tensor.Error!.Value.RelativeSquaredError,8:P3} {tensor.Error.Value.NaiveRelativeSquaredError,8:P3} {tensor.Error.Value.LargestError,9:G3}");
    foreach (IGrouping<WeightFormat, QuantizedTensor> format in tensors.Where(t => t.Error is not null).GroupBy(t => t.Format))
    {
        QuantizedTensor worst = format.MaxBy(t => t.Error!.Value.RelativeSquaredError)!;
        Console.WriteLine($"{format.Key}: {format.Count()} tensors, mean squared error {format.Average(t => t.Error!.Value.RelativeSquaredError):P3} of the values' energy " +
            $"({format.Average(t => t.Error!.Value.NaiveRelativeSquaredError):P3} with naive scales); worst {worst.Name} {worst.Error!.Value.RelativeSquaredError:P3}");
    }
}

static (string Model, string? Folder, EngineOptions Options, string? Codec, AudioCodecOptions CodecOptions) Parse(string[] args)
{
    string? codec = null;
    var codecOptions = new AudioCodecOptions();
    var paths = new List<string>();
    var overrides = new Dictionary<string, WeightFormat>();
    var options = new EngineOptions { WeightFormat = WeightFormat.Int4 };
    for (int i = 0; i < args.Length; i++)
    {
        string value = i + 1 < args.Length ? args[i + 1] : "";
        switch (args[i])
        {
            case "--format": options = options with { WeightFormat = Format(value) }; i++; break;
            case "--threads" when int.TryParse(value, CultureInfo.InvariantCulture, out int threads): options = options with { Threads = threads }; i++; break;
            case "--codec": codec = value; i++; break;
            case "--codec-format": codecOptions = codecOptions with { WeightFormat = Format(value) }; i++; break;
            case "--keep" when value.Split('=') is { Length: 2 } pair: overrides[pair[0]] = Format(pair[1]); i++; break;
            case var path when !path.StartsWith("--", StringComparison.Ordinal): paths.Add(path); break;
            default: throw new ArgumentException($"{args[i]}? {Usage}");
        }
    }
    if (paths.Count != 2)
        throw new ArgumentException(Usage);
    return (paths[0], paths[1] == "-" ? null : paths[1], options with { WeightFormatOverrides = overrides }, codec, codecOptions);
}

static WeightFormat Format(string name) => WeightFormatText.TryParse(name, out WeightFormat format)
    ? format
    : throw new ArgumentException($"'{name}' is no format; there are {WeightFormatText.Words}.");

internal sealed class Bar : IProgress<LoadProgress>
{
    private int _shown = -1;

    public void Report(LoadProgress value)
    {
        if (Console.IsErrorRedirected || (int)(100 * value.Part) == _shown)
            return;
        _shown = (int)(100 * value.Part);
        Console.Error.Write($"\r{value.Stage} {_shown} %   ");
    }
}
