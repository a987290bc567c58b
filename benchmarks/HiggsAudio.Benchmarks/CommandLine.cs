namespace HiggsAudio.Benchmarks;

internal static class CommandLine
{
    /// <summary>The word after a name.</summary>
    public static string Value(ReadOnlySpan<string> args, string name, string otherwise)
    {
        int at = args.IndexOf(name);
        return at < 0 || at + 1 == args.Length ? otherwise : args[at + 1];
    }
}
