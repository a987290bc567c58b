using System.Net;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Hub;

/// <summary>Downloads from a Hub that does what it should.</summary>
internal sealed class HubDownloadTests
{
    private FakeHub _hub = null!;

    [SetUp]
    public void Start() => _hub = new FakeHub();

    [TearDown]
    public void Stop() => _hub.Dispose();

    private static string Content(string path) => File.ReadAllText(path);

    [Test]
    public async Task What_is_needed_is_in_the_cache_in_its_standard_layout()
    {
        string folder = await _hub.DownloadAsync();
        Assert.That(folder, Is.EqualTo(_hub.Snapshot));
        Assert.That(Directory.GetFileSystemEntries(folder).Select(Path.GetFileName), Is.EquivalentTo(new[] { "config.json", "model.safetensors" }));
        Assert.That(File.ReadAllBytes(Path.Combine(folder, "model.safetensors")), Is.EqualTo(_hub.Files["model.safetensors"]));
        Assert.That(Directory.GetFiles(Path.Combine(_hub.Cache, "blobs")), Is.EquivalentTo(new[] { _hub.BlobOf("config.json"), _hub.BlobOf("model.safetensors") }));
        Assert.That(Content(Path.Combine(_hub.Cache, "refs", "main")), Is.EqualTo(FakeHub.Commit));
        if (!OperatingSystem.IsWindows())
            Assert.That(new FileInfo(Path.Combine(folder, "model.safetensors")).LinkTarget, Is.EqualTo("../../blobs/" + _hub.HashOf("model.safetensors")));
    }

    [Test]
    public async Task What_is_there_is_not_transferred_again_and_a_commit_needs_no_network()
    {
        await _hub.DownloadAsync();
        int hub = _hub.Hub.Requests.Count, storage = _hub.Storage.Requests.Count;
        await _hub.DownloadAsync();
        Assert.That((_hub.Hub.Requests.Count - hub, _hub.Storage.Requests.Count - storage), Is.EqualTo((1, 0)), "a branch may have moved: it is asked for");
        Assert.That(await _hub.DownloadAsync(FakeHub.Commit), Is.EqualTo(_hub.Snapshot));
        Assert.That(_hub.Hub.Requests, Has.Count.EqualTo(hub + 1));
    }

    [Test]
    public async Task Offline_only_the_cache_counts()
    {
        _hub.Options = _hub.Options with { Offline = true };
        HubException problem = Assert.ThrowsAsync<HubException>(() => _hub.DownloadAsync())!;
        Assert.That((problem.Problem, _hub.Hub.Requests.Count), Is.EqualTo((HubProblem.Offline, 0)));
        Assert.That(HuggingFaceHub.FindInCache(FakeHub.Repository, null, _hub.Options), Is.Null);
        _hub.Options = _hub.Options with { Offline = false };
        await _hub.DownloadAsync();
        _hub.Options = _hub.Options with { Offline = true };
        Assert.That(await _hub.DownloadAsync(), Is.EqualTo(_hub.Snapshot));
        Assert.That(HuggingFaceHub.FindInCache(FakeHub.Repository, "main", _hub.Options), Is.EqualTo(_hub.Snapshot));
        File.Delete(Path.Combine(_hub.Snapshot, "model.safetensors"));
        Assert.That(HuggingFaceHub.FindInCache(FakeHub.Repository, "main", _hub.Options), Is.Null, "not all of it");
    }

    [Test]
    public async Task The_cache_serves_a_branch_while_the_hub_is_down()
    {
        await _hub.DownloadAsync();
        _hub.InsteadOfHub = _ => Reply.Text(503, "down");
        Assert.That(await _hub.DownloadAsync(), Is.EqualTo(_hub.Snapshot));
    }

    [Test]
    public async Task The_token_goes_to_the_hub_and_nowhere_else()
    {
        await _hub.DownloadAsync();
        Assert.That(_hub.Hub.Requests.Select(r => r.Headers.GetValueOrDefault("Authorization")), Is.All.EqualTo("Bearer " + FakeHub.Token));
        Assert.That(_hub.Storage.Requests, Is.Not.Empty);
        Assert.That(_hub.Storage.Requests.Where(r => r.Headers.Values.Any(value => value.Contains(FakeHub.Token, StringComparison.Ordinal))), Is.Empty);
        Assert.That(_hub.Storage.Requests.Where(r => r.Target.Contains(FakeHub.Token, StringComparison.Ordinal)), Is.Empty);
    }

    [Test]
    public async Task A_renamed_repository_is_followed_with_the_token()
    {
        _hub.InsteadOfHub = request => request.Target.Contains(FakeHub.Repository, StringComparison.Ordinal)
            ? Reply.Text(307, "").With("Location", request.Target.Replace(FakeHub.Repository, "someone/new-name", StringComparison.Ordinal))
            : null;
        await _hub.DownloadAsync();
        Request[] followed = [.. _hub.Hub.Requests.Where(r => r.Target.Contains("new-name", StringComparison.Ordinal))];
        Assert.That(followed, Has.Length.EqualTo(3));
        Assert.That(followed.Select(r => r.Headers["Authorization"]), Is.All.EqualTo("Bearer " + FakeHub.Token));
        Assert.That(Directory.Exists(_hub.Snapshot), "it is kept under the name that was asked for");
    }

    [Test]
    public async Task What_an_earlier_download_left_is_continued()
    {
        byte[] file = _hub.Files["model.safetensors"];
        Directory.CreateDirectory(Path.Combine(_hub.Cache, "blobs"));
        File.WriteAllBytes(_hub.BlobOf("model.safetensors") + ".incomplete", file[..1_234_567]);
        await _hub.DownloadAsync();
        Assert.That(_hub.Storage.Requests.Single().From, Is.EqualTo(1_234_567));
        Assert.That(File.ReadAllBytes(Path.Combine(_hub.Snapshot, "model.safetensors")), Is.EqualTo(file));
    }

    [Test]
    public async Task A_whole_file_that_was_not_yet_put_in_its_place_is_not_transferred()
    {
        Directory.CreateDirectory(Path.Combine(_hub.Cache, "blobs"));
        File.WriteAllBytes(_hub.BlobOf("model.safetensors") + ".incomplete", _hub.Files["model.safetensors"]);
        await _hub.DownloadAsync();
        Assert.That(_hub.Storage.Requests, Is.Empty);
    }

    [Test]
    public async Task Shards_are_preferred_to_one_file_and_safetensors_to_torch()
    {
        _hub.Files["model.pth"] = new byte[5];
        Assert.That(Directory.GetFileSystemEntries(await _hub.DownloadAsync()).Select(Path.GetFileName), Has.No.Member("model.pth"));
        _hub.Files["model.safetensors.index.json"] = "{\"weight_map\":{\"a\":\"model-00001-of-00001.safetensors\"}}"u8.ToArray();
        _hub.Files["model-00001-of-00001.safetensors"] = new byte[7];
        string sharded = await HuggingFaceHub.DownloadAsync(FakeHub.Repository, _hub.Options with { CacheFolder = _hub.At("second") });
        Assert.That(Directory.GetFileSystemEntries(sharded).Select(Path.GetFileName), Is.EquivalentTo(new[] { "config.json", "model-00001-of-00001.safetensors", "model.safetensors.index.json" }));
        foreach (string name in _hub.Files.Keys.Where(name => name.Contains("safetensors", StringComparison.Ordinal)).ToArray())
            _hub.Files.Remove(name);
        string torch = await HuggingFaceHub.DownloadAsync(FakeHub.Repository, _hub.Options with { CacheFolder = _hub.At("third") });
        Assert.That(Directory.GetFileSystemEntries(torch).Select(Path.GetFileName), Is.EquivalentTo(new[] { "config.json", "model.pth" }));
    }

    [Test]
    public async Task Without_links_the_files_themselves_are_in_the_folder()
    {
        _hub.Options = _hub.Options with { CanLink = false };
        string folder = await _hub.DownloadAsync();
        Assert.That(Directory.GetFiles(folder).Select(path => new FileInfo(path).LinkTarget), Is.All.Null);
        Assert.That(File.ReadAllBytes(Path.Combine(folder, "model.safetensors")), Is.EqualTo(_hub.Files["model.safetensors"]));
        int before = _hub.Storage.Requests.Count;
        await _hub.DownloadAsync();
        Assert.That(_hub.Storage.Requests, Has.Count.EqualTo(before));
    }

    [Test]
    public async Task To_a_folder_come_plain_files_and_only_those_that_are_not_right_already()
    {
        string folder = _hub.At("here");
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "model.safetensors"), _hub.Files["model.safetensors"]);
        File.WriteAllText(Path.Combine(folder, "config.json"), new string('x', _hub.Files["config.json"].Length));
        Assert.That(await _hub.DownloadAsync(folder: folder), Is.EqualTo(folder));
        Assert.That(_hub.Storage.Requests, Is.Empty);
        Assert.That(File.ReadAllBytes(Path.Combine(folder, "config.json")), Is.EqualTo(_hub.Files["config.json"]));
        Assert.That(Directory.Exists(_hub.Cache), Is.False);
    }

    [Test]
    public async Task A_listing_without_hashes_is_completed_by_headers()
    {
        _hub.ListsHashes = false;
        await _hub.DownloadAsync();
        Assert.That(_hub.Hub.Requests.Count(r => r.Method == "HEAD"), Is.EqualTo(2));
        Assert.That(File.Exists(_hub.BlobOf("model.safetensors")) && File.Exists(_hub.BlobOf("config.json")));
    }

    [Test]
    public async Task Progress_grows_to_the_whole()
    {
        var seen = new List<HubProgress>();
        await _hub.DownloadAsync(progress: new Recorder(seen));
        Assert.That(seen.Select(p => p.Bytes), Is.Ordered);
        Assert.That(seen[^1].Bytes, Is.EqualTo(seen[^1].TotalBytes).And.EqualTo(_hub.Files["config.json"].Length + _hub.Files["model.safetensors"].Length));
        Assert.That(seen[^1].Part, Is.EqualTo(1));
        Assert.That(seen.Count, Is.GreaterThan(3));
    }

    [Test]
    public async Task Two_at_once_transfer_everything_once()
    {
        string[] folders = await Task.WhenAll(_hub.DownloadAsync(), _hub.DownloadAsync(), _hub.DownloadAsync());
        Assert.That(folders, Is.All.EqualTo(_hub.Snapshot));
        Assert.That(_hub.Storage.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Whoever_else_holds_the_lock_is_waited_for()
    {
        string path = Path.Combine(_hub.At("hub"), ".locks", "models--someone--a-model", _hub.HashOf("model.safetensors") + ".lock");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Task<string> download;
        using (new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.None))
        {
            download = _hub.DownloadAsync();
            while (!_hub.Hub.Requests.Any(r => r.Path.EndsWith("config.json", StringComparison.Ordinal)))
                await Task.Delay(10);
            await Task.Delay(200);
            Assert.That((download.IsCompleted, _hub.Storage.Requests.Count), Is.EqualTo((false, 0)));
        }
        Assert.That(await download, Is.EqualTo(_hub.Snapshot));
    }

    [Test]
    public async Task A_cancelled_download_leaves_what_it_has_for_the_next()
    {
        using var cancellation = new CancellationTokenSource();
        _hub.InsteadOfStorage = request => _hub.Part(request) with { CutAfter = 1_000_000, Stall = true };
        var progress = new Recorder([], p =>
        {
            if (p.File == "model.safetensors" && p.Bytes > 900_000)
                cancellation.Cancel();
        });
        Assert.That(() => _hub.DownloadAsync(progress: progress, cancellation: cancellation.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.Exists(_hub.Snapshot) && File.Exists(Path.Combine(_hub.Snapshot, "model.safetensors")), Is.False);
        _hub.InsteadOfStorage = _ => null;
        await _hub.DownloadAsync();
        Assert.That(_hub.Storage.Requests.Last().From, Is.GreaterThan(800_000));
    }

    [Test]
    public async Task A_proxy_is_used()
    {
        using var proxy = new LoopbackServer(request => request.Target.StartsWith("http://hub.invalid/", StringComparison.Ordinal)
            ? Reply.Text(404, "").With("X-Error-Code", "RepoNotFound")
            : Reply.Text(500, ""));
        _hub.Options = _hub.Options with { Endpoint = new Uri("http://hub.invalid"), Proxy = new WebProxy(proxy.Address) };
        HubException problem = Assert.ThrowsAsync<HubException>(() => _hub.DownloadAsync())!;
        Assert.That(problem.Problem, Is.EqualTo(HubProblem.NotFound));
        await Task.CompletedTask;
        Assert.That(proxy.Requests, Has.Count.EqualTo(1));
    }

    private sealed class Recorder(List<HubProgress> seen, Action<HubProgress>? then = null) : IProgress<HubProgress>
    {
        public void Report(HubProgress value)
        {
            seen.Add(value);
            then?.Invoke(value);
        }
    }
}
