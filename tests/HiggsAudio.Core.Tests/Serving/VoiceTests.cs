using System.Security.Cryptography;
using System.Text;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>Voices: made, spoken with, saved and read again.</summary>
internal sealed class VoiceTests
{
    private static readonly string Recording = Path.Combine(Golden.Repository, "tests", "golden", "nano", "ref_2.wav");

    private static HiggsAudioServeEngine Engine => NanoVoiceTests.Engine;

    private static byte[] Bytes(Voice voice)
    {
        using var stream = new MemoryStream();
        voice.Save(stream);
        return stream.ToArray();
    }

    private static Voice Load(byte[] bytes, AudioCodec? codec = null) => Voice.Load(new MemoryStream(bytes), codec);

    [Test]
    public async Task A_voice_is_the_same_from_a_file_a_stream_and_a_waveform()
    {
        Voice file = await Engine.CreateVoiceAsync(Recording, "please open the window.");
        using FileStream stream = File.OpenRead(Recording);
        Voice streamed = await Engine.CreateVoiceAsync(stream, "please open the window.", "other");
        Voice waveform = await Engine.CreateVoiceAsync(Waveform.Load(Recording), "please open the window.");
        Assert.That(file.Name, Is.EqualTo("ref_2"));
        Assert.That(streamed.Name, Is.EqualTo("other"));
        Assert.That(new[] { streamed.Codes, waveform.Codes }, Is.All.EqualTo(file.Codes));
        Assert.That(file.Codes, Is.EqualTo(Engine.Codec.Encode(Waveform.Load(Recording))));
    }

    [Test]
    public async Task A_voice_says_what_its_messages_written_out_say()
    {
        Voice voice = await Engine.CreateVoiceAsync(Recording, "please open the window.", scene: "Audio is recorded from a quiet room.");
        HiggsAudioResponse answer = Engine.Generate(voice.Say("thank you."), PrefixCacheTests.Greedy);
        HiggsAudioResponse expected = Engine.Generate(new ChatMLSample(
            new Message("system", "Generate audio following instruction.\n\n<|scene_desc_start|>\nAudio is recorded from a quiet room.\n<|scene_desc_end|>"),
            new Message("user", "please open the window."),
            new Message("assistant", AudioContent.FromFile(Recording)),
            new Message("user", "thank you.")), PrefixCacheTests.Greedy);
        Assert.That(answer.AudioCodes, Is.EqualTo(expected.AudioCodes));
        Assert.That(voice.ToMessages(scene: "").Select(m => m.Role), Is.EqualTo(new[] { "user", "assistant" }));
    }

    [Test]
    public void A_saved_voice_is_read_as_it_was()
    {
        string folder = Directory.CreateTempSubdirectory("higgs-audio-tests-").FullName;
        try
        {
            string path = Path.Combine(folder, "a.voice");
            foreach (string? scene in new[] { null, "", "Ein Büro.\n\"€ 🙂\"" })
            {
                Voice voice = Voice.FromCodes(PrefixCacheTests.RandomVoice(Engine.Codec, 7).Codes, Engine.Codec, "Grüße, 世界 🙂", "näme/with\\anything", scene);
                voice.Save(path);
                Voice read = Engine.LoadVoice(path);
                Assert.That((read.Name, read.Transcript, read.Scene, read.Codes, read.CodebookSize, read.Codes.FrameRate),
                    Is.EqualTo((voice.Name, voice.Transcript, voice.Scene, voice.Codes, voice.CodebookSize, voice.Codes.FrameRate)));
                Assert.That(Load(Bytes(read), Engine.Codec).Codes, Is.EqualTo(voice.Codes));
            }
            Assert.That(Directory.GetFiles(folder), Is.EqualTo(new[] { path }));
            Assert.That(new FileInfo(path).Length, Is.LessThan(2000), "40 frames of 8 codes");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public void A_file_that_cannot_be_replaced_stays_as_it_is()
    {
        string folder = Directory.CreateTempSubdirectory("higgs-audio-tests-").FullName;
        try
        {
            string taken = Path.Combine(folder, "a.voice");
            Directory.CreateDirectory(Path.Combine(taken, "inside"));   // a folder that is not empty is in the way
            Assert.That(() => PrefixCacheTests.RandomVoice(Engine.Codec, 1).Save(taken), Throws.InstanceOf<IOException>().Or.InstanceOf<UnauthorizedAccessException>());
            Assert.That(Directory.GetFileSystemEntries(folder), Is.EqualTo(new[] { taken }));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public void Broken_files_are_refused_with_the_reason()
    {
        byte[] good = Bytes(PrefixCacheTests.RandomVoice(Engine.Codec, 1));
        byte[] newer = [.. good], changed = [.. good];
        newer[8] = 2;
        changed[^50] ^= 1;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(() => Load([]), Throws.TypeOf<VoiceFormatException>().With.Message.Contains("not a saved voice"));
            Assert.That(() => Load(Encoding.ASCII.GetBytes("RIFF, a WAV file or so, and more")), Throws.TypeOf<VoiceFormatException>().With.Message.Contains("not a saved voice"));
            Assert.That(() => Load(newer), Throws.TypeOf<VoiceFormatException>().With.Message.Contains("version 2"));
            Assert.That(() => Load(changed), Throws.TypeOf<VoiceFormatException>().With.Message.Contains("checksum"));
            Assert.That(() => Load(good[..^1]), Throws.TypeOf<VoiceFormatException>());
            Assert.That(() => Load([.. good, 0]), Throws.TypeOf<VoiceFormatException>());
            Assert.That(() => Voice.Load(Path.Combine(Golden.Repository, "absent.voice")), Throws.TypeOf<FileNotFoundException>());
            Assert.That(() => Engine.LoadVoice(Recording), Throws.TypeOf<VoiceFormatException>().With.Message.Contains("ref_2.wav"));
        }
    }

    [TestCase("\"codebooks\":8", "\"codebooks\":4", "codes")]
    [TestCase("\"codebooks\":8", "\"codebooks\":0", "codebooks")]
    [TestCase("\"codebooks\":8", "\"codebooks\":\"x\"", "header")]
    [TestCase("\"frames\":40", "\"frames\":2000000000", "frames")]
    [TestCase("\"frames\":40", "\"frames\":67108864", "codes")]
    [TestCase("\"frames\":40", "\"frames\":41", "codes")]
    [TestCase("\"frames\":40", "\"fromes\":40", "header")]
    [TestCase("\"frame_rate\":25", "\"frame_rate\":0", "frame_rate")]
    [TestCase("\"frame_rate\":25", "\"frame_rate\":1e999", "frame_rate")]
    [TestCase("\"frame_rate\":25", "\"frame_rate\":50", "frames a second")]
    [TestCase("\"codebook_size\":", "\"codebook_size\":1,\"x\":", "code")]
    [TestCase("\"codebook_size\":", "\"codebook_size\":60000,\"x\":", "codes at")]
    [TestCase("\"name\":\"voice 1\"", "\"name\":\"\\ud800\"", "header")]
    [TestCase("\"name\":\"voice 1\"", "\"name\":null", "name")]
    [TestCase("\"transcript\":", "\"transcript\":[],\"x\":", "header")]
    [TestCase("{", "[", "header")]
    public void A_header_with_a_true_checksum_is_still_checked(string old, string replacement, string reason)
    {
        byte[] file = WithHeader(PrefixCacheTests.RandomVoice(Engine.Codec, 1), header => Replaced(header, old, replacement));
        Assert.That(() => Load(file, Engine.Codec), Throws.TypeOf<VoiceFormatException>().With.Message.Contains(reason));
    }

    [Test]
    public void Mutated_files_are_read_or_refused_and_nothing_else([Values] bool checksumRepaired)
    {
        var random = new Random(5);
        byte[] good = Bytes(PrefixCacheTests.RandomVoice(Engine.Codec, 1, frames: 5));
        int refused = 0;
        for (int i = 0; i < 1000; i++)
        {
            byte[] file = Mutated(good, random);
            if (checksumRepaired && file.Length > SHA256.HashSizeInBytes)
                SHA256.HashData(file.AsSpan(0, file.Length - 32), file.AsSpan(file.Length - 32));
            try
            {
                Voice voice = Load(file, Engine.Codec);
                Assert.That(voice.Codes.Frames, Is.GreaterThan(0));
                voice.Say("hello.");
            }
            catch (VoiceFormatException)
            {
                refused++;
            }
        }
        Assert.That(refused, checksumRepaired ? Is.InRange(200, 990) : Is.GreaterThan(950));
    }

    [Test]
    public void Codes_of_another_codec_make_no_voice()
    {
        var codes = new AudioCodes(Engine.Codec.Codebooks, new int[Engine.Codec.Codebooks]);
        Assert.That(() => Voice.FromCodes(new AudioCodes(3, new int[9]), Engine.Codec, ""), Throws.ArgumentException);
        Assert.That(() => Voice.FromCodes(codes.Slice(0, 0), Engine.Codec, ""), Throws.ArgumentException);
        Assert.That(() => Voice.FromCodes(codes, Engine.Codec, "").Say(" "), Throws.ArgumentException);
    }

    private static byte[] Mutated(byte[] good, Random random)
    {
        byte[] file = [.. good];
        for (int change = random.Next(1, 4); change > 0; change--)
            switch (random.Next(5))
            {
                case 0: file = file[..random.Next(file.Length + 1)]; break;
                case 1: file = [.. file, .. new byte[random.Next(1, 40)]]; break;
                case 2 when file.Length > 0: file[random.Next(file.Length)] = (byte)random.Next(256); break;
                case 3 when file.Length > 0: file[random.Next(file.Length)] ^= (byte)(1 << random.Next(8)); break;
                default:
                    int at = random.Next(file.Length + 1);
                    file = [.. file[..at], (byte)random.Next(256), .. file[at..]];
                    break;
            }
        return file;
    }

    private static string Replaced(string header, string old, string replacement)
    {
        Assert.That(header, Does.Contain(old));
        int at = header.IndexOf(old, StringComparison.Ordinal);
        return header[..at] + replacement + header[(at + old.Length)..];
    }

    private static byte[] WithHeader(Voice voice, Func<string, string> change)
    {
        byte[] file = Bytes(voice);
        int length = BitConverter.ToInt32(file, 12);
        byte[] header = Encoding.UTF8.GetBytes(change(Encoding.UTF8.GetString(file, 16, length)));
        byte[] body = [.. file[..12], .. BitConverter.GetBytes(header.Length), .. header, .. file[(16 + length)..^32]];
        return [.. body, .. SHA256.HashData(body)];
    }
}
