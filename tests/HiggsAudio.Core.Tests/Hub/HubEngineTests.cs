using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing.RandomModels;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Hub;

/// <summary>Engines that are loaded by the names of repositories.</summary>
internal sealed class HubEngineTests
{
    private FakeHub _hub = null!;

    [SetUp]
    public void Start() => _hub = new FakeHub();

    [TearDown]
    public void Stop() => _hub.Dispose();

    private EngineOptions Options => new() { Hub = _hub.Options, Threads = 1 };

    // The repositories of the fake Hub are one: what is asked for decides whose files it has.
    private void Serve(params (string Part, string Folder)[] repositories)
    {
        Func<Request, Reply?> previous = _hub.InsteadOfHub;
        _hub.InsteadOfHub = request =>
        {
            _hub.Files.Clear();
            string folder = repositories.First(r => request.Path.Contains(r.Part, StringComparison.Ordinal)).Folder;
            foreach (string path in Directory.GetFiles(folder))
                _hub.Files[Path.GetFileName(path)] = File.ReadAllBytes(path);
            return previous(request);
        };
    }

    private static (string Model, string Codec) NanoFolders => NanoVoice.Unpack();

    [Test]
    public async Task Names_of_repositories_are_downloaded_and_loaded()
    {
        (string model, string codec) = NanoFolders;
        Serve(("-tokenizer", codec), ("nano", model));
        var stages = new List<string>();
        using HiggsAudioServeEngine engine = await HiggsAudioServeEngine.LoadAsync("someone/nano", "someone/nano-tokenizer@main", Options, new Stages(stages));
        Assert.That(Answer(engine), Is.EqualTo(Answer(Serving.NanoVoiceTests.Engine)));
        Assert.That(stages.Distinct(), Is.EquivalentTo(new[] { "downloading model", "downloading codec", "tokenizer", "codec", "model" }));
        Assert.That(stages.Distinct().Take(2), Is.EqualTo(new[] { "downloading model", "downloading codec" }));

        int asked = _hub.Hub.Requests.Count;
        EngineOptions offline = Options with { Hub = _hub.Options with { Offline = true } };
        using HiggsAudioServeEngine again = HiggsAudioServeEngine.Load("someone/nano", "someone/nano-tokenizer", offline);
        Assert.That(_hub.Hub.Requests, Has.Count.EqualTo(asked));
    }

    private static AudioCodes? Answer(HiggsAudioServeEngine engine) => engine.Generate(NanoVoice.Say("yes."),
        new GenerationOptions { Temperature = 0, RasWinLen = null, ForceAudioGeneration = true, MaxNewTokens = 20 }).AudioCodes;

    [TestCase(WeightFormat.AsStored)]
    [TestCase(WeightFormat.Int8)]
    public async Task An_adapter_from_the_hub_changes_the_answers_by_its_weight(WeightFormat format)
    {
        (string model, string codec) = NanoFolders;
        HiggsAudioConfig config = Serving.NanoVoiceTests.Engine.Config;
        using var adapter = new Model.AdapterFolder();
        for (int layer = 0; layer < config.NumHiddenLayers; layer++)
            adapter.AddLinear($"layers.{layer}.self_attn.o_proj", config.HiddenSize, config.NumAttentionHeads * config.HeadDim, 4, 1);
        Serve(("-lora", adapter.Write().Path));
        var answers = new List<AudioCodes?>();
        foreach (AdapterOptions[] adapters in new AdapterOptions[][] { [], [new("someone/nano-lora", 0)], [new("someone/nano-lora", 2)] })
        {
            EngineOptions options = Options with { WeightFormat = format, Adapters = adapters };
            using HiggsAudioServeEngine engine = await HiggsAudioServeEngine.LoadAsync(model, codec, options);
            answers.Add(Answer(engine));
        }
        Assert.That(answers[1], Is.EqualTo(answers[0]), "weight 0");
        Assert.That(answers[2], Is.Not.EqualTo(answers[0]), "weight 2");
    }

    [Test]
    public void A_folder_wins_over_a_repository()
    {
        (string model, string codec) = NanoFolders;
        string work = Directory.CreateTempSubdirectory("higgs-audio-tests-").FullName, before = Environment.CurrentDirectory;
        try
        {
            Environment.CurrentDirectory = work;
            Directory.CreateDirectory("someone");
            Directory.CreateSymbolicLink(Path.Combine("someone", "nano"), model);
            using HiggsAudioServeEngine engine = HiggsAudioServeEngine.Load("someone/nano", codec, Options);
            Assert.That(_hub.Hub.Requests, Is.Empty);
        }
        finally
        {
            Environment.CurrentDirectory = before;
            Directory.Delete(work, recursive: true);
        }
    }

    [Test]
    public void What_is_neither_is_said_to_be_neither()
    {
        CheckpointException neither = Assert.Throws<CheckpointException>(() => HiggsAudioServeEngine.Load("./no/such/folder", NanoFolders.Codec, Options))!;
        Assert.That(neither.Message, Does.Contain("./no/such/folder").And.Contain("neither a folder").And.Contain("repository"));
        _hub.InsteadOfHub = _ => Reply.Text(401, "").With("X-Error-Code", "RepoNotFound");
        HubException unknown = Assert.ThrowsAsync<HubException>(() => HiggsAudioServeEngine.LoadAsync("no/such", NanoFolders.Codec, Options))!;
        Assert.That(unknown.Message, Does.Contain("'no/such' is not a folder").And.Contain("no such repository"));
    }

    [Test]
    public void Nothing_is_downloaded_if_the_other_place_is_wrong()
    {
        Assert.That(() => HiggsAudioServeEngine.Load("someone/nano", "not a place", Options), Throws.InstanceOf<CheckpointException>());
        Assert.That(_hub.Hub.Requests, Is.Empty);
    }

    [Test]
    public async Task The_published_repositories_are_taken_at_their_known_good_commits()
    {
        _hub.InsteadOfHub = _ => Reply.Text(404, "");
        Assert.That(() => HuggingFaceHub.DownloadAsync(HuggingFaceHub.ModelRepository, _hub.Options), Throws.InstanceOf<HubException>());
        Assert.That(() => HuggingFaceHub.DownloadAsync(HuggingFaceHub.CodecRepository, _hub.Options), Throws.InstanceOf<HubException>());
        Assert.That(_hub.Hub.Requests.Select(r => r.Path), Is.EqualTo(new[]
        {
            "/api/models/bosonai/higgs-audio-v2-generation-3B-base/revision/d80c511612b3040ff2877ce3d408747df1739f11",
            "/api/models/bosonai/higgs-audio-v2-tokenizer/revision/403fbacf2f60caaa102f893fdfabb694619b2417",
        }));
        await Task.CompletedTask;
    }

    [Test]
    public void A_hub_that_has_other_weights_for_a_known_commit_is_refused()
    {
        _hub.InsteadOfHub = request => request.Path.StartsWith("/api", StringComparison.Ordinal)
            ? Reply.Text(200, $$$"""{"sha":"{{{HuggingFaceHub.CodecRevision}}}","siblings":[{"rfilename":"model.safetensors","size":1,"lfs":{"sha256":"{{{new string('a', 64)}}}","size":1}}]}""")
            : null;
        HubException problem = Assert.ThrowsAsync<HubException>(() => HuggingFaceHub.DownloadAsync(HuggingFaceHub.CodecRepository, _hub.Options))!;
        Assert.That(problem.Problem, Is.EqualTo(HubProblem.NotGenuine));
        Assert.That(problem.Message, Does.Contain("fe7c5e8785e0a05833e1bfc3e002ec7f55af21e306b2e7154a448c1f54ccfb0d"));
    }

    [Test]
    public async Task The_legacy_layout_comes_from_the_hub_too()
    {
        string folder = _hub.At("made");
        RandomCheckpoint.WriteLanguageModel(Path.Combine(folder, "model"), LanguageModelSizes.Tiny, CheckpointLayout.Legacy);
        RandomCheckpoint.WriteCodec(Path.Combine(folder, "codec"), CodecSizes.Tiny, CheckpointLayout.Legacy);
        Serve(("-tokenizer", Path.Combine(folder, "codec")), ("legacy", Path.Combine(folder, "model")));
        using HiggsAudioServeEngine engine = await HiggsAudioServeEngine.LoadAsync("someone/legacy", "someone/legacy-tokenizer", Options);
        Assert.That(engine.Config.NumHiddenLayers, Is.EqualTo(LanguageModelSizes.Tiny.Layers));
        Assert.That(_hub.Storage.Requests.Select(r => r.Path), Has.Some.EqualTo("/model.pth"));
    }

    private sealed class Stages(List<string> stages) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value) => stages.Add(value.Stage);
    }
}
