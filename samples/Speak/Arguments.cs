using System.Globalization;
using HiggsAudio;
using HiggsAudio.Compute;

namespace Speak;

/// <summary>The command line of the sample.</summary>
internal sealed class Arguments
{
    public const string Help = """
        Speak: says a text with Higgs Audio v2 and writes a WAV file.

          dotnet run -c Release --project samples/Speak -- "Hello world." --output hello.wav

          --output FILE           where to put the sound (speech.wav)
          --picture FILE.png      where to draw its waveform, spectrogram and codes
          --model DIR             the language model's folder, or a repository of the Hugging Face Hub, downloaded when it is first needed, such as
                                  bosonai/higgs-audio-v2-generation-3B-base; without it the nano voice speaks, which is part of the repository
          --codec DIR             the codec's folder or repository (by default bosonai/higgs-audio-v2-tokenizer where --model is a repository)
          --adapter DIR[=WEIGHT]  a LoRA adapter to merge into the language model; may be given several times
          --voice NAME            a voice of the nano voice: feminine, masculine, scottish
          --reference FILE.wav    a voice to clone, with
          --reference-text TEXT   what is said in it
          --scene TEXT            describes the scene and the speakers
          --seed N                the same seed gives the same sound
          --temperature T         0 is greedy
          --top-p P  --top-k K    limit the draws
          --max-new-tokens N      most steps, 25 a second
          --device NAME           cpu if not given; cuda:0 for an NVIDIA GPU
          --threads N             all cores if not given
          --format F              how weights are kept: float32, bfloat16, int8 or int4 (less memory, faster); as stored if not given
        """;

    public string Text { get; private set; } = "The sun rises in the east and sets in the west.";

    public string Output { get; private set; } = "speech.wav";

    public string? Picture { get; private set; }

    public string? Model { get; private set; }

    public string? Codec { get; private set; }

    public string Voice { get; private set; } = "feminine";

    public string? Reference { get; private set; }

    public string? ReferenceText { get; private set; }

    public string? Scene { get; private set; }

    public List<AdapterOptions> Adapters { get; } = [];

    public int Threads { get; private set; }

    public string Device { get; private set; } = "cpu";

    public WeightFormat Format { get; private set; } = WeightFormat.AsStored;

    public GenerationOptions Generation { get; private set; } = new() { ForceAudioGeneration = true, TopK = 50, MaxNewTokens = 1024 };

    /// <summary>Reads the command line. A <paramref name="problem"/> of null with a result of false means that help was asked for.</summary>
    public static bool TryParse(string[] words, out Arguments arguments, out string? problem)
    {
        (arguments, problem) = (new Arguments(), null);
        for (int i = 0; i < words.Length; i++)
        {
            string word = words[i];
            if (word is "--help" or "-h")
                return false;
            if (!word.StartsWith("--", StringComparison.Ordinal))
            {
                arguments.Text = word;
                continue;
            }
            if (i + 1 == words.Length)
                problem = $"{word} needs a value.";
            else if (!arguments.Set(word, words[++i]))
                problem = $"'{word} {words[i]}' is not understood.";
            if (problem is not null)
                return false;
        }
        problem = arguments.Check();
        return problem is null;
    }

    /// <summary>The conversations to continue, one after the other: the nano voice says a long text in parts.</summary>
    /// <exception cref="ArgumentException">There is nothing in the text that the nano voice can say.</exception>
    public IEnumerable<ChatMLSample> Conversations() => Model is null ? NanoVoice.Split(Text).Select(Conversation) : [Conversation(Text)];

    private ChatMLSample Conversation(string text)
    {
        if (Model is null && Reference is null && Scene is null)
            return NanoVoice.Say(text, Voice);
        string scene = Scene ?? (Reference is null && Model is null ? $"SPEAKER0: {Voice}" : "Audio is recorded from a quiet room.");
        var system = new Message("system", $"Generate audio following instruction.\n\n<|scene_desc_start|>\n{scene}\n<|scene_desc_end|>");
        if (Reference is null)
            return new ChatMLSample(system, new Message("user", text));
        string reference = Model is null ? NanoVoice.Normalize(ReferenceText!) : ReferenceText!;
        return new ChatMLSample(system, new Message("user", reference), new Message("assistant", AudioContent.FromFile(Reference)), new Message("user", text));
    }

    private string? Check()
    {
        if (string.IsNullOrWhiteSpace(Text))
            return "There is no text to say.";
        if (Model is not null && Codec is null && !Directory.Exists(Model))
            Codec = HuggingFaceHub.CodecRepository;
        if (Model is null != Codec is null)
            return "--model and --codec belong together.";
        if (Reference is not null && ReferenceText is null)
            return "--reference needs --reference-text: what is said in the file.";
        if (Model is null && !NanoVoice.Voices.Contains(Voice))
            return $"--voice is one of {string.Join(", ", NanoVoice.Voices)}.";
        try
        {
            Generation.Validate();
            return null;
        }
        catch (ArgumentException wrong)
        {
            return wrong.Message;
        }
    }

    private bool Set(string name, string value)
    {
        switch (name)
        {
            case "--text": Text = value; return true;
            case "--output": Output = value; return true;
            case "--picture": Picture = value; return true;
            case "--adapter": return AddAdapter(value);
            case "--model": Model = value; return true;
            case "--codec": Codec = value; return true;
            case "--voice": Voice = value; return true;
            case "--reference": Reference = value; return true;
            case "--reference-text": ReferenceText = value; return true;
            case "--scene": Scene = value; return true;
            case "--format": return SetFormat(value);
            case "--device" when Devices.IsName(value): Device = value; return true;
            default: return SetNumber(name, value);
        }
    }

    private bool AddAdapter(string value)
    {
        int equals = value.LastIndexOf('=');
        float weight = 1;
        if (equals >= 0 && !float.TryParse(value.AsSpan(equals + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out weight))
            return false;
        Adapters.Add(new AdapterOptions(equals < 0 ? value : value[..equals], weight));
        return true;
    }

    private bool SetFormat(string value)
    {
        bool known = WeightFormatText.TryParse(value, out WeightFormat format);
        Format = known ? format : Format;
        return known;
    }

    private bool SetNumber(string name, string value)
    {
        bool whole = long.TryParse(value, NumberStyles.Integer, CultureInfo.InvariantCulture, out long n);
        bool number = float.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out float x);
        switch (name)
        {
            case "--seed" when whole: Generation = Generation with { Seed = n }; return true;
            case "--top-k" when whole: Generation = Generation with { TopK = (int)Math.Min(n, int.MaxValue) }; return true;
            case "--max-new-tokens" when whole: Generation = Generation with { MaxNewTokens = (int)Math.Min(n, int.MaxValue) }; return true;
            case "--threads" when whole && n >= 0: Threads = (int)Math.Min(n, 1024); return true;
            case "--temperature" when number: Generation = Generation with { Temperature = x }; return true;
            case "--top-p" when number: Generation = Generation with { TopP = x }; return true;
            default: return false;
        }
    }
}
