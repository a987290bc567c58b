using System.Text.Json;
using System.Text.Json.Nodes;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>An end-to-end fixture folder: which checkpoints its meta.json names, and its cases.</summary>
internal static class EndToEndFixture
{
    private static readonly Dictionary<string, HiggsAudioServeEngine> Engines = [];

    /// <summary>One NUnit case per fixture case of a kind.</summary>
    public static IEnumerable<TestCaseData> Cases(string kind) =>
        Golden.TestCases("e2e", c => c.TryGetProperty("kind", out JsonElement found) && found.GetString() == kind);

    /// <summary>An engine of the folder's checkpoints, shared by all tests.</summary>
    public static HiggsAudioServeEngine Engine(string folder)
    {
        lock (Engines)
        {
            if (!Engines.TryGetValue(folder, out HiggsAudioServeEngine? engine))
            {
                using JsonDocument meta = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "meta.json")));
                string At(string name) => Path.GetFullPath(Path.Combine(folder, meta.RootElement.GetProperty(name).GetString()!));
                Engines[folder] = engine = HiggsAudioServeEngine.Load(At("lm"), At("codec"), new EngineOptions
                {
                    TokenizerFolder = At("tokenizer"),
                    Threads = 2,
                    KeyValueFormat = KeyValueFormat.Float32,   // like the reference's golden runs
                });
            }
            return engine;
        }
    }

    /// <summary>The description of a case.</summary>
    public static JsonElement Case(string folder, string name) => Golden.Cases(folder).Single(c => c.Name == name).Case;

    /// <summary>The recorded tensors of a case.</summary>
    public static Checkpoint Tensors(string folder, string name) => Checkpoint.Open(Path.Combine(folder, name + ".safetensors"));

    public static int[] Ints(this Checkpoint file, string name) => [.. file.Tensors[name].ToFloats().Select(v => (int)v)];

    public static float[] Floats(this Checkpoint file, string name) => file.Tensors[name].ToFloats();

    /// <summary>[codebooks, columns]</summary>
    public static AudioCodes Codes(this Checkpoint file, string name)
    {
        ReadOnlySpan<long> shape = file.Tensors[name].Shape;
        return new AudioCodes((int)shape[0], file.Ints(name));
    }

    /// <summary>The conversation of a case, file names resolved; a recorded 24 kHz signal stands for a file of another rate.</summary>
    public static ChatMLSample Sample(string folder, JsonElement json, Checkpoint tensors)
    {
        JsonNode sample = JsonNode.Parse(json.GetRawText())!;
        foreach (JsonObject audio in Audio(sample["messages"]!))
        {
            if (audio["raw_audio_file"] is { } raw)
                audio["raw_audio"] = Convert.ToBase64String(File.ReadAllBytes(Path.Combine(folder, raw.GetValue<string>())));
            else if (audio["audio_url"] is { } url && url.GetValue<string>() is not ("" or "placeholder"))
                audio["audio_url"] = Path.Combine(folder, url.GetValue<string>());
        }
        ChatMLSample read = ChatMLSample.FromJson(sample.ToJsonString());
        if (!tensors.Tensors.ContainsKey("ref_wave_24k"))
            return read;
        var wave = AudioContent.FromWaveform(new Waveform(tensors.Floats("ref_wave_24k"), 24000));
        return new ChatMLSample([.. read.Messages.Select(m => new Message(m.Role, [.. m.Content.Select(c => c is AudioContent ? wave : c)]) { Recipient = m.Recipient })]);
    }

    private static IEnumerable<JsonObject> Audio(JsonNode node) => node switch
    {
        JsonArray items => items.SelectMany(item => Audio(item!)),
        JsonObject item when item["type"]?.GetValue<string>() == "audio" => [item],
        JsonObject item => item["content"] is { } content ? Audio(content) : [],
        _ => [],
    };

    /// <summary>How a case was generated.</summary>
    public static GenerationOptions Options(JsonElement json)
    {
        JsonElement Value(string name) => json.TryGetProperty(name, out JsonElement value) ? value : default;
        return new GenerationOptions
        {
            MaxNewTokens = Value("max_new_tokens").GetInt32(),
            Temperature = Value("temperature").GetSingle(),
            TopK = Value("top_k").ValueKind == JsonValueKind.Number ? Value("top_k").GetInt32() : null,
            TopP = Value("top_p").ValueKind == JsonValueKind.Number ? Value("top_p").GetSingle() : 0.95f,
            RasWinLen = Value("ras_win_len").ValueKind == JsonValueKind.Number ? Value("ras_win_len").GetInt32() : null,
            ForceAudioGeneration = Value("force_audio_gen").ValueKind == JsonValueKind.True,
            ReferenceTrimming = true,
            ReturnAudioInTokens = false,
            Seed = 1,
        };
    }
}
