using HiggsAudio.Serving;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>Rows of prompts in a pass, by made-up times.</summary>
internal sealed class PrefillPaceTests
{
    [TestCase(0.060, 0.013, 8)]         // three steps' time: 13 rows
    [TestCase(0.077, 0.013, 16)]
    [TestCase(0.010, 0.001, 24)]
    [TestCase(0.060, 0.0001, 128)]      // the most
    [TestCase(0.001, 0.5, 8)]           // the least
    public void A_pass_with_prompts_takes_about_four_times_as_long_as_steps_alone(double step, double row, int rows)
    {
        var pace = new PrefillPace(128);
        for (int pass = 0; pass < 20; pass++)
        {
            pace.Note(2, 0, step);
            pace.Note(2, pace.Rows, step + pace.Rows * row);
        }
        Assert.That(pace.Rows, Is.EqualTo(rows));
    }

    [Test]
    public void It_follows_a_machine_that_others_begin_to_use()
    {
        var pace = new PrefillPace(512);
        for (int pass = 0; pass < 60; pass++)
        {
            double row = pass < 30 ? 0.001 : 0.004;
            pace.Note(1, 0, 0.05);
            pace.Note(1, pace.Rows, 0.05 + pace.Rows * row);
            if (pass is 29 or 59)
                Assert.That(pace.Rows, Is.EqualTo(pass == 29 ? 144 : 32), $"pass {pass}");
        }
    }

    [TestCase(1)]
    [TestCase(5)]
    [TestCase(17)]
    public void Never_more_than_the_option_and_never_none(int most)
    {
        var pace = new PrefillPace(most);
        Assert.That(pace.Rows, Is.EqualTo(most));
        pace.Note(0, 512, 0);
        pace.Note(3, 0, 1e-9);
        Assert.That(pace.Rows, Is.InRange(1, most));
        pace.Note(3, 1, 1000);
        Assert.That(pace.Rows, Is.InRange(1, most));
    }

    [Test]
    public void Prompts_without_speakers_say_what_a_row_takes()
    {
        var pace = new PrefillPace(128);
        pace.Note(0, 512, 5.12);
        pace.Note(1, 0, 0.1);
        Assert.That(pace.Rows, Is.EqualTo(24));
    }
}
