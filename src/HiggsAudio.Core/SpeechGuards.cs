namespace HiggsAudio;

/// <summary>
/// What ends a chunk of a text that goes wrong: the model sometimes does not find the end, repeats itself, or falls silent. Each guard can be
/// switched off by null. A chunk that a guard has ended is not carried as context, so that the next one begins anew. Immutable.
/// </summary>
public sealed record SpeechGuards
{
    /// <summary>No guard: a chunk ends where the model ends it, or at <see cref="GenerationOptions.MaxNewTokens"/>.</summary>
    public static SpeechGuards None { get; } = new() { FrameBudgetMargin = null, MaxLoop = null, MaxSilence = null };

    /// <summary>
    /// How many times as long as expected a chunk may take, 1 or more (<see cref="FinishReason.FrameBudget"/>). What is expected follows from the
    /// characters (docs/long-texts.md has the table) and is two seconds at least.
    /// </summary>
    public double? FrameBudgetMargin { get; init; } = 3;

    /// <summary>How long the same frames may come again and again, 1 second or more (<see cref="FinishReason.Loop"/>).</summary>
    public TimeSpan? MaxLoop { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>How long the sound may stay below <see cref="SilenceLevel"/> (<see cref="FinishReason.Silence"/>).</summary>
    public TimeSpan? MaxSilence { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>What counts as silence: the root mean square of 20 ms in decibels, where 0 is full scale.</summary>
    public double SilenceLevel { get; init; } = -55;

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        Require(FrameBudgetMargin is null or (>= 1 and <= 1e6), nameof(FrameBudgetMargin), "null, or 1 or more", FrameBudgetMargin);
        Require(MaxLoop is null || MaxLoop >= TimeSpan.FromSeconds(1), nameof(MaxLoop), "null, or 1 second or more", MaxLoop);
        Require(MaxSilence is null || MaxSilence > TimeSpan.Zero, nameof(MaxSilence), "null, or above 0", MaxSilence);
        Require(SilenceLevel is >= -200 and < 0, nameof(SilenceLevel), "between -200 and 0 dB", SilenceLevel);
    }

    private static void Require(bool satisfied, string name, string expected, object? found) =>
        OptionRange.Require(satisfied, nameof(SpeechGuards), name, expected, found);
}
