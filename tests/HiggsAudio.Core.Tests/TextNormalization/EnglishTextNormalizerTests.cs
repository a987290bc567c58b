using System.Text;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.TextNormalization;

/// <summary>The table of written and spoken texts (EnglishTextCases.txt), and what holds for any text.</summary>
internal sealed class EnglishTextNormalizerTests
{
    private const string Table = "HiggsAudio.Core.Tests.TextNormalization.EnglishTextCases.txt";

    private static readonly EnglishTextOptions Letters = new() { LowerCase = true, Alphabet = "abcdefghijklmnopqrstuvwxyz',.?!" };

    private static IEnumerable<TestCaseData> Cases()
    {
        using var reader = new StreamReader(typeof(EnglishTextNormalizerTests).Assembly.GetManifestResourceStream(Table)!);
        for (string? line = reader.ReadLine(); line is not null; line = reader.ReadLine())
        {
            int arrow = line.LastIndexOf("=>", StringComparison.Ordinal);
            if (arrow < 0 || line.StartsWith("# ", StringComparison.Ordinal))
                continue;
            string written = line[..Math.Max(0, arrow - 1)].Replace("\\n", "\n", StringComparison.Ordinal);
            yield return new TestCaseData(written, line[(arrow + 2)..].Trim()).SetArgDisplayNames(written.ReplaceLineEndings(" "));
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void What_is_written_is_spoken(string written, string spoken) => Assert.That(EnglishTextNormalizer.Normalize(written), Is.EqualTo(spoken));

    [TestCaseSource(nameof(Cases))]
    public void What_is_spoken_stays_in_the_alphabet(string written, string spoken)
    {
        string said = EnglishTextNormalizer.Normalize(written, Letters);
        Assert.That(said.Except(Letters.Alphabet + " "), Is.Empty, said);
        Assert.That(said, Does.Not.Contain("  ").And.Not.Contain(" ,").And.Not.Contain(" ."));
        Assert.That(said.Any(char.IsAsciiLetter), Is.EqualTo(spoken.Any(char.IsAsciiLetter)));
    }

    [TestCaseSource(nameof(Cases))]
    public void A_sentence_around_it_stays(string written, string spoken)
    {
        string said = EnglishTextNormalizer.Normalize($"before it, {written}, after it");
        Assert.That(said, Does.StartWith("before it,").And.EndsWith("after it"));
        Assert.That(spoken.Any(char.IsAsciiDigit), Is.False);
    }

    [Test]
    public void Every_number_to_ten_thousand_and_every_power_of_ten_is_said_as_it_is_counted()
    {
        Assert.Multiple(() =>
        {
            for (long n = 0; n < 10_000; n++)
                Assert.That(Value(EnglishTextNormalizer.Normalize($"{n:N0}")), Is.EqualTo(n));
            for (long n = 1; n < 1_000_000_000_000_000_000 / 10; n *= 10)
                foreach (long number in new[] { n, n + 1, 7 * n, 10 * n - 1 })
                    Assert.That(Value(EnglishTextNormalizer.Normalize($"{number:N0}")), Is.EqualTo(number));
        });
    }

    [Test]
    public void Every_day_of_some_years_is_said()
    {
        for (var day = new DateOnly(1999, 1, 1); day < new DateOnly(2001, 1, 1); day = day.AddDays(1))
        {
            string iso = EnglishTextNormalizer.Normalize($"{day:yyyy-MM-dd}");
            Assert.That(iso, Does.StartWith($"{day:MMMM} "));
            Assert.That(EnglishTextNormalizer.Normalize($"{day:MM}/{day:dd}/{day:yyyy}"), Is.EqualTo(iso));
            Assert.That(EnglishTextNormalizer.Normalize($"{day:MMM} {day.Day}, {day:yyyy}"), Is.EqualTo(iso));
        }
    }

    [Test]
    public void Ordinary_words_are_never_lost()
    {
        var random = new Random(1);
        for (int i = 0; i < 3000; i++)
        {
            string[] words = [.. Enumerable.Range(0, random.Next(1, 12)).Select(_ => Word(random))];
            string[] marks = ["", "", "", ",", ".", "?", "!", ";", ":", "...", " -", " —", ")", "\"", " 5", " &", " 😀"];
            string text = string.Join(' ', words.Select(word => word + marks[random.Next(marks.Length)]));
            string[] said = EnglishTextNormalizer.Normalize(text).Split([' ', ',', '.', '?', '!', ';', ':', ')', '"'], StringSplitOptions.RemoveEmptyEntries);
            Assert.That(said.Where(word => word is not ("five" or "and" or "dot")), Is.EqualTo(words), text);
        }
    }

    [Test]
    public void Anything_at_all_ends_and_says_nothing_outside_the_alphabet()
    {
        var random = new Random(2);
        const string Alphabet = "aZ09 .,:;-–—/'\"()+%$€£°@#&=<>^*_~|\\[]{}!?xkmpMe²½é\u0301π\ud83d\ude00\u200b\n中";
        for (int i = 0; i < 5000; i++)
        {
            string text = new([.. Enumerable.Range(0, random.Next(0, 40)).Select(_ => Alphabet[random.Next(Alphabet.Length)])]);
            string said = EnglishTextNormalizer.Normalize(text, Letters);
            Assert.That(said.Except(Letters.Alphabet + " "), Is.Empty, text);
            Assert.That(EnglishTextNormalizer.Normalize(text).Any(char.IsAsciiDigit), Is.False, text);
        }
    }

    // Would take days if a rule looked at the whole text from each of its places.
    [TestCase("1"), TestCase("1,"), TestCase("1,000,"), TestCase("1."), TestCase("1-"), TestCase("1/"), TestCase("+1 "), TestCase("a."), TestCase("a,"), TestCase("a@"), TestCase("("),
     TestCase("'"), TestCase("-"), TestCase("."), TestCase("A"), TestCase("Jan 1"), TestCase("$"), TestCase("1:1"), TestCase(" "), TestCase("\u0301"), TestCase("M. ")]
    public void Long_texts_take_time_in_proportion(string piece)
    {
        string text = new StringBuilder().Insert(0, piece, 200_000 / piece.Length).ToString();
        Assert.That(EnglishTextNormalizer.Normalize(text), Is.Not.Null);
    }

    [Test]
    public void Characters_outside_the_alphabet_are_folded_dropped_spaced_or_refused()
    {
        var small = new EnglishTextOptions { LowerCase = true, Alphabet = "abcdefghijklmnopqrstuvwxyz" };
        Assert.That(EnglishTextNormalizer.Normalize("Café Ægir, Straße; e\u0301!", small), Is.EqualTo("cafe aegir strasse e"));
        Assert.That(EnglishTextNormalizer.Normalize("a中b", small), Is.EqualTo("ab"));
        Assert.That(EnglishTextNormalizer.Normalize("a中b", small with { OutsideAlphabet = OutsideAlphabet.Space }), Is.EqualTo("a b"));
        Assert.That(() => EnglishTextNormalizer.Normalize("a中b", small with { OutsideAlphabet = OutsideAlphabet.Refuse }), Throws.ArgumentException.With.Message.Contains("U+4E2D"));
        Assert.That(EnglishTextNormalizer.Normalize("Go; now: 5", Letters), Is.EqualTo("go, now, five"));
        Assert.That(EnglishTextNormalizer.Normalize("Ok Éa", new EnglishTextOptions { LowerCase = true }), Is.EqualTo("ok éa"));
    }

    private static string Word(Random random)
    {
        string word = new([.. Enumerable.Range(0, random.Next(4, 9)).Select(_ => (char)('a' + random.Next(26)))]);
        return random.Next(4) == 0 ? char.ToUpperInvariant(word[0]) + word[1..] + "e" : word;
    }

    // Words back to a number, independently of how they are made.
    private static long Value(string words)
    {
        string[] ones = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".Split(' ');
        string[] tens = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".Split(' '), scales = "_ thousand million billion trillion quadrillion".Split(' ');
        long sum = 0, group = 0;
        foreach (string word in words.Split(' '))
        {
            if (Array.IndexOf(ones, word) is >= 0 and int one)
                group += one;
            else if (Array.IndexOf(tens, word) is > 1 and int ten)
                group += 10 * ten;
            else if (word == "hundred")
                group *= 100;
            else if (Array.IndexOf(scales, word) is > 0 and int scale)
                (sum, group) = (sum + group * (long)Math.Pow(1000, scale), 0);
            else
                Assert.That(word, Is.EqualTo("and"));
        }
        return sum + group;
    }
}
