using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;

namespace HiggsAudio.Extensions.AI.Telemetry;

/// <summary>One call of a client: its activity, and what is measured of it.</summary>
internal sealed class Operation : IDisposable
{
    private static readonly Histogram<double> Duration = HiggsAudioTelemetry.Meter.CreateHistogram("gen_ai.client.operation.duration", "s",
        "How long a call took.", advice: Seconds);

    private static readonly Histogram<long> TokenUsage = HiggsAudioTelemetry.Meter.CreateHistogram<long>("gen_ai.client.token.usage", "{token}",
        "Tokens of a call, by gen_ai.token.type.",
        advice: new InstrumentAdvice<long> { HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576] });

    private static readonly Histogram<double> TimeToFirstAudio = HiggsAudioTelemetry.Meter.CreateHistogram("higgs_audio.time_to_first_audio", "s",
        "How long the first sound of a streamed call took.", advice: Seconds);

    private static readonly Histogram<double> RealTimeFactor = HiggsAudioTelemetry.Meter.CreateHistogram("higgs_audio.real_time_factor", "1",
        "The time of a call divided by the time of its sound: below 1 is faster than real time.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 50] });

    private readonly Activity? _activity;
    private readonly long _started = Stopwatch.GetTimestamp();
    private TagList _tags;
    private bool _hasSound, _disposed;

    private Operation(string name, string provider, string model, Uri? server, string? outputType)
    {
        _tags = new TagList
        {
            { "gen_ai.operation.name", name },
            { "gen_ai.provider.name", provider },
            { "gen_ai.request.model", model },
            { "gen_ai.response.model", model },
        };
        if (server is not null)
        {
            _tags.Add("server.address", server.Host);
            _tags.Add("server.port", server.Port);
        }
        _activity = HiggsAudioTelemetry.Source.StartActivity($"{name} {model}", ActivityKind.Client);
        if (_activity is null)
            return;
        foreach ((string key, object? value) in _tags)
            _activity.SetTag(key, value);
        _activity.SetTag("gen_ai.response.id", Id);
        _activity.SetTag("gen_ai.output.type", outputType);
    }

    private static InstrumentAdvice<double> Seconds { get; } = new() { HistogramBucketBoundaries = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92] };

    /// <summary>What the answer is called.</summary>
    public string Id { get; } = Guid.NewGuid().ToString("N");

    /// <summary>How long it has been.</summary>
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_started);

    /// <summary>Begins a call.</summary>
    /// <param name="name">The operation, as the conventions call it.</param>
    /// <param name="provider">Who computes it.</param>
    /// <param name="model">With what model.</param>
    /// <param name="server">Where; null for in this program.</param>
    /// <param name="outputType"><c>speech</c>; null where it is not known.</param>
    public static Operation Start(string name, string provider, string model, Uri? server, string? outputType = null) => new(name, provider, model, server, outputType);

    /// <summary>Notes the time of the first sound of a stream.</summary>
    public void FirstAudio()
    {
        if (_hasSound)
            return;
        _hasSound = true;
        TimeToFirstAudio.Record(Elapsed.TotalSeconds, _tags);
        _activity?.AddEvent(new ActivityEvent("higgs_audio.first_audio"));
    }

    /// <summary>The call has succeeded.</summary>
    /// <param name="usage">What it cost; null if it is not known.</param>
    /// <param name="finishReason">Why it ended.</param>
    /// <param name="soundSeconds">How much sound there is.</param>
    public void Complete(UsageDetails? usage, string? finishReason, double soundSeconds)
    {
        if (finishReason is not null)
            _activity?.SetTag("gen_ai.response.finish_reasons", new[] { finishReason });
        _activity?.SetTag("higgs_audio.audio.duration", soundSeconds);
        Record("input", usage?.InputTokenCount);
        Record("output", usage?.OutputTokenCount);
        if (soundSeconds > 0)
            RealTimeFactor.Record(Elapsed.TotalSeconds / soundSeconds, _tags);
    }

    /// <summary>The call has failed.</summary>
    public void Fail(Exception problem, ILogger logger)
    {
        string type = problem.GetType().FullName!;
        _tags.Add("error.type", type);
        _activity?.SetTag("error.type", type).SetStatus(ActivityStatusCode.Error, problem.Message);
        if (problem is OperationCanceledException)
            Log.CallCancelled(logger, Id);
        else
            Log.CallFailed(logger, Id, problem);
    }

    /// <summary>Passes items on and notes a failure.</summary>
    public async IAsyncEnumerable<T> WatchAsync<T>(IAsyncEnumerable<T> items, ILogger logger)
    {
        IAsyncEnumerator<T> enumerator = items.GetAsyncEnumerator(CancellationToken.None);   // the items have the caller's token
        await using ConfiguredAsyncDisposable disposal = enumerator.ConfigureAwait(false);
        while (true)
        {
            try
            {
                if (!await enumerator.MoveNextAsync().ConfigureAwait(false))
                    break;
            }
            catch (Exception problem)
            {
                Fail(problem, logger);
                throw;
            }
            yield return enumerator.Current;
        }
    }

    /// <summary>Ends it: completed, failed, or left by its caller.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Duration.Record(Elapsed.TotalSeconds, _tags);
        _activity?.Dispose();
    }

    private void Record(string type, long? tokens)
    {
        if (tokens is not { } count)
            return;
        _activity?.SetTag($"gen_ai.usage.{type}_tokens", count);
        TagList tags = _tags;
        tags.Add("gen_ai.token.type", type);
        TokenUsage.Record(count, tags);
    }
}
