using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Hub;

/// <summary>A Hub that fails, lies, or is not one.</summary>
internal sealed class HubFailureTests
{
    private const string Weights = "model.safetensors";

    private FakeHub _hub = null!;

    [SetUp]
    public void Start() => _hub = new FakeHub();

    [TearDown]
    public void Stop() => _hub.Dispose();

    private HubException Fails(HubProblem problem, string? revision = null)
    {
        HubException thrown = Assert.ThrowsAsync<HubException>(() => _hub.DownloadAsync(revision))!;
        Assert.That(thrown.Problem, Is.EqualTo(problem), thrown.Message);
        Assert.That(thrown.Message, Does.Not.Contain(FakeHub.Token));
        Assert.That(File.Exists(Path.Combine(_hub.Snapshot, Weights)), Is.False);
        return thrown;
    }

    private async Task Succeeds()
    {
        await _hub.DownloadAsync();
        Assert.That(File.ReadAllBytes(Path.Combine(_hub.Snapshot, Weights)), Is.EqualTo(_hub.Files[Weights]));
    }

    [Test]
    public async Task Connections_that_are_cut_are_taken_up_again()
    {
        _hub.InsteadOfStorage = request => _hub.Part(request) with { CutAfter = 700_000 };
        await Succeeds();
        Assert.That(_hub.Storage.Requests.Select(r => r.From), Is.EqualTo(new long[] { 0, 700_000, 1_400_000, 2_100_000, 2_800_000 }));
    }

    [Test]
    public void A_connection_that_is_always_cut_at_once_is_given_up()
    {
        _hub.InsteadOfStorage = request => _hub.Part(request) with { CutAfter = 0 };
        HubException problem = Fails(HubProblem.Unavailable);
        Assert.That(problem.Message, Does.Contain("6 attempts"));
        Assert.That(_hub.Storage.Requests, Has.Count.EqualTo(6));
        Assert.That(_hub.Pauses, Has.Count.EqualTo(5));
        Assert.That(_hub.Pauses[^1], Is.GreaterThan(_hub.Pauses[0]));
    }

    [Test]
    public void The_same_beginning_again_and_again_is_no_progress()
    {
        _hub.Files[Weights] = new byte[20 << 20];
        _hub.InsteadOfStorage = _ => new Reply(200, _hub.Files[Weights]) { CutAfter = 9 << 20 };
        Fails(HubProblem.Unavailable);
        Assert.That(_hub.Storage.Requests, Has.Count.EqualTo(6));
    }

    [Test]
    public async Task A_server_that_sends_nothing_more_counts_as_broken()
    {
        _hub.Options = _hub.Options with { Timeout = TimeSpan.FromMilliseconds(300) };
        _hub.InsteadOfStorage = request => request.From == 0 ? _hub.Part(request) with { CutAfter = 100, Stall = true } : null;
        await Succeeds();
        Assert.That(_hub.Storage.Requests.Select(r => r.From), Is.EqualTo(new long[] { 0, 100 }));
    }

    [Test]
    public async Task A_server_without_ranges_sends_all_again()
    {
        _hub.InsteadOfStorage = request => request.From == 0 ? _hub.Part(request) with { CutAfter = 1000 } : new Reply(200, _hub.Files[Weights]);
        await Succeeds();
    }

    [Test]
    public async Task A_refused_range_begins_anew()
    {
        Directory.CreateDirectory(Path.Combine(_hub.Cache, "blobs"));
        File.WriteAllBytes(_hub.BlobOf(Weights) + ".incomplete", new byte[1000]);
        _hub.InsteadOfStorage = request => request.From > 0 ? Reply.Text(416, "") : null;
        await Succeeds();
    }

    [Test]
    public async Task Rubbish_of_an_earlier_download_is_found_out_and_replaced()
    {
        Directory.CreateDirectory(Path.Combine(_hub.Cache, "blobs"));
        File.WriteAllBytes(_hub.BlobOf(Weights) + ".incomplete", new byte[1000]);
        await Succeeds();
        Assert.That(_hub.Storage.Requests.Select(r => r.From), Is.EqualTo(new long[] { 1000, 0 }));
    }

    [Test]
    public void Other_bytes_than_the_listed_are_refused()
    {
        _hub.InsteadOfStorage = _ => new Reply(200, new byte[_hub.Files[Weights].Length]);
        HubException problem = Fails(HubProblem.NotGenuine);
        Assert.That(problem.Message, Does.Contain(_hub.HashOf(Weights)).And.Contain(Weights));
        Assert.That(File.Exists(_hub.BlobOf(Weights)), Is.False);
    }

    [Test]
    public void Other_bytes_of_a_small_file_are_refused_too()
    {
        _hub.InsteadOfHub = request => request.Path.EndsWith("config.json", StringComparison.Ordinal) ? new Reply(200, new byte[_hub.Files["config.json"].Length]) : null;
        Assert.That(Fails(HubProblem.NotGenuine).Message, Does.Contain("config.json"));
    }

    [Test]
    public void A_hash_in_the_headers_that_is_not_the_listed_is_refused_before_the_transfer()
    {
        _hub.ListedHashes[Weights] = new string('a', 64);
        Assert.That(Fails(HubProblem.NotGenuine).Message, Does.Contain(new string('a', 64)));
    }

    [TestCase(3_000_001)]
    [TestCase(long.MaxValue)]
    public void More_bytes_than_listed_are_refused_before_they_come(long announced)
    {
        _hub.InsteadOfStorage = request => _hub.Part(request) with { Announced = announced };
        Assert.That(Fails(HubProblem.NotGenuine).Message, Does.Contain("announces"));
    }

    [Test]
    public async Task Fewer_announced_bytes_than_listed_are_made_up_for()
    {
        _hub.InsteadOfStorage = request => request.From == 0 ? _hub.Part(request) with { Announced = 1_000_000, CutAfter = 1_000_000 } : null;
        await Succeeds();
        Assert.That(_hub.Storage.Requests.Select(r => r.From), Is.EqualTo(new long[] { 0, 1_000_000 }));
    }

    [Test]
    public void Another_part_than_asked_for_is_refused()
    {
        _hub.InsteadOfStorage = request => request.From == 0
            ? _hub.Part(request) with { CutAfter = 1000 }
            : new Reply(206, new byte[10]).With("Content-Range", "bytes 5-14/3000000");
        Assert.That(Fails(HubProblem.NotGenuine).Message, Does.Contain("bytes 5-14"));
    }

    [Test]
    public void An_encoding_that_was_not_asked_for_is_refused()
    {
        _hub.InsteadOfStorage = request => _hub.Part(request).With("Content-Encoding", "gzip");
        Assert.That(Fails(HubProblem.NotGenuine).Message, Does.Contain("gzip"));
        Assert.That(_hub.Storage.Requests.Single().Headers["Accept-Encoding"], Is.EqualTo("identity"));
    }

    [Test]
    public async Task Too_many_requests_are_paused_as_long_as_the_hub_asks()
    {
        int asked = 0;
        _hub.InsteadOfHub = _ => asked++ == 0 ? Reply.Text(429, "").With("Retry-After", "37") : null;
        await Succeeds();
        Assert.That(_hub.Pauses, Is.EqualTo(new[] { TimeSpan.FromSeconds(37) }));
    }

    [TestCase(500)]
    [TestCase(502)]
    [TestCase(503)]
    [TestCase(408)]
    public async Task Failures_of_the_server_are_tried_again(int status)
    {
        int asked = 0;
        _hub.InsteadOfStorage = _ => asked++ < 3 ? Reply.Text(status, "") : null;
        await Succeeds();
        Assert.That(_hub.Pauses, Has.Count.EqualTo(3));
    }

    [TestCase(401, null, HubProblem.AccessDenied, "HF_TOKEN")]
    [TestCase(403, null, HubProblem.AccessDenied, "HF_TOKEN")]
    [TestCase(403, "GatedRepo", HubProblem.AccessDenied, "Accept its terms")]
    [TestCase(401, "GatedRepo", HubProblem.AccessDenied, "Accept its terms")]
    [TestCase(401, "RepoNotFound", HubProblem.NotFound, "no such repository")]
    [TestCase(404, "RepoNotFound", HubProblem.NotFound, "no such repository")]
    [TestCase(404, "RevisionNotFound", HubProblem.NotFound, "no such revision")]
    [TestCase(404, null, HubProblem.NotFound, "404")]
    [TestCase(418, null, HubProblem.Unavailable, "418")]
    public void Refusals_say_what_to_do(int status, string? code, HubProblem expected, string says)
    {
        _hub.InsteadOfHub = _ => code is null ? Reply.Text(status, "") : Reply.Text(status, "").With("X-Error-Code", code).With("X-Error-Message", "Because.");
        HubException problem = Fails(expected);
        Assert.That(problem.Message, Does.Contain(says));
        Assert.That(problem.Message, code is null ? Does.Not.Contain("Because.") : Does.Contain("Because."));
        Assert.That(_hub.Hub.Requests, Has.Count.EqualTo(1), "it is not tried again");
    }

    [TestCase("../escape.json")]
    [TestCase("/etc/passwd.json")]
    [TestCase("a/../../escape.json")]
    [TestCase("..\\escape.json")]
    [TestCase("C:escape.json")]
    [TestCase("nul.json")]
    [TestCase("a//b.json")]
    [TestCase("./a.json")]
    [TestCase("a.json.")]
    [TestCase("a\u0000.json")]
    [TestCase("a\u001b[31m.json")]
    [TestCase("")]
    public void Names_that_could_lead_out_of_the_folder_are_refused(string name)
    {
        _hub.ListedAs["config.json"] = name;
        Fails(HubProblem.NotGenuine);
        Assert.That(Directory.Exists(_hub.Cache), Is.False, "nothing was written");
    }

    [TestCase("")]
    [TestCase("{}")]
    [TestCase("[]")]
    [TestCase("{\"sha\":\"../../x\",\"siblings\":[]}")]
    [TestCase("{\"sha\":\"0123456789abcdef0123456789abcdef01234567\"}")]
    [TestCase("{\"sha\":\"0123456789abcdef0123456789abcdef01234567\",\"siblings\":{}}")]
    [TestCase("{\"sha\":\"0123456789abcdef0123456789abcdef01234567\",\"siblings\":[{}]}")]
    [TestCase("{\"sha\":\"0123456789abcdef0123456789abcdef01234567\",\"siblings\":[{\"rfilename\":5}]}")]
    [TestCase("<html>")]
    public void What_is_no_listing_is_refused(string text)
    {
        _hub.InsteadOfHub = _ => Reply.Text(200, text);
        Fails(HubProblem.NotGenuine);
    }

    [Test]
    public void Another_commit_than_asked_for_is_refused() => Fails(HubProblem.NotGenuine, new string('f', 40));

    [Test]
    public void A_listing_that_does_not_end_is_refused()
    {
        _hub.InsteadOfHub = _ => new Reply(200, new byte[40 << 20]);
        Fails(HubProblem.NotGenuine);
    }

    [TestCase("ftp://127.0.0.1/x")]
    [TestCase("file:///etc/passwd")]
    public void Redirects_to_what_is_not_the_web_are_refused(string target)
    {
        _hub.InsteadOfHub = request => request.Path.StartsWith("/api", StringComparison.Ordinal) ? null : Reply.Text(302, "").With("Location", target);
        Fails(HubProblem.NotGenuine);
    }

    [Test]
    public void Redirects_in_a_circle_end()
    {
        _hub.Options = _hub.Options with { Retries = 1 };
        _hub.InsteadOfHub = request => Reply.Text(302, "").With("Location", request.Target);
        Assert.That(Fails(HubProblem.Unavailable).Message, Does.Contain("redirects"));
        Assert.That(_hub.Hub.Requests, Has.Count.EqualTo(22));
    }

    [Test]
    public void A_hub_that_is_not_there_is_named()
    {
        _hub.Options = _hub.Options with { Endpoint = new Uri("http://127.0.0.1:1"), Retries = 1 };
        Assert.That(Fails(HubProblem.Unavailable).Message, Does.Contain("127.0.0.1:1"));
    }

    [Test]
    public void Too_little_room_is_found_before_the_transfer()
    {
        _hub.Options = _hub.Options with { FreeSpace = _ => 2_000_000 };
        Assert.That(Fails(HubProblem.DiskFull).Message, Does.Contain("2000000"));
        Assert.That(_hub.Storage.Requests, Is.Empty);
    }

    [Test]
    public void A_disk_that_becomes_full_is_told_from_other_errors()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("/dev/full is Linux's");
        Directory.CreateDirectory(Path.Combine(_hub.Cache, "blobs"));
        File.CreateSymbolicLink(_hub.BlobOf(Weights) + ".incomplete", "/dev/full");
        Fails(HubProblem.DiskFull);
    }

    [Test]
    public void A_cache_that_cannot_be_written_is_told_from_other_errors()
    {
        File.WriteAllText(_hub.At("hub"), "a file where the folder should be");
        Fails(HubProblem.CacheNotWritable);
    }

    [TestCase("name")]
    [TestCase("a/b/c")]
    [TestCase("../b")]
    [TestCase("a/..")]
    [TestCase("a--b/c")]
    [TestCase("a/b\n")]
    [TestCase("a b/c")]
    public void What_is_no_name_of_a_repository_is_refused(string repository) =>
        Assert.That(() => HuggingFaceHub.DownloadAsync(repository, _hub.Options), Throws.ArgumentException);

    [TestCase("../main")]
    [TestCase("")]
    [TestCase("a\\b")]
    public void What_is_no_name_of_a_revision_is_refused(string revision) =>
        Assert.That(() => _hub.DownloadAsync(revision), Throws.ArgumentException);
}
