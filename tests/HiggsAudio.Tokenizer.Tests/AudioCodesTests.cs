using NUnit.Framework;

namespace HiggsAudio.Tests;

public class AudioCodesTests
{
    private static readonly AudioCodes Codes = AudioCodes.FromRows([[1, 2, 3], [4, 5, 6]], frameRate: 25);

    [Test]
    public void Rows_frames_and_arrays_give_the_same_codes()
    {
        Assert.That((Codes.Codebooks, Codes.Frames, Codes[0, 2], Codes[1, 0]), Is.EqualTo((2, 3, 3, 4)));
        Assert.That(AudioCodes.FromFrames(2, [1, 4, 2, 5, 3, 6]), Is.EqualTo(Codes));
        Assert.That(AudioCodes.FromArray(new[,] { { 1, 2, 3 }, { 4, 5, 6 } }), Is.EqualTo(Codes));
        Assert.That(new AudioCodes(2, [1, 2, 3, 4, 5, 6]), Is.EqualTo(Codes));
        Assert.That(Codes.ToArray(), Is.EqualTo(new[,] { { 1, 2, 3 }, { 4, 5, 6 } }));
        Assert.That(Codes.ToRows(), Is.EqualTo(new[] { new[] { 1, 2, 3 }, [4, 5, 6] }));
        Assert.That(Codes.Duration, Is.EqualTo(TimeSpan.FromSeconds(3 / 25.0)));
        var frame = new int[2];
        Codes.CopyFrame(1, frame);
        Assert.That(frame, Is.EqualTo(new[] { 2, 5 }));
    }

    [Test]
    public void Codes_do_not_change_with_what_they_were_made_of()
    {
        int[] row = [1, 2];
        var codes = AudioCodes.FromRows([row]);
        row[0] = 9;
        codes.ToRows()[0][1] = 9;
        codes.ToArray()[0, 1] = 9;
        Assert.That(codes, Is.EqualTo(AudioCodes.FromRows([[1, 2]])));
    }

    [Test]
    public void Slices_joined_are_the_whole()
    {
        Assert.That(Codes.Slice(1, 2), Is.EqualTo(AudioCodes.FromRows([[2, 3], [5, 6]])));
        Assert.That(Codes.Slice(..1), Is.EqualTo(AudioCodes.FromRows([[1], [4]])));
        Assert.That(Codes.Slice(1, 0).Frames, Is.Zero);
        Assert.That(AudioCodes.Concat(Codes.Slice(..1), Codes.Slice(1, 0), Codes.Slice(1..)), Is.EqualTo(Codes));
        Assert.That(AudioCodes.Concat(Codes, Codes).FrameRate, Is.EqualTo(25));
        Assert.That(AudioCodes.Concat(Codes, AudioCodes.FromRows([[1], [1]])).FrameRate, Is.Null);
    }

    [Test]
    public void Equality_is_of_shape_and_codes()
    {
        Assert.That(Codes == AudioCodes.FromRows([[1, 2, 3], [4, 5, 6]]));
        Assert.That(Codes.GetHashCode(), Is.EqualTo(AudioCodes.FromRows([[1, 2, 3], [4, 5, 6]]).GetHashCode()));
        Assert.That(Codes != new AudioCodes(3, [1, 2, 3, 4, 5, 6]));
        Assert.That(Codes != AudioCodes.FromRows([[1, 2, 3], [4, 5, 7]]));
        Assert.That(Codes.Equals((object?)null), Is.False);
    }

    [Test]
    public void What_is_not_codes_is_refused()
    {
        Assert.That(() => AudioCodes.FromRows([]), Throws.ArgumentException);
        Assert.That(() => AudioCodes.FromRows([[1], [1, 2]]), Throws.ArgumentException.With.Message.Contains("Codebook 1"));
        Assert.That(() => AudioCodes.FromRows([[-1]]), Throws.ArgumentException.With.Message.Contains("-1"));
        Assert.That(() => new AudioCodes(2, [1, 2, 3]), Throws.ArgumentException);
        Assert.That(() => new AudioCodes(0, []), Throws.InstanceOf<ArgumentException>());
        Assert.That(() => AudioCodes.FromFrames(2, [1, 2, 3]), Throws.ArgumentException);
        Assert.That(() => AudioCodes.FromRows([[1]], frameRate: 0), Throws.InstanceOf<ArgumentException>());
        Assert.That(() => AudioCodes.Concat(), Throws.ArgumentException);
        Assert.That(() => AudioCodes.Concat(Codes, new AudioCodes(1, [1])), Throws.ArgumentException);
        Assert.That(() => Codes[2, 0], Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => Codes[0, 3], Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => Codes[0, -1], Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => Codes.Slice(2, 2), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => Codes.Slice(-1, 2), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => Codes.Slice(1, int.MaxValue), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
