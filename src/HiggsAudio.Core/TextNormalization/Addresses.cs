using System.Text.RegularExpressions;

namespace HiggsAudio.TextNormalization;

/// <summary>Addresses of mail and of the web.</summary>
internal static partial class Addresses
{
    private const int Longest = 256;

    private static readonly HashSet<string> Domains =
        ["com", "org", "net", "edu", "gov", "io", "ai", "dev", "app", "info", "uk", "de", "fr", "eu", "us", "ca", "au", "jp", "ch", "nl", "it", "es", "se", "in", "co", "me", "tv"];

    public static bool TryRead(string text, int start, SpokenText speech, out int end)
    {
        end = start;
        if (start > 0 && text[start - 1] is not (' ' or '(' or '"' or '<' or '[' or '\''))
            return false;
        int limit = Math.Min(text.Length, start + Longest), stop = start;
        bool special = false;
        while (stop < limit && IsAddressCharacter(text[stop]))
            special |= text[stop++] is '.' or '@';
        if (!special || stop == start + Longest)
            return false;
        while (stop > start && text[stop - 1] is '.' or ',' or ':' or ';' or '!' or '?' or '-')
            stop--;
        ReadOnlySpan<char> address = text.AsSpan(start, stop - start);
        if (!Mail().IsMatch(address) && !IsWeb(address))
            return false;
        Say(address, speech);
        end = stop;
        return true;
    }

    private static bool IsWeb(ReadOnlySpan<char> address)
    {
        if (Scheme().IsMatch(address))
            return true;
        int slash = address.IndexOfAny('/', ':', '?');
        ReadOnlySpan<char> host = slash < 0 ? address : address[..slash];
        int dot = host.LastIndexOf('.');
        return dot > 1 && Host().IsMatch(host) && Domains.Contains(host[(dot + 1)..].ToString().ToLowerInvariant()) && host.ContainsAnyInRange('a', 'z');
    }

    private static void Say(ReadOnlySpan<char> address, SpokenText speech)
    {
        int scheme = address.IndexOf("://");
        if (scheme > 0)
            address = address[(scheme + 3)..];
        for (int i = 0; i < address.Length;)
        {
            int end = i;
            if (char.IsAsciiLetter(address[i]))
            {
                while (end < address.Length && char.IsAsciiLetter(address[end]))
                    end++;
                ReadOnlySpan<char> word = address[i..end];
                bool spelled = word.Equals("www", StringComparison.OrdinalIgnoreCase) || end == address.Length && end - i == 2 && i > 0 && address[i - 1] == '.';
                speech.Say(spelled ? string.Join(' ', word.ToString().ToCharArray()) : word.ToString());
            }
            else if (char.IsAsciiDigit(address[i]))
            {
                while (end < address.Length && char.IsAsciiDigit(address[end]))
                    end++;
                speech.Say(end - i > 4 ? NumberWords.Digits(address[i..end]) : NumberWords.Cardinal(address[i..end]));
            }
            else
            {
                if (i < address.Length - 1 || address[i] != '/')
                    speech.Say(Name(address[i]));
                end = i + 1;
            }
            i = end;
        }
    }

    private static string Name(char c) => c switch
    {
        '.' => "dot",
        '@' => "at",
        '/' => "slash",
        '-' => "dash",
        '_' => "underscore",
        ':' => "colon",
        '+' => "plus",
        '%' => "percent",
        '?' => "question mark",
        '=' => "equals",
        '&' => "and",
        '#' => "hash",
        '~' => "tilde",
        _ => "",
    };

    private static bool IsAddressCharacter(char c) => char.IsAsciiLetterOrDigit(c) || ".@/-_:+%?=&#~,;!".Contains(c, StringComparison.Ordinal);

    [GeneratedRegex(@"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}$")]
    private static partial Regex Mail();

    [GeneratedRegex(@"^(?:(?:https?|ftp)://|www\.)[A-Za-z0-9]", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Scheme();

    [GeneratedRegex(@"^[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}$")]
    private static partial Regex Host();
}
