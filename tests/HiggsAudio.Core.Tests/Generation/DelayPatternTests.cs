using System.Text.Json;
using HiggsAudio.Generation;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Generation;

internal sealed class DelayPatternTests
{
    private static IEnumerable<TestCaseData> BuildCases() =>
        GoldenJson.Cases("utils", "delay_pattern.json", c => c.GetProperty("op").GetString() == "build_delay_pattern_mask");

    private static IEnumerable<TestCaseData> RevertCases() =>
        GoldenJson.Cases("utils", "delay_pattern.json", c => c.GetProperty("op").GetString() == "revert_delay_pattern");

    private static IEnumerable<TestCaseData> SplitCases() => GoldenJson.Cases("utils", "split_interleaved.json");

    [TestCaseSource(nameof(BuildCases))]
    public void Codes_are_delayed_and_reverted_as_in_the_reference(JsonElement golden)
    {
        int[,] codes = GoldenJson.Matrix(golden.GetProperty("codes"));
        int[,] delayed = DelayPattern.Build(codes, golden.GetProperty("bos").GetInt32(), golden.GetProperty("pad").GetInt32());
        Assert.That(delayed, Is.EqualTo(GoldenJson.Matrix(golden.GetProperty("input_ids"))));
        Assert.That(DelayPattern.Build(codes, golden.GetProperty("bos").GetInt32(), -1), Is.EqualTo(GoldenJson.Matrix(golden.GetProperty("input_ids_with_gen_mask"))));
        Assert.That(DelayPattern.Revert(delayed), Is.EqualTo(GoldenJson.Matrix(golden.GetProperty("reverted"))));
    }

    [TestCaseSource(nameof(RevertCases))]
    public void Any_columns_are_reverted_and_trimmed_as_in_the_reference(JsonElement golden)
    {
        int[,] delayed = GoldenJson.Matrix(golden.GetProperty("codes"));
        if (golden.TryGetProperty("error", out _))
        {
            Assert.That(() => DelayPattern.Revert(delayed), Throws.ArgumentException);
            return;
        }
        int[,] reverted = DelayPattern.Revert(delayed);
        Assert.That(reverted, Is.EqualTo(GoldenJson.Matrix(golden.GetProperty("reverted"))));
        if (golden.TryGetProperty("final", out JsonElement final))
            Assert.That(DelayPattern.TrimLikeReference(reverted, golden.TryGetProperty("bos", out JsonElement bos) ? bos.GetInt32() : 64), Is.EqualTo(GoldenJson.Matrix(final)));
    }

    [TestCaseSource(nameof(SplitCases))]
    public void Joined_segments_are_split_at_columns_of_end(JsonElement golden)
    {
        int eos = golden.GetProperty("eos").GetInt32();
        int[,] rows = GoldenJson.Matrix(golden.GetProperty("rows"));
        IReadOnlyList<int[,]> groups = DelayPattern.SplitAtEnds(GoldenJson.Transpose(rows), eos);
        JsonElement[] tensors = [.. golden.GetProperty("tensor_groups").EnumerateArray()];
        JsonElement[] lists = [.. golden.GetProperty("list_groups").EnumerateArray()];
        Assert.That(groups, Has.Count.EqualTo(tensors.Length));
        for (int g = 0; g < tensors.Length; g++)
        {
            Assert.That(groups[g], Is.EqualTo(GoldenJson.Matrix(tensors[g])));
            // The reference's lists keep the row that ended them.
            int[][] expected = [.. lists[g].EnumerateArray().Select(GoldenJson.Ints)];
            int[][] actual = [.. Enumerable.Range(0, groups[g].GetLength(1)).Select(t => Column(groups[g], t))];
            if (expected.Length > actual.Length)
                actual = [.. actual, [.. Enumerable.Repeat(eos, rows.GetLength(1))]];
            Assert.That(actual, Is.EqualTo(expected));
        }
    }

    [Test]
    public void Reverting_fewer_columns_than_codebooks_names_both_numbers() =>
        Assert.That(() => DelayPattern.Revert(new int[8, 7]), Throws.ArgumentException.With.Message.Contains("8").And.Message.Contains("7"));

    [Test]
    public void A_segment_cut_before_its_first_frame_has_no_frames()
    {
        Assert.That(DelayPattern.Frames(new int[8, 3], 64), Has.Length.EqualTo(0));
        Assert.That(DelayPattern.Frames(new int[8, 3], 64).GetLength(0), Is.EqualTo(8));
    }

    [Test]
    public void A_segment_cut_by_length_keeps_its_last_frame_unless_trimmed_like_the_reference()
    {
        int[,] delayed = DelayPattern.Build(new int[,] { { 64, 1, 2, 3 }, { 64, 4, 5, 6 } }, 64, 65);
        int[,] cut = new int[2, 4];
        for (int c = 0; c < 2; c++)
            for (int t = 0; t < 4; t++)
                cut[c, t] = delayed[c, t];
        Assert.That(DelayPattern.Frames(cut, 64), Is.EqualTo(new int[,] { { 1, 2 }, { 4, 5 } }));
        Assert.That(DelayPattern.Frames(cut, 64, referenceTrimming: true), Is.EqualTo(new int[,] { { 1 }, { 4 } }));
    }

    [Test]
    public void Frames_read_one_by_one_are_those_of_the_whole_segment()
    {
        int[,] delayed = DelayPattern.Build(new int[,] { { 64, 1, 2, 65 }, { 64, 4, 5, 65 }, { 64, 7, 8, 65 } }, 64, 65);
        int[] columns = [.. GoldenJson.Transpose(delayed).Cast<int>()];
        int[,] reverted = DelayPattern.Revert(delayed);
        var codes = new int[3];
        for (int frame = 0; frame < 4; frame++)
        {
            Assert.That(DelayPattern.TryReadFrame(columns, frame, 64, codes), Is.EqualTo(frame is 1 or 2));
            Assert.That(codes, Is.EqualTo(Column(reverted, frame)));
        }
    }

    private static int[] Column(int[,] codes, int t) => [.. Enumerable.Range(0, codes.GetLength(0)).Select(c => codes[c, t])];
}
