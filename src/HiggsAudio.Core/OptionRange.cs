namespace HiggsAudio;

/// <summary>What the options' checks have in common.</summary>
internal static class OptionRange
{
    /// <summary>Refuses a value out of its range.</summary>
    /// <param name="satisfied">Whether it is in its range.</param>
    /// <param name="options">The record that has the option.</param>
    /// <param name="name">The option.</param>
    /// <param name="expected">What the range is, in words.</param>
    /// <param name="found">The value.</param>
    /// <exception cref="ArgumentException">It is not in its range; the message names the option, what was expected and what was found.</exception>
    public static void Require(bool satisfied, string options, string name, string expected, object? found)
    {
        if (!satisfied)
            throw new ArgumentException(FormattableString.Invariant($"{options}.{name} must be {expected}, found {found}"), name);
    }
}
