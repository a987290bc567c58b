using HiggsAudio.Cuda.Compilation;
using HiggsAudio.Cuda.Interop;
using NUnit.Framework;

namespace HiggsAudio.Cuda.Tests;

internal sealed class KernelCacheTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("kernels").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void An_image_is_made_once_for_all_programs()
    {
        var first = new KernelCache(_folder);
        Assert.That(first.GetOrAdd("key", () => [1, 2, 3]), Is.EqualTo(new byte[] { 1, 2, 3 }));
        Assert.That(first.GetOrAdd("other", () => [4]), Is.EqualTo(new byte[] { 4 }));
        var second = new KernelCache(_folder);
        Assert.That(second.GetOrAdd("key", () => throw new InvalidOperationException("made again")), Is.EqualTo(new byte[] { 1, 2, 3 }));
        Assert.That((first.Hits, first.Misses, second.Hits, second.Misses), Is.EqualTo((0, 2, 1, 0)));
        Assert.That(Directory.GetFiles(_folder, "*.part"), Is.Empty);
    }

    [Test]
    public void A_broken_file_is_made_again([Range(0, 50, 7)] int at, [Values] bool cut)
    {
        byte[] image = [.. Enumerable.Range(0, 20).Select(i => (byte)i)];
        _ = new KernelCache(_folder).GetOrAdd("key", () => image);
        string file = Directory.GetFiles(_folder).Single();
        byte[] bytes = File.ReadAllBytes(file);
        bytes[at] ^= 1;
        File.WriteAllBytes(file, cut ? bytes[..at] : bytes);
        var cache = new KernelCache(_folder);
        Assert.That(cache.GetOrAdd("key", () => image), Is.EqualTo(image));
        Assert.That(cache.Misses, Is.EqualTo(1));
        Assert.That(new KernelCache(_folder).GetOrAdd("key", () => []), Is.EqualTo(image));
    }

    [Test]
    public void Many_may_write_the_same_at_once()
    {
        byte[] image = new byte[100_000];
        new Random(3).NextBytes(image);
        Parallel.For(0, 32, _ => Assert.That(new KernelCache(_folder).GetOrAdd("key", () => image), Is.EqualTo(image)));
        Assert.That(Directory.GetFiles(_folder), Has.Length.EqualTo(1));
        Assert.That(new KernelCache(_folder).GetOrAdd("key", () => []), Is.EqualTo(image));
    }

    [Test]
    public void A_folder_that_cannot_be_used_is_as_good_as_none()
    {
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        var cache = new KernelCache(Path.Combine(file, "below"));
        Assert.That(cache.GetOrAdd("key", () => [1]), Is.EqualTo(new byte[] { 1 }));
        Assert.That(cache.GetOrAdd("key", () => [2]), Is.EqualTo(new byte[] { 2 }));
        Assert.That(new KernelCache(null).GetOrAdd("key", () => [3]), Is.EqualTo(new byte[] { 3 }));
    }

    [Test]
    public void A_key_depends_on_every_text_and_where_it_ends()
    {
        Assert.That(KernelCache.KeyOf("ab", "c"), Is.Not.EqualTo(KernelCache.KeyOf("a", "bc")));
        Assert.That(KernelCache.KeyOf("ab", "c"), Is.Not.EqualTo(KernelCache.KeyOf("ab", "d")));
        Assert.That(KernelCache.KeyOf("ab", "c"), Is.EqualTo(KernelCache.KeyOf(new List<string> { "ab", "c" })));
    }

    [Test]
    public void A_device_compiles_when_it_starts_first_and_reads_afterwards()
    {
        EmulatedGpu.Require();
        CudaOptions options = EmulatedGpu.Options with { KernelCacheFolder = _folder };
        for (int start = 0; start < 2; start++)
        {
            using var device = new CudaDevice(0, options);
            using Compute.Backend lane = device.CreateLane();
            Assert.That(lane.Read(lane.Zeros(2, 2)), Is.All.Zero);
            Assert.That((device.Cache.Hits, device.Cache.Misses), Is.EqualTo((start, 1 - start)));
        }
    }

    [Test]
    public void A_source_with_an_error_is_refused_with_the_compilers_log()
    {
        EmulatedGpu.Require();
        var compiler = new KernelCompiler(new Nvrtc(LibraryFinder.Load(LibraryFinder.Nvrtc, EmulatedGpu.NvrtcLibrary, [])), 8, 0);
        CudaCompilationException problem = Assert.Throws<CudaCompilationException>(() => compiler.Compile("broken", "extern \"C\" __global__ void f() { nonsense; }", KernelSources.Headers))!;
        Assert.That(problem.Message, Does.Contain("broken.cu").And.Contain("nonsense").And.Contain("sm_80"));
    }

    [Test]
    public void Every_module_compiles()
    {
        EmulatedGpu.Require();
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        Assert.That(KernelSources.Modules, Does.Contain("linear").And.Contain("attention"));
        Assert.That(device.Kernels.LoadAll, Throws.Nothing);
    }
}
