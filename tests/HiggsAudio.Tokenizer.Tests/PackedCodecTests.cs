using System.Text;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using HiggsAudio.Testing.RandomModels;
using NUnit.Framework;

namespace HiggsAudio.Tests;

/// <summary>Codecs that were saved as they are kept in memory.</summary>
public class PackedCodecTests
{
    private static readonly Waveform Sound = new([.. Enumerable.Range(0, 960 * 12).Select(i => MathF.Sin(i * 0.05f + MathF.Sin(i * 0.001f) * 9) * 0.4f)], 24000);

    private string _root = null!;

    [SetUp]
    public void MakeFolder() => _root = Directory.CreateTempSubdirectory("higgs-audio-packed").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_root, recursive: true);

    private string Original(string kind)
    {
        if (kind.StartsWith("codec_", StringComparison.Ordinal))
            return Path.Combine(Golden.Repository, "tests", "golden", kind);
        string folder = Path.Combine(_root, "original");
        RandomCheckpoint.WriteCodec(folder, CodecSizes.Tiny, Enum.Parse<CheckpointLayout>(kind), seed: 5);
        return folder;
    }

    private string Save(string kind = "codec_b", AudioCodecOptions? options = null)
    {
        string folder = Path.Combine(_root, "packed");
        using var codec = AudioCodec.Load(Original(kind), options);
        codec.SavePacked(folder);
        return folder;
    }

    [Test]
    public void A_packed_codec_gives_the_same_codes_and_sound_to_the_bit(
        [Values("codec_a", "codec_b", "Legacy", "HuggingFace")] string kind, [Values(WeightFormat.AsStored, WeightFormat.BFloat16)] WeightFormat format)
    {
        string folder = Path.Combine(_root, "packed");
        using var original = AudioCodec.Load(Original(kind), new AudioCodecOptions { WeightFormat = format });
        var parts = new List<double>();
        original.SavePacked(folder, new Told(parts.Add));
        Assert.That(parts, Is.Ordered.And.Not.Empty);
        Assert.That(parts[^1], Is.EqualTo(1));
        Assert.That(Directory.GetFileSystemEntries(_root).Select(Path.GetFileName), Is.SubsetOf(new[] { "packed", "original" }), "temporary files are gone");

        using var packed = AudioCodec.Load(folder);
        AudioCodes codes = original.Encode(Sound);
        Assert.That(packed.Encode(Sound), Is.EqualTo(codes));
        Assert.That(packed.Decode(codes).Samples.ToArray(), Is.EqualTo(original.Decode(codes).Samples.ToArray()));
        Assert.That((packed.SamplingRate, packed.HopLength, packed.Codebooks, packed.CodebookSize, packed.DecoderReachFrames),
            Is.EqualTo((original.SamplingRate, original.HopLength, original.Codebooks, original.CodebookSize, original.DecoderReachFrames)));

        // And once more from there.
        packed.SavePacked(Path.Combine(_root, "again"));
        Assert.That(File.ReadAllBytes(Path.Combine(_root, "again", "model.safetensors")), Is.EqualTo(File.ReadAllBytes(Path.Combine(folder, "model.safetensors"))));
    }

    [Test]
    public void Every_weight_keeps_its_shape_and_says_where_it_comes_from()
    {
        string folder = Save("codec_b");
        using Checkpoint packed = Checkpoint.Open(folder), original = Checkpoint.Open(Original("codec_b"));
        Assert.That(packed, Is.InstanceOf<PackedCheckpoint>());
        Assert.That(((PackedCheckpoint)packed).Source, Is.EqualTo(PackedCheckpoint.IdentityOf(original)));
        CheckpointTensor up = packed.Tensors["acoustic_decoder.block.0.conv_t1.weight"], first = packed.Tensors["acoustic_decoder.conv1.weight"];
        CheckpointTensor stored = original.Tensors["decoder_2.model.1.block.1.weight_v"];
        Assert.That(up.OriginalShape.ToArray(), Is.EqualTo(stored.Shape.ToArray()));
        Assert.That(up.Shape[0], Is.EqualTo(stored.Shape[1] * stored.Shape[2] / 2));
        Assert.That(first.OriginalShape.ToArray(), Is.EqualTo(original.Tensors["decoder_2.model.0.weight_v"].Shape.ToArray()));
        Assert.That((long)first.Address % 64, Is.Zero);
        Assert.That(packed.Tensors.Keys.Where(name => name.Contains("decoder_semantic") || name.Contains("weight_g")), Is.Empty);
    }

    [Test]
    public void Half_a_packed_codec_decodes()
    {
        string folder = Save(options: new AudioCodecOptions { DecodeOnly = true });
        Assert.That(() => AudioCodec.Load(folder), Throws.TypeOf<CheckpointException>().With.Message.Contains("DecodeOnly"));
        using var half = AudioCodec.Load(folder, new AudioCodecOptions { DecodeOnly = true });
        using var whole = AudioCodec.Load(Original("codec_b"));
        AudioCodes codes = whole.Encode(Sound);
        Assert.That(half.Decode(codes).Samples.ToArray(), Is.EqualTo(whole.Decode(codes).Samples.ToArray()));
        Assert.That(half.CanEncode, Is.False);
    }

    [Test]
    public void Another_format_than_the_files_is_refused()
    {
        string folder = Save();
        Assert.That(() => AudioCodec.Load(folder, new AudioCodecOptions { WeightFormat = WeightFormat.BFloat16 }),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("Float32").And.Message.Contains("BFloat16"));
        AudioCodec.Load(folder, new AudioCodecOptions { WeightFormat = WeightFormat.Float32 }).Dispose();
    }

    [TestCase("higgs_audio.layout\":\"1", "higgs_audio.layout\":\"7", "layout 7")]
    [TestCase("floats: 32", "floats: 16", "panels of")]
    [TestCase("\"Float32 ", "\"Floor32 ", "no format")]
    [TestCase("packed.acoustic_decoder.conv1.", "packed.acoustic_decoder.conv9.", "described in the metadata")]
    [TestCase("shape.acoustic_decoder.conv1.", "shape.acoustic_decoder.conv9.", "described in the metadata")]
    [TestCase("shape.acoustic_encoder.conv1.weight\":\"", "shape.acoustic_encoder.conv1.weight\":\"x", "no numbers")]
    [TestCase("shape.semantic_model.encoder.pos_conv_embed.conv.weight.1\":\"", "shape.semantic_model.encoder.pos_conv_embed.conv.weight.1\":\"9", "pos_conv_embed.conv.weight.1")]
    public void A_file_that_is_not_this_versions_is_refused(string from, string to, string problem)
    {
        string folder = Save(), file = Path.Combine(folder, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(file), found = Encoding.UTF8.GetBytes(from), put = Encoding.UTF8.GetBytes(to);
        int at = bytes.AsSpan().IndexOf(found);
        Assert.That(at, Is.Positive);
        put.CopyTo(bytes.AsSpan(at));     // a longer text takes the place of what follows, which has the same length
        File.WriteAllBytes(file, bytes);
        Assert.That(() => AudioCodec.Load(folder), Throws.TypeOf<CheckpointException>().With.Message.Contains(problem));
    }

    [Test]
    public void A_file_that_is_cut_off_is_refused([Values(7, 1000, 0.5, 0.999)] double at)
    {
        string folder = Save(), file = Path.Combine(folder, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(file);
        File.WriteAllBytes(file, bytes[..(int)(at < 1 ? at * bytes.Length : at)]);
        Assert.That(() => AudioCodec.Load(folder), Throws.TypeOf<CheckpointException>());
    }

    [Test]
    public void Nothing_is_left_of_a_save_that_was_ended_or_refused()
    {
        using var codec = AudioCodec.Load(Original("codec_b"));
        Assert.That(() => codec.SavePacked(Path.Combine(_root, "ended"), cancellationToken: new CancellationToken(canceled: true)), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.GetFileSystemEntries(_root), Is.Empty);
        File.WriteAllText(Path.Combine(_root, "mine.txt"), "keep");
        Assert.That(() => codec.SavePacked(_root), Throws.InstanceOf<IOException>());
        Assert.That(Directory.GetFileSystemEntries(_root), Has.Length.EqualTo(1));
        codec.Dispose();
        Assert.That(() => codec.SavePacked(Path.Combine(_root, "late")), Throws.InstanceOf<ObjectDisposedException>());
    }

    private sealed class Told(Action<double> then) : IProgress<double>
    {
        public void Report(double value) => then(value);
    }
}
