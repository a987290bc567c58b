using BenchmarkDotNet.Attributes;

namespace HiggsAudio.Benchmarks;

/// <summary>The text tokenizer, on the tokenizer.json that the environment variable HIGGS_AUDIO_TOKENIZER names (a file or its folder).</summary>
[MemoryDiagnoser]
public class TextTokenizerBenchmarks
{
    private const string Sentence = "The sun rises in the east and sets in the west. This simple fact has been observed by humans for thousands of years. ";

    private readonly string _path = Environment.GetEnvironmentVariable("HIGGS_AUDIO_TOKENIZER")
        ?? throw new InvalidOperationException("Set HIGGS_AUDIO_TOKENIZER to a tokenizer.json.");
    private readonly List<int> _ids = [];
    private TextTokenizer _tokenizer = null!;
    private string _long = "", _letters = "";
    private int[] _encoded = [];

    [GlobalSetup]
    public void Load()
    {
        _tokenizer = TextTokenizer.Load(_path);
        string mixed = Sentence + "大家好, 我是火星人。 12345  \n\nUnbelievably: antidisestablishmentarianism, naïve café 😀! ";
        _long = string.Concat(Enumerable.Repeat(mixed, 100_000 / mixed.Length));
        _letters = new string('z', 100_000);
        _encoded = _tokenizer.Encode(_long);
    }

    [Benchmark]
    public TextTokenizer LoadFile() => TextTokenizer.Load(_path);

    [Benchmark]
    public int EncodeSentence() => Encode(Sentence);

    [Benchmark]
    public int Encode100k() => Encode(_long);

    [Benchmark]
    public int EncodeOnePieceOf100k() => Encode(_letters);

    [Benchmark]
    public string Decode100k() => _tokenizer.Decode(_encoded);

    private int Encode(string text)
    {
        _ids.Clear();
        _tokenizer.EncodeTo(text, _ids);
        return _ids.Count;
    }
}
