namespace HiggsAudio;

/// <summary>What <see cref="EnglishTextNormalizer"/> leaves in a text. Immutable.</summary>
public sealed record EnglishTextOptions
{
    /// <summary>Whether everything becomes lower case.</summary>
    public bool LowerCase { get; init; }

    /// <summary>
    /// The characters that the text may hold, the space included in any case; null for all. Letters outside are folded to letters inside where
    /// they are these with an accent (é to e, æ to ae, ß to ss, capitals to small ones and the other way round); <c>; : ...</c> become a comma or
    /// a full stop, hyphens, quotation marks and brackets a space. <see cref="OutsideAlphabet"/> says what happens to the rest.
    /// </summary>
    public string? Alphabet { get; init; }

    /// <summary>What happens to a character that is not in <see cref="Alphabet"/> and cannot be folded into it.</summary>
    public OutsideAlphabet OutsideAlphabet { get; init; } = OutsideAlphabet.Drop;
}

/// <summary>What happens to a character outside the alphabet of <see cref="EnglishTextOptions"/>.</summary>
public enum OutsideAlphabet
{
    /// <summary>It goes without a trace.</summary>
    Drop,

    /// <summary>It becomes a space.</summary>
    Space,

    /// <summary>The text is refused with an <see cref="ArgumentException"/> that names it.</summary>
    Refuse,
}
