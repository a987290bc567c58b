using System.Text.Json.Nodes;
using HiggsAudio.Testing;

namespace HiggsAudio.Prompts.Tests;

/// <summary>A changed copy of the fixtures' tokenizer.json, deleted at the end.</summary>
internal sealed class TokenizerCopy : IDisposable
{
    private static readonly string Original = File.ReadAllText(System.IO.Path.Combine(Golden.Folders("tokenizer")[0], "tokenizer.json"));

    public TokenizerCopy(Action<JsonNode> change)
        : this(Changed(change))
    {
    }

    public TokenizerCopy(string json) => File.WriteAllText(Path, json);

    public string Path { get; } = System.IO.Path.GetTempFileName();

    public void Dispose() => File.Delete(Path);

    private static string Changed(Action<JsonNode> change)
    {
        JsonNode json = JsonNode.Parse(Original)!;
        change(json);
        return json.ToJsonString();
    }
}
