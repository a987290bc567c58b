using System.Text.Json;
using HiggsAudio.Generation;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Generation;

internal sealed class LogitsProcessorTests
{
    private static IEnumerable<TestCaseData> Cases() => GoldenJson.Cases("utils", "logits_processors.json");

    [TestCaseSource(nameof(Cases))]
    public void Scores_are_kept_and_distributed_as_in_the_reference(JsonElement golden)
    {
        JsonElement topK = golden.GetProperty("top_k"), topP = golden.GetProperty("top_p");
        var processor = new LogitsProcessor(golden.GetProperty("temperature").GetSingle(), GoldenJson.NullableInt(topK),
            topP.ValueKind == JsonValueKind.Null ? 1 : topP.GetSingle());
        JsonElement[] rows = [.. golden.GetProperty("logits").EnumerateArray()];
        for (int row = 0; row < rows.Length; row++)
        {
            float[] logits = GoldenJson.Floats(rows[row]), scores = new float[logits.Length];
            processor.Apply(logits, scores);
            Assert.That(scores.Select(s => float.IsNegativeInfinity(s) ? 0 : 1), Is.EqualTo(GoldenJson.Ints(golden.GetProperty("kept")[row])), $"row {row}");
            double[] weights = [.. scores.Select(s => Math.Exp((double)s - scores.Max()))];
            Assert.That(weights.Select(w => w / weights.Sum()), Is.EqualTo(GoldenJson.Floats(golden.GetProperty("probs")[row])).Within(1e-6), $"row {row}");
        }
    }

    private static readonly (float, int?, float)[] Settings =
    [
        (1, null, 1), (0.7f, null, 0.95f), (1, 50, 0.95f), (1.5f, 3, 1), (0.3f, 5, 0.9f), (2, 1, 0.5f), (1, 0, 0.1f), (1, 100_000, 0.99f), (1, null, 0), (0.01f, 7, 0.9999f),
    ];

    [TestCaseSource(nameof(Settings))]
    public void What_is_kept_equals_that_of_a_whole_sort((float Temperature, int? TopK, float TopP) setting)
    {
        var random = new Random(7);
        var processor = new LogitsProcessor(setting.Temperature, setting.TopK, setting.TopP);
        for (int round = 0; round < 300; round++)
        {
            var logits = new float[random.Next(1, 400)];
            bool ties = round % 3 == 0, masked = round % 5 == 0;
            for (int i = 0; i < logits.Length; i++)
                logits[i] = ties ? random.Next(-3, 4) : (float)(random.NextDouble() * 30 - 15) * (round % 7);
            if (masked)
                for (int i = 1; i < logits.Length; i += 2)
                    logits[i] = float.NegativeInfinity;
            var scores = new float[logits.Length];
            processor.Apply(logits, scores);
            Assert.That(scores, Is.EqualTo(Sorted(logits, setting.Temperature, setting.TopK, setting.TopP)), $"round {round}");
        }
    }

    [Test]
    public void A_vocabulary_of_published_size_keeps_what_a_whole_sort_keeps()
    {
        var random = new Random(11);
        var logits = new float[128_256];
        for (int i = 0; i < logits.Length; i++)
            logits[i] = (float)((random.NextDouble() + random.NextDouble() + random.NextDouble()) * 10);
        var scores = new float[logits.Length];
        new LogitsProcessor(0.7f, null, 0.95f).Apply(logits, scores);
        Assert.That(scores.SequenceEqual(Sorted(logits, 0.7f, null, 0.95f)), Is.True);
        new LogitsProcessor(1, 50, 0.95f).Apply(logits, scores);
        Assert.That(scores.SequenceEqual(Sorted(logits, 1, 50, 0.95f)), Is.True);
    }

    // The rules said as plainly as possible.
    private static float[] Sorted(float[] logits, float temperature, int? topK, float topP)
    {
        float[] scores = [.. logits.Select(l => l / temperature)];
        if (topK > 0 && topK < scores.Length)
        {
            float smallest = scores.OrderDescending().ElementAt(topK.Value - 1);
            scores = [.. scores.Select(s => s < smallest ? float.NegativeInfinity : s)];
        }
        if (topP >= 1)
            return scores;
        double largest = scores.Max(), total = scores.Sum(s => Math.Exp(s - largest)), sum = 0;
        int[] ascending = [.. Enumerable.Range(0, scores.Length).OrderBy(i => scores[i])];   // stable
        foreach (int i in ascending[..^1])
        {
            sum += (float)(Math.Exp(scores[i] - largest) / total);
            if ((float)sum > (float)(1 - (double)(decimal)topP))
                break;
            scores[i] = float.NegativeInfinity;
        }
        return scores;
    }
}
