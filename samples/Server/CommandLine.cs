namespace HiggsAudio.Server;

/// <summary>Short names for the values of the configuration that one sets most.</summary>
internal static class CommandLine
{
    public const string Help = """
        Server: Higgs Audio v2 behind HTTP, compatible with OpenAI's API.

          dotnet run -c Release --project samples/Server

          --model DIR --codec DIR   the published weights; without them the nano voice speaks, which is part of the repository
          --format F                how weights are kept: float32, bfloat16, int8 or int4 (less memory, faster); as stored if not given
          --device NAME             cpu if not given; cuda:0 for an NVIDIA GPU
          --threads N               all cores if not given
          --voices DIR              a folder of voices; uploads are stored there
          --model-name NAME         the name under which the model is served
          --api-key KEY             a key that /v1 asks for (better: the environment variable HiggsAudio__ApiKeys__0)
          --concurrent N            requests that are computed together (16)
          --queue N                 requests that may wait (32); more are refused with 429
          --urls URLS               where to listen (http://127.0.0.1:8000)

        Everything else is in docs/serving.md; all values can also come from appsettings.json or the environment (HiggsAudio__Limits__Tokens=1024).
        """;

    private const string Section = ServerOptions.Section;

    public static Dictionary<string, string> Switches { get; } = new()
    {
        ["--model"] = $"{Section}:{nameof(ServerOptions.Model)}",
        ["--codec"] = $"{Section}:{nameof(ServerOptions.Codec)}",
        ["--format"] = $"{Section}:{nameof(ServerOptions.Format)}",
        ["--device"] = $"{Section}:{nameof(ServerOptions.Device)}",
        ["--threads"] = $"{Section}:{nameof(ServerOptions.Threads)}",
        ["--voices"] = $"{Section}:{nameof(ServerOptions.Voices)}",
        ["--model-name"] = $"{Section}:{nameof(ServerOptions.ModelName)}",
        ["--api-key"] = $"{Section}:{nameof(ServerOptions.ApiKeys)}:0",
        ["--concurrent"] = $"{Section}:{nameof(ServerOptions.Limits)}:{nameof(LimitOptions.ConcurrentRequests)}",
        ["--queue"] = $"{Section}:{nameof(ServerOptions.Limits)}:{nameof(LimitOptions.QueuedRequests)}",
    };
}
