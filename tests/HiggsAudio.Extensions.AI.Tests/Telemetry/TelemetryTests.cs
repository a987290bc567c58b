using System.Diagnostics;
using System.Diagnostics.Metrics;
using HiggsAudio.Extensions.AI.Telemetry;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace HiggsAudio.Extensions.AI.Tests.Telemetry;

/// <summary>Activities, measurements and messages, as listeners get them.</summary>
[NonParallelizable]
internal sealed class TelemetryTests
{
    private const string Model = "nano for telemetry";

    [Test]
    public async Task A_streamed_call_has_an_activity_and_measurements()
    {
        using var heard = new Heard();
        using HiggsAudioTextToSpeechClient client = Client();
        UsageDetails? usage = null;
        await foreach (TextToSpeechResponseUpdate update in client.GetStreamingAudioAsync("good morning."))
            usage = update.Contents.OfType<UsageContent>().SingleOrDefault()?.Details ?? usage;

        Activity activity = heard.Activities.Single();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(activity.DisplayName, Is.EqualTo($"generate_content {Model}"));
            Assert.That(activity.Kind, Is.EqualTo(ActivityKind.Client));
            Assert.That(activity.Status, Is.EqualTo(ActivityStatusCode.Unset));
            Assert.That(activity.GetTagItem("gen_ai.operation.name"), Is.EqualTo("generate_content"));
            Assert.That(activity.GetTagItem("gen_ai.provider.name"), Is.EqualTo("higgs_audio"));
            Assert.That(activity.GetTagItem("gen_ai.request.model"), Is.EqualTo(Model));
            Assert.That(activity.GetTagItem("gen_ai.output.type"), Is.EqualTo("speech"));
            Assert.That(activity.GetTagItem("gen_ai.usage.input_tokens"), Is.EqualTo(usage!.InputTokenCount));
            Assert.That(activity.GetTagItem("gen_ai.usage.output_tokens"), Is.EqualTo(usage.OutputTokenCount));
            Assert.That(activity.GetTagItem("gen_ai.response.finish_reasons"), Is.EqualTo(new[] { "Stop" }).Or.EqualTo(new[] { "AudioEnd" }));
            Assert.That(activity.Events.Select(e => e.Name), Does.Contain("higgs_audio.first_audio"));
            Assert.That(heard.Single("gen_ai.client.operation.duration"), Is.EqualTo(activity.Duration.TotalSeconds).Within(0.1));
            Assert.That(heard.Single("higgs_audio.time_to_first_audio"), Is.GreaterThan(0).And.LessThanOrEqualTo(heard.Single("gen_ai.client.operation.duration")));
            Assert.That(heard.Single("higgs_audio.real_time_factor"), Is.GreaterThan(0));
            Assert.That(heard.Single("gen_ai.client.token.usage", ("gen_ai.token.type", "input")), Is.EqualTo(usage.InputTokenCount));
            Assert.That(heard.Single("gen_ai.client.token.usage", ("gen_ai.token.type", "output")), Is.EqualTo(usage.OutputTokenCount));
        }
    }

    [Test]
    public void A_failure_has_its_type()
    {
        using var heard = new Heard();
        var log = new Messages();
        using var client = new HiggsAudioTextToSpeechClient(NanoEngine.Shared, Options(), logger: log);
        Assert.That(() => client.GetAudioAsync("hi.", new TextToSpeechOptions { VoiceId = "nobody" }), Throws.TypeOf<VoiceNotFoundException>());
        string type = typeof(VoiceNotFoundException).FullName!;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(heard.Activities.Single().Status, Is.EqualTo(ActivityStatusCode.Error));
            Assert.That(heard.Activities.Single().GetTagItem("error.type"), Is.EqualTo(type));
            Assert.That(heard.Single("gen_ai.client.operation.duration", ("error.type", type)), Is.GreaterThan(0));
            Assert.That(log.Seen.Single().Level, Is.EqualTo(LogLevel.Warning));
            Assert.That(log.Seen.Single().Text, Does.Not.Contain("hi."), "texts of callers are not logged");
        }
    }

    [Test]
    public async Task Gauges_show_the_engine_while_it_works()
    {
        using var heard = new Heard();
        using HiggsAudioTextToSpeechClient client = Client();
        await using (IAsyncEnumerator<TextToSpeechResponseUpdate> call = client.GetStreamingAudioAsync("the weather is cold today.").GetAsyncEnumerator())
        {
            Assert.That(await call.MoveNextAsync(), Is.True);
            heard.Observe();
            Assert.That(heard.Single("higgs_audio.calls.active"), Is.EqualTo(1));
            Assert.That(heard.Single("higgs_audio.kv_cache.limit"), Is.EqualTo(new HiggsAudioOptions().KvCacheBytes));
            Assert.That(heard.Names, Is.SupersetOf(new[] { "higgs_audio.requests.active", "higgs_audio.queue.length", "higgs_audio.kv_cache.usage", "higgs_audio.prefix_cache.usage" }));
        }
        heard.Clear();
        heard.Observe();
        Assert.That(heard.Single("higgs_audio.calls.active"), Is.Zero);
        client.Dispose();
        heard.Clear();
        heard.Observe();
        Assert.That(heard.Names, Is.Empty, "a disposed client is no longer observed");
    }

    private static HiggsAudioTextToSpeechClient Client() => new(NanoEngine.Shared, Options());

    private static HiggsAudioOptions Options()
    {
        var options = new HiggsAudioOptions { ModelId = Model };
        NanoEngine.Configure(options);
        return options;
    }

    /// <summary>Listens to what concerns this test's model.</summary>
    private sealed class Heard : IDisposable
    {
        private readonly MeterListener _meters = new();
        private readonly ActivityListener _activities;
        private readonly List<(string Name, double Value, Dictionary<string, object?> Tags)> _measured = [];
        private readonly List<Activity> _stopped = [];

        public Heard()
        {
            _activities = new ActivityListener
            {
                ShouldListenTo = source => source.Name == HiggsAudioTelemetry.SourceName,
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = activity =>
                {
                    if (activity.GetTagItem("gen_ai.request.model") as string == Model)
                        lock (_stopped)
                            _stopped.Add(activity);
                },
            };
            ActivitySource.AddActivityListener(_activities);
            _meters.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == HiggsAudioTelemetry.SourceName)
                    listener.EnableMeasurementEvents(instrument);
            };
            _meters.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument.Name, value, tags));
            _meters.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument.Name, value, tags));
            _meters.Start();
        }

        public IReadOnlyList<Activity> Activities => _stopped;

        public IEnumerable<string> Names => _measured.Select(measured => measured.Name).Distinct();

        public double Single(string name, params (string Key, object Value)[] tags) =>
            _measured.Single(measured => measured.Name == name && tags.All(tag => Equals(measured.Tags.GetValueOrDefault(tag.Key), tag.Value))).Value;

        public void Observe() => _meters.RecordObservableInstruments();

        public void Clear() => _measured.Clear();

        public void Dispose()
        {
            _meters.Dispose();
            _activities.Dispose();
        }

        private void Add(string name, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var all = tags.ToArray().ToDictionary(tag => tag.Key, tag => tag.Value);
            if (all.GetValueOrDefault("gen_ai.request.model") as string == Model)
                lock (_measured)
                    _measured.Add((name, value, all));
        }
    }

    private sealed class Messages : ILogger<HiggsAudioTextToSpeechClient>
    {
        public List<(LogLevel Level, string Text)> Seen { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Seen.Add((logLevel, formatter(state, exception) + exception));
    }
}
