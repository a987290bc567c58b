using System.Diagnostics;
using System.Globalization;
using HiggsAudio;
using HiggsAudio.Cuda;
using HiggsAudio.Pictures;
using Speak;

if (!Arguments.TryParse(args, out Arguments arguments, out string? problem))
{
    Console.Error.WriteLine(problem);
    Console.Error.WriteLine(Arguments.Help);
    return problem is null ? 0 : 2;
}

using var cancellation = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    cancellation.Cancel();
};

try
{
    var clock = Stopwatch.StartNew();
    var options = new EngineOptions { Device = arguments.Device, Threads = arguments.Threads, WeightFormat = arguments.Format, Adapters = arguments.Adapters };
    using HiggsAudioServeEngine engine = arguments.Model is null
        ? NanoVoice.Load(options, null, cancellation.Token)
        : await HiggsAudioServeEngine.LoadAsync(arguments.Model, arguments.Codec!, options, new LoadLine(), cancellation.Token);
    Console.WriteLine($"Loaded {(arguments.Model is null ? "the nano voice (a small model for trying; name the published one with --model and --codec)" : arguments.Model)} in {clock.Elapsed.TotalSeconds:0.0} s");

    clock.Restart();
    var parts = new List<Waveform>();
    var responses = new List<HiggsAudioResponse>();
    foreach (ChatMLSample sample in arguments.Conversations())
    {
        HiggsAudioResponse response = await engine.GenerateAsync(sample, arguments.Generation, new ProgressLine(), cancellation.Token);
        Console.WriteLine();
        if (response.Audio is null)
        {
            Console.Error.WriteLine($"The model answered without sound ({response.FinishReason}): {response.GeneratedText}");
            return 1;
        }
        if (parts.Count > 0)
            parts.Add(new Waveform(new float[response.SamplingRate / 6], response.SamplingRate));   // a breath between sentences
        parts.Add(response.Audio);
        responses.Add(response);
    }
    Waveform audio = Waveform.Concatenate(parts);
    audio.SaveWav(arguments.Output);
    if (arguments.Picture is not null)
    {
        AudioCodes? codes = responses.Count == 1 ? responses[0].AudioCodes : engine.Codec.Encode(audio);
        SoundPictures.DrawAll(audio, codes, new PictureOptions { CodebookSize = engine.Codec.CodebookSize }).SavePng(arguments.Picture);
    }
    double seconds = audio.Duration.TotalSeconds, took = clock.Elapsed.TotalSeconds;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{arguments.Output}: {seconds:0.00} s of audio in {took:0.00} s, real-time factor {took / seconds:0.000}, " +
        $"finish reason {string.Join(", ", responses.Select(r => r.FinishReason))}, seed {string.Join(", ", responses.Select(r => r.Seed))}"));
    return 0;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("\nCancelled.");
    return 130;
}
catch (Exception expected) when (expected is IOException or ArgumentException or InvalidOperationException or NotSupportedException or UnauthorizedAccessException or CudaNotFoundException)
{
    Console.Error.WriteLine($"\n{expected.Message}");
    return 1;
}

internal sealed class LoadLine : IProgress<LoadProgress>
{
    private string _shown = "";

    public void Report(LoadProgress value)
    {
        string line = string.Create(CultureInfo.InvariantCulture, $"{value.Stage} {value.Part:P1}");
        if (line == _shown)
            return;
        Console.Write($"\r{line}   ");
        _shown = line;
    }
}

internal sealed class ProgressLine : IProgress<GenerationProgress>
{
    public void Report(GenerationProgress value)
    {
        if (!Console.IsOutputRedirected)
            Console.Write(string.Create(CultureInfo.InvariantCulture, $"\r{value.Audio.TotalSeconds:0.0} s of audio, {value.FramesPerSecond:0} frames/s (25 are real time)   "));
    }
}
