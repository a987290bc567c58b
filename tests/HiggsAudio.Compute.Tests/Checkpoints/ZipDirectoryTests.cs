using System.IO.Compression;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests.Checkpoints;

public class ZipDirectoryTests
{
    private static readonly byte[] Pickle = new PickleWriter().Protocol().Op('}').Text("a").Tensor(TensorType.UInt8, "0", [3]).Op('s').Op('.').ToArray();

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    private static byte[] Zip(bool zip64 = false, int alignment = 64, int method = 0, int flags = 0, Action<StoredZipWriter>? more = null)
    {
        using var stream = new MemoryStream();
        var zip = new StoredZipWriter(stream) { Zip64 = zip64, Alignment = alignment };
        zip.Add("a/data.pkl", Pickle);
        zip.Add("a/data/0", [1, 2, 3], method, flags);
        more?.Invoke(zip);
        zip.Finish();
        return stream.ToArray();
    }

    private TorchPickleFile Open(ReadOnlySpan<byte> file) => new(_folder.Write("model.pth", file));

    private void AssertRefused(ReadOnlySpan<byte> file, string problem)
    {
        string path = _folder.Write("model.pth", file);
        Assert.That(() => new TorchPickleFile(path), Throws.TypeOf<CheckpointException>().With.Message.Contains(problem));
    }

    [Test]
    public void Entries_are_found_with_and_without_zip64_and_alignment([Values] bool zip64, [Values(1, 64)] int alignment)
    {
        using TorchPickleFile file = Open(Zip(zip64, alignment));
        Assert.That(file.Tensors["a"].ToFloats(), Is.EqualTo(new float[] { 1, 2, 3 }));
    }

    [Test]
    public void An_archive_comment_is_passed_over()
    {
        byte[] file = [.. Zip(), 1, 2, 3];
        file[^5] = 3;
        using TorchPickleFile opened = Open(file);
        Assert.That(opened.Tensors, Has.Count.EqualTo(1));
    }

    [Test]
    public void What_another_library_stores_is_read()
    {
        using var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
            foreach ((string name, byte[] bytes) in new[] { ("a/data.pkl", Pickle), ("a/data/0", [4, 5, 6]), ("a/é", []) })
                using (Stream entry = archive.CreateEntry(name, CompressionLevel.NoCompression).Open())
                    entry.Write(bytes);
        using TorchPickleFile file = Open(stream.ToArray());
        Assert.That(file.Tensors["a"].ToFloats(), Is.EqualTo(new float[] { 4, 5, 6 }));
    }

    [Test]
    public void What_is_written_is_read_by_another_library()
    {
        using var archive = new ZipArchive(new MemoryStream(Zip()), ZipArchiveMode.Read);
        using Stream entry = archive.GetEntry("a/data/0")!.Open();
        Assert.That(new[] { entry.ReadByte(), entry.ReadByte(), entry.ReadByte(), entry.ReadByte() }, Is.EqualTo(new[] { 1, 2, 3, -1 }));
    }

    [Test]
    public void Compressed_and_encrypted_entries_are_refused()
    {
        AssertRefused(Zip(method: 8), "'a/data/0' is compressed");
        AssertRefused(Zip(flags: 1), "'a/data/0' is encrypted");
    }

    [Test]
    public void Two_entries_of_one_name_are_refused() => AssertRefused(Zip(more: z => z.Add("a/data/0", [1, 2, 3])), "is there twice");

    [Test]
    public void A_file_needs_one_pickle()
    {
        AssertRefused(Zip(more: z => z.Add("b/data.pkl", Pickle)), "more than one data.pkl");
        using var stream = new MemoryStream();
        var zip = new StoredZipWriter(stream);
        zip.Add("a/data/0", [1]);
        zip.Finish();
        AssertRefused(stream.ToArray(), "has no data.pkl");
    }

    [Test]
    public void Every_cut_of_a_file_is_refused([Values] bool zip64)
    {
        byte[] whole = Zip(zip64);
        for (int length = 0; length < whole.Length; length++)
            Assert.That(() => Open(whole.AsSpan(0, length)), Throws.TypeOf<CheckpointException>(), $"{length} of {whole.Length} bytes");
    }

    // Offsets from the end of a file without comment: 22 bytes of end record.
    [TestCase(-18, 0x01, "several files")]
    [TestCase(-14, 0x09, "several files")]
    [TestCase(-9, 0x7F, "outside the file")]
    [TestCase(-5, 0x7F, "outside the file")]
    [TestCase(-2, 0x01, "no zip directory")]
    public void A_broken_end_record_is_refused(int fromEnd, byte value, string problem)
    {
        byte[] file = Zip();
        file[file.Length + fromEnd] = value;
        AssertRefused(file, problem);
    }

    [Test]
    public void More_entries_than_the_directory_has_room_for_are_refused()
    {
        byte[] file = Zip();
        file[^11] = file[^13] = 0xFE;
        AssertRefused(file, "cannot have");
    }

    [TestCase(0, (byte)'X', "directory is damaged")]
    [TestCase(24, 0x7F, "two sizes")]
    [TestCase(28, 0x7F, "directory is damaged")]
    [TestCase(45, 0x7F, "outside the file")]
    [TestCase(42, 0x01, "not where the directory says")]
    [TestCase(46, (byte)'b', "not where the directory says")]
    [TestCase(46, 0xFF, "not UTF-8")]
    public void A_broken_directory_is_refused(int at, byte value, string problem)
    {
        byte[] file = Zip();
        file[file.AsSpan().IndexOf("PK\x01\x02"u8) + at] = value;
        AssertRefused(file, problem);
    }

    [Test]
    public void A_zip64_directory_without_its_sizes_is_refused()
    {
        byte[] file = Zip(zip64: true);
        int extra = file.AsSpan().IndexOf("PK\x01\x02"u8) + 46 + "a/data.pkl".Length;
        byte[] other = [.. file];
        other[extra] = 2;
        AssertRefused(other, "no zip64 sizes");
        other = [.. file];
        other[extra + 2] = 200;
        AssertRefused(other, "no zip64 sizes");
        other = [.. file];
        other[extra + 4 + 7] = other[extra + 12 + 7] = 0x80;       // both sizes negative
        AssertRefused(other, "outside the file");
    }
}
