using HiggsAudio.Compute;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using NUnit.Framework;

namespace HiggsAudio.Extensions.AI.Tests.Hosting;

/// <summary>services.AddHiggsAudio: options, validation, lifetimes, keys.</summary>
internal sealed class RegistrationTests
{
    [Test]
    public void Every_property_is_bound_from_configuration()
    {
        IConfiguration section = Configuration("""
            {
              "Model": "models/lm", "Codec": "models/codec", "ModelId": "mine", "TokenizerFolder": "models/text", "Device": "cuda:1",
              "WeightFormat": "Int4", "KeyValueFormat": "Int8", "WeightFormatOverrides": { "text_lm_head": "BFloat16" },
              "Adapters": { "me/voice": 0.5 }, "Threads": 3, "MaxContextLength": 1000,
              "KvCacheBytes": 5000000000, "PrefixCacheBytes": 7, "WhenFull": "Fail", "MaxConcurrentRequests": 4, "PrefillChunk": 64,
              "MaxQueuedRequests": 9, "Loading": "InBackground", "VoicesFolder": ".", "VoiceDescriptions": { "calm": "He speaks slowly." },
              "DefaultVoice": "calm", "Scene": "A hall.",
              "Generation": { "MaxNewTokens": 10, "Temperature": 0.5, "TopK": 20, "TopP": 0.75, "RasWinLen": 3, "RasWinMaxNumRepeat": 1, "Seed": 77 }
            }
            """);
        using ServiceProvider services = new ServiceCollection().AddHiggsAudio(section).BuildServiceProvider();
        HiggsAudioOptions options = services.GetRequiredService<IOptions<HiggsAudioOptions>>().Value;
        using (Assert.EnterMultipleScope())
        {
            Assert.That((options.Model, options.Codec, options.ModelId), Is.EqualTo(("models/lm", "models/codec", "mine")));
            Assert.That(options.ToEngineOptions() with { WeightFormatOverrides = null, Adapters = [] }, Is.EqualTo(new EngineOptions
            {
                Device = "cuda:1",
                TokenizerFolder = "models/text",
                WeightFormat = WeightFormat.Int4,
                KeyValueFormat = KeyValueFormat.Int8,
                Threads = 3,
                MaxContextLength = 1000,
                KvCacheBytes = 5_000_000_000,
                PrefixCacheBytes = 7,
                WhenFull = WhenFull.Fail,
                MaxConcurrentRequests = 4,
                PrefillChunk = 64,
            }));
            Assert.That(options.ToEngineOptions().Adapters, Is.EqualTo(new[] { new AdapterOptions("me/voice", 0.5f) }));
            Assert.That(options.WeightFormatOverrides["text_lm_head"], Is.EqualTo(WeightFormat.BFloat16));
            Assert.That((options.MaxQueuedRequests, options.Loading, options.VoicesFolder), Is.EqualTo((9, EngineLoading.InBackground, ".")));
            Assert.That((options.VoiceDescriptions["calm"], options.DefaultVoice, options.Scene), Is.EqualTo(("He speaks slowly.", "calm", "A hall.")));
            GenerationOptions generation = options.ToSpeakOptions().Generation;
            Assert.That((generation.MaxNewTokens, generation.Temperature, generation.TopK, generation.TopP), Is.EqualTo((10, 0.5f, (int?)20, 0.75f)));
            Assert.That((generation.RasWinLen, generation.RasWinMaxNumRepeat, generation.Seed), Is.EqualTo(((int?)3, 1, (long?)77)));
            Assert.That(generation.ForceAudioGeneration, Is.True);
        }
    }

    [Test]
    public void Every_property_that_configuration_can_set_is_in_the_test_above()
    {
        string[] delegates = [nameof(HiggsAudioOptions.EngineFactory), nameof(HiggsAudioOptions.ConfigureEngine), nameof(HiggsAudioOptions.ConfigureSpeech)];
        string test = File.ReadAllText(Path.Combine(Testing.Golden.Repository, "tests/HiggsAudio.Extensions.AI.Tests/Hosting/RegistrationTests.cs"));
        foreach (string property in typeof(HiggsAudioOptions).GetProperties().Concat(typeof(GenerationDefaults).GetProperties()).Select(p => p.Name).Except(delegates))
            Assert.That(test, Does.Contain($"\"{property}\":"));
    }

    [Test]
    public void A_host_without_a_model_does_not_start_and_says_what_to_set()
    {
        using IHost host = Host(services => services.AddHiggsAudio(_ => { }));
        OptionsValidationException? problem = Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.That(problem!.Message, Does.Contain("HiggsAudio:Model is not set").And.Contain("HiggsAudio:Codec is not set").And.Contain("EngineFactory"));
    }

    [TestCase("MaxQueuedRequests", "-1", "MaxQueuedRequests")]
    [TestCase("Threads", "-1", "EngineOptions.Threads")]
    [TestCase("Device", "gpu no 1", "EngineOptions.Device")]
    [TestCase("Generation:TopP", "3", "GenerationOptions.TopP")]
    [TestCase("VoicesFolder", "no/such/folder", "no/such/folder")]
    [TestCase("Model", "/no/such/model", "/no/such/model")]
    [TestCase("VoiceDescriptions:calm", " ", "calm")]
    [TestCase("Loading", "17", "Loading")]
    public void A_wrong_value_is_named_at_the_start(string key, string value, string named)
    {
        var values = new Dictionary<string, string?> { ["Model"] = "lm", ["Codec"] = "codec", [key] = value };
        using IHost host = Host(services => services.AddHiggsAudio(new ConfigurationBuilder().AddInMemoryCollection(values).Build()));
        Assert.That(() => host.StartAsync(), Throws.TypeOf<OptionsValidationException>().With.Message.Contains(named));
    }

    [Test]
    public async Task An_engine_is_loaded_once_when_it_is_first_asked_for_and_disposed_with_the_services()
    {
        int loads = 0;
        EngineOptions? given = null;
        ServiceProvider services = new ServiceCollection().AddHiggsAudio(options =>
        {
            options.Threads = 1;
            options.ConfigureEngine = engine => engine with { PrefillChunk = 17 };
            options.EngineFactory = (_, engine, cancellationToken) =>
            {
                Interlocked.Increment(ref loads);
                given = engine;
                return NanoVoice.LoadAsync(engine, cancellationToken: cancellationToken);
            };
        }).BuildServiceProvider();
        var provider = services.GetRequiredService<HiggsAudioEngineProvider>();
        Assert.That((provider.Engine, loads), Is.EqualTo(((HiggsAudioServeEngine?)null, 0)));
        HiggsAudioServeEngine[] engines = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => provider.GetEngineAsync().AsTask()));
        Assert.That(engines.Distinct().Single(), Is.SameAs(services.GetRequiredService<HiggsAudioServeEngine>()));
        Assert.That((loads, given!.Threads, given.PrefillChunk), Is.EqualTo((1, 1, 17)));
        await services.DisposeAsync();
        Assert.That(() => engines[0].Generate(NanoVoice.Say("no.")), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(async () => await provider.GetEngineAsync(), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public async Task An_engine_that_was_handed_in_is_not_disposed_with_the_services()
    {
        ServiceProvider services = new ServiceCollection().AddHiggsAudio(NanoEngine.Shared).BuildServiceProvider();
        Assert.That(services.GetRequiredService<HiggsAudioServeEngine>(), Is.SameAs(NanoEngine.Shared));
        Assert.That(await services.GetRequiredService<HiggsAudioEngineProvider>().GetEngineAsync(), Is.SameAs(NanoEngine.Shared));
        await services.DisposeAsync();
        var options = new GenerationOptions { ForceAudioGeneration = true, MaxNewTokens = 3 };
        Assert.That(NanoEngine.Shared.Generate(NanoVoice.Say("yes."), options).FinishReason, Is.EqualTo(FinishReason.Length));
    }

    [Test]
    public async Task What_failed_to_load_is_tried_again()
    {
        int attempts = 0;
        await using ServiceProvider services = new ServiceCollection().AddHiggsAudio(options => options.EngineFactory = (provider, engine, cancellationToken) =>
            attempts++ == 0 ? throw new IOException("the disk is gone") : NanoEngine.LoadAsync(provider, engine, cancellationToken)).BuildServiceProvider();
        var provider = services.GetRequiredService<HiggsAudioEngineProvider>();
        Assert.That(async () => await provider.GetEngineAsync(), Throws.InstanceOf<IOException>());
        Assert.That(provider.Failure, Is.InstanceOf<IOException>());
        Assert.That(await provider.GetEngineAsync(), Is.Not.Null);
        Assert.That(provider.Failure, Is.Null);
    }

    [Test]
    public async Task Disposing_ends_a_loading_and_what_comes_too_late_is_disposed()
    {
        var release = new TaskCompletionSource();
        HiggsAudioServeEngine late = NanoVoice.Load(new EngineOptions { Threads = 1 });
        ServiceProvider services = new ServiceCollection().AddHiggsAudio(options => options.EngineFactory = async (_, _, _) =>
        {
            await release.Task;
            return late;
        }).BuildServiceProvider();
        Task<HiggsAudioServeEngine> waiting = services.GetRequiredService<HiggsAudioEngineProvider>().GetEngineAsync().AsTask();
        await services.DisposeAsync();
        release.SetResult();
        Assert.That(async () => await waiting, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => late.Generate(NanoVoice.Say("no.")), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public async Task Keyed_engines_have_options_of_their_own()
    {
        await using ServiceProvider services = new ServiceCollection()
            .AddHiggsAudio(NanoEngine.Shared, options => options.ModelId = "plain")
            .AddKeyedHiggsAudio("small", options =>
            {
                options.ModelId = "small one";
                options.EngineFactory = NanoEngine.LoadAsync;
            })
            .AddKeyedHiggsAudio("shared", NanoEngine.Shared)
            .BuildServiceProvider();
        Assert.That(services.GetRequiredService<HiggsAudioEngineProvider>().Options.ModelId, Is.EqualTo("plain"));
        Assert.That(services.GetRequiredKeyedService<HiggsAudioEngineProvider>("small").Options.ModelId, Is.EqualTo("small one"));
        Assert.That(services.GetRequiredKeyedService<HiggsAudioServeEngine>("shared"), Is.SameAs(NanoEngine.Shared));
        Assert.That(services.GetRequiredKeyedService<HiggsAudioServeEngine>("small"), Is.Not.SameAs(NanoEngine.Shared));
        Assert.That(() => services.GetRequiredKeyedService<HiggsAudioServeEngine>("other"), Throws.InvalidOperationException);
    }

    [TestCase(EngineLoading.OnFirstUse, false)]
    [TestCase(EngineLoading.AtStart, true)]
    public async Task The_start_waits_for_the_engine_if_told_so(EngineLoading loading, bool loaded)
    {
        using IHost host = Host(services => services.AddHiggsAudio(options =>
        {
            options.Loading = loading;
            options.EngineFactory = NanoEngine.LoadAsync;
        }));
        await host.StartAsync();
        Assert.That(host.Services.GetRequiredService<HiggsAudioEngineProvider>().Engine is not null, Is.EqualTo(loaded));
        await host.StopAsync();
    }

    [Test]
    public async Task A_background_loading_that_fails_does_not_stop_the_start()
    {
        using IHost host = Host(services => services.AddHiggsAudio(options =>
        {
            options.Loading = EngineLoading.InBackground;
            options.EngineFactory = (_, _, _) => throw new IOException("gone");
        }));
        await host.StartAsync();
        Assert.That(async () => await host.Services.GetRequiredService<HiggsAudioEngineProvider>().GetEngineAsync(), Throws.InstanceOf<IOException>());
        await host.StopAsync();
    }

    [Test]
    public async Task A_library_of_voices_is_there_if_there_is_a_folder()
    {
        await using ServiceProvider without = new ServiceCollection().AddHiggsAudio(NanoEngine.Shared).BuildServiceProvider();
        Assert.That(() => without.GetRequiredService<VoiceLibrary>(), Throws.InvalidOperationException.With.Message.Contains("VoicesFolder"));
        await using ServiceProvider with = new ServiceCollection().AddHiggsAudio(NanoEngine.Shared, options => options.VoicesFolder = ".").BuildServiceProvider();
        Assert.That(with.GetRequiredService<VoiceLibrary>(), Is.SameAs(await with.GetRequiredService<HiggsAudioEngineProvider>().GetVoicesAsync()));
    }

    private static IConfiguration Configuration(string json) =>
        new ConfigurationBuilder().AddJsonStream(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(json))).Build();

    private static IHost Host(Action<IServiceCollection> add)
    {
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        add(builder.Services);
        return builder.Build();
    }
}
