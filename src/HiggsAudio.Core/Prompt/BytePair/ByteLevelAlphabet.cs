using System.Runtime.CompilerServices;
using System.Text;

namespace HiggsAudio.Prompts.BytePair;

/// <summary>
/// The alphabet in which byte-level vocabularies are written: each byte has a printable character, its own Latin-1 character where that is
/// printable, otherwise one from U+0100 on ("Language Models are Unsupervised Multitask Learners", 2019: GPT-2's <c>bytes_to_unicode</c>).
/// </summary>
internal static class ByteLevelAlphabet
{
    private static readonly char[] Characters = MakeCharacters();
    private static readonly short[] Bytes = MakeBytes();

    /// <summary>The character of a byte.</summary>
    public static char ToCharacter(byte value) => Characters[value];

    /// <summary>Turns a token's text (UTF-8) into the bytes it stands for, unless a character is not of the alphabet.</summary>
    /// <param name="utf8">The token as a vocabulary writes it.</param>
    /// <param name="bytes">Room for as many bytes as <paramref name="utf8"/> has.</param>
    /// <param name="written">The number of bytes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool TryToBytes(ReadOnlySpan<byte> utf8, Span<byte> bytes, out int written)
    {
        written = 0;
        for (int i = 0; i < utf8.Length;)
        {
            int character = utf8[i++];
            if (character >= 0x80)
            {
                if (character is < 0xC2 or > 0xC5 || i == utf8.Length)   // the alphabet ends at U+0143: two bytes at most
                    return false;
                character = (character & 0x1F) << 6 | utf8[i++] & 0x3F;
            }
            if (character >= Bytes.Length || Bytes[character] < 0)
                return false;
            bytes[written++] = (byte)Bytes[character];
        }
        return true;
    }

    /// <summary>The text by which a vocabulary writes bytes.</summary>
    public static string ToText(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        foreach (byte value in bytes)
            text.Append(Characters[value]);
        return text.ToString();
    }

    private static char[] MakeCharacters()
    {
        var characters = new char[256];
        int next = 256;
        for (int value = 0; value < 256; value++)
            characters[value] = value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? (char)value : (char)next++;
        return characters;
    }

    private static short[] MakeBytes()
    {
        var bytes = new short[Characters.Max() + 1];
        Array.Fill<short>(bytes, -1);
        for (int value = 0; value < 256; value++)
            bytes[Characters[value]] = (short)value;
        return bytes;
    }
}
