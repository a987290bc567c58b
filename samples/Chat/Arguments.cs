using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using HiggsAudio.Compute;

namespace Chat;

/// <summary>The command line.</summary>
internal sealed record Arguments
{
    public const string Help = """
        Chat: talks with Higgs Audio v2, turn after turn. Text or speech in, speech and text out.

          dotnet run -c Release --project samples/Chat -- [options]

        Without --turn it reads turns from the console, a line each, until an empty one. A turn that ends with .wav is a sound file to be heard,
        anything else is text. The answers are written to answer-1.wav, answer-2.wav and so on while they are made.

          --turn TEXT|FILE.wav    a turn; may be given several times, and none is asked for then
          --output FOLDER         where the answers go (.)
          --system TEXT           the system message
          --model FOLDER          the language model, with
          --codec FOLDER          its codec; without both the nano voice, which is part of the repository
          --format FORMAT         float32, bfloat16, int8 or int4; as stored if not given
          --text                  lets the model choose between text and speech, rather than to have it speak
          --max-tokens N          steps of an answer at most (750: 30 seconds)
          --temperature T         (0.7)
          --seed N                draws that can be repeated

        The nano voice shows how a conversation works, not what one is like. It says aloud what you type, with one voice and in sentences of
        up to 70 characters; it cannot answer. What you speak is encoded and becomes part of the conversation, but nano was not taught to
        understand it: what it says after such a turn means nothing. The same turns work with the published checkpoints, which can do more.
        """;

    public List<string> Turns { get; } = [];

    public string Output { get; private set; } = ".";

    public string? System { get; private set; }

    public string? Model { get; private set; }

    public string? Codec { get; private set; }

    public WeightFormat Format { get; private set; } = WeightFormat.AsStored;

    public bool Text { get; private set; }

    public int MaxTokens { get; private set; } = 750;

    public float Temperature { get; private set; } = 0.7f;

    public long? Seed { get; private set; }

    /// <summary>Reads the command line.</summary>
    /// <param name="args">The words.</param>
    /// <param name="arguments">What they mean.</param>
    /// <param name="problem">What is wrong; null if the help was asked for.</param>
    public static bool TryParse(string[] args, [NotNullWhen(true)] out Arguments? arguments, out string? problem)
    {
        arguments = new Arguments();
        problem = null;
        for (int i = 0; i < args.Length; i++)
        {
            bool known = args[i] switch
            {
                "--text" => arguments.Text = true,
                _ when i + 1 < args.Length => arguments.Take(args[i], args[++i]),
                _ => false,
            };
            if (known)
                continue;
            problem = args[i] is "--help" or "-h" ? null : $"Not understood: {args[i]}";
            arguments = null;
            return false;
        }
        problem = arguments.Model is null == arguments.Codec is null ? null : "--model and --codec go together.";
        arguments = problem is null ? arguments : null;
        return problem is null;
    }

    private bool Take(string name, string value)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        switch (name)
        {
            case "--turn": Turns.Add(value); return true;
            case "--output": Output = value; return true;
            case "--system": System = value; return true;
            case "--model": Model = value; return true;
            case "--codec": Codec = value; return true;
            case "--format" when WeightFormatText.TryParse(value, out WeightFormat format): Format = format; return true;
            case "--max-tokens" when int.TryParse(value, culture, out int tokens): MaxTokens = tokens; return true;
            case "--temperature" when float.TryParse(value, culture, out float temperature): Temperature = temperature; return true;
            case "--seed" when long.TryParse(value, culture, out long seed): Seed = seed; return true;
            default: return false;
        }
    }
}
