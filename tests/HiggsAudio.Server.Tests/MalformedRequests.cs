using System.Globalization;
using System.Net.Http.Headers;
using System.Text;

namespace HiggsAudio.Server.Tests;

/// <summary>Makes requests that no server may accept.</summary>
internal static class MalformedRequests
{
    /// <summary>The limit of a body in the server that they are for.</summary>
    public const int BodyLimit = 32 << 10;

    private const string Speech = "v1/audio/speech", Chat = "v1/chat/completions", Voices = "v1/audio/voices";

    private static readonly Func<Random, HttpRequestMessage>[] Makers =
    [
        Truncated, WrongType, HugeNumber, OutOfRange, DeepNesting, BadBase64, BadRecording, VoicePath, DeletedPath, OversizedBody, RandomBytes, BrokenText, WrongContentType,
        WrongPath, BrokenForm, UploadedPath, Missing,
    ];

    private static readonly string[] Tricks =
    [
        "../../etc/passwd", "..", "/etc/passwd", "C:\\Windows\\win.ini", "\\\\server\\share", "a/../b", ".hidden", "file:///etc/passwd", "voice.voice", "x.wav", "nul", "con", "a\u0000b",
        "%2e%2e%2f", "..\\..", "~root", "$(id)", "a\nb", "config.json", "feminine.voice", "./feminine", "feminine/", "🙂", "a b", "aux.txt",
    ];

    // What has no place in a path at all is refused by Kestrel, below HTTP's contents and so without JSON.
    private static readonly string[] NamesInPaths = [.. Tricks.Where(trick => !trick.Contains('\0', StringComparison.Ordinal))];

    public static int Kinds => Makers.Length;

    public static HttpRequestMessage Make(int kind, Random random) => Makers[kind](random);

    private static HttpRequestMessage Truncated(Random random)
    {
        string whole = Pick(random, """{"input":"hello","voice":"feminine","temperature":0.5}""", """{"messages":[{"role":"user","content":"hello"}],"modalities":["audio"]}""");
        return Json(whole.Contains("input", StringComparison.Ordinal) ? Speech : Chat, whole[..random.Next(whole.Length)]);
    }

    private static HttpRequestMessage WrongType(Random random)
    {
        string member = Pick(random, "input", "voice", "temperature", "top_k", "seed", "stream", "max_tokens", "response_format", "speed", "ref_audio");
        string value = Pick(random, "[]", "{}", "[1,2]", "{\"a\":1}", "[[\"hello\"]]", "{\"input\":\"hello\"}");
        return Json(Speech, $$"""{"input":"hello","{{member}}":{{value}}}""");
    }

    private static HttpRequestMessage HugeNumber(Random random)
    {
        string number = Pick(random, "1e999", "-1e999", "99999999999999999999999999", "1" + new string('0', random.Next(30, 5000)), "2147483648", "-2147483649", "1.5e308");
        string member = Pick(random, "top_k", "max_tokens", "audio_chunk_size", "max_new_tokens");
        return Json(Speech, $$"""{"input":"hello","{{member}}":{{number}}}""");
    }

    private static HttpRequestMessage OutOfRange(Random random)
    {
        string member = Pick(random, "temperature", "top_p", "top_k", "max_tokens", "speed", "audio_chunk_size");
        return Json(Speech, $$"""{"input":"hello","{{member}}":{{(-2 - random.Next(1_000_000)).ToString(CultureInfo.InvariantCulture)}}}""");
    }

    private static HttpRequestMessage DeepNesting(Random random)
    {
        int depth = random.Next(33, 8000);
        (string open, string close) = random.Next(2) == 0 ? ("[", "]") : ("{\"a\":", "}");
        string nested = string.Concat(Enumerable.Repeat(open, depth / open.Length + 33)) + "1" + string.Concat(Enumerable.Repeat(close, depth / open.Length + 33));
        return Json(Pick(random, Speech, Chat), $$"""{"input":"hello","messages":[{"role":"user","content":"a"}],"x":{{nested}}}""");
    }

    private static HttpRequestMessage BadBase64(Random random)
    {
        string data = Pick(random, "?", "AAA", "====", "A", "AAAA AAAA!", "data:", "\\u0000", "UklGRg=", "-_-_");
        return random.Next(2) == 0
            ? Json(Speech, $$"""{"input":"hello","ref_text":"a","ref_audio":"data:audio/wav;base64,{{data}}"}""")
            : Json(Chat, $$$"""{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"{{{data}}}","format":"wav"}}]}]}""");
    }

    // A header with values that lie, then anything.
    private static HttpRequestMessage BadRecording(Random random)
    {
        var bytes = new byte[random.Next(12, 3000)];
        random.NextBytes(bytes);
        Encoding.ASCII.GetBytes("RIFF").CopyTo(bytes, 0);
        Encoding.ASCII.GetBytes("WAVE").CopyTo(bytes, 8);
        if (bytes.Length > 60 && random.Next(2) == 0)
        {
            byte[] format = [.. "fmt "u8, 16, 0, 0, 0, (byte)random.Next(2, 255), 9, 1, 0];   // a format that there is not
            format.CopyTo(bytes, 12);
        }
        string data = Convert.ToBase64String(bytes);
        return random.Next(2) == 0
            ? Json(Speech, $$"""{"input":"hello","ref_text":"a","ref_audio":"data:audio/wav;base64,{{data}}"}""")
            : Json(Chat, $$$"""{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"{{{data}}}","format":"wav"}}]}]}""");
    }

    private static HttpRequestMessage VoicePath(Random random)
    {
        string voice = System.Text.Json.JsonEncodedText.Encode(Pick(random, Tricks)).ToString();
        return random.Next(2) == 0
            ? Json(Speech, $$"""{"input":"hello","voice":"{{voice}}"}""")
            : Json(Chat, $$$"""{"messages":[{"role":"user","content":"a"}],"modalities":["audio"],"audio":{"voice":"{{{voice}}}"}}""");
    }

    private static HttpRequestMessage DeletedPath(Random random) => new(HttpMethod.Delete, $"{Voices}/{Uri.EscapeDataString(Pick(random, NamesInPaths))}");

    private static HttpRequestMessage OversizedBody(Random random)
    {
        string body = $$"""{"input":"{{new string('a', BodyLimit + random.Next(1, BodyLimit))}}"}""";
        HttpRequestMessage request = Json(Pick(random, Speech, Chat), body);
        request.Headers.ExpectContinue = true;   // the server answers before the body is sent
        return request;
    }

    private static HttpRequestMessage RandomBytes(Random random)
    {
        var bytes = new byte[random.Next(1, 2000)];
        random.NextBytes(bytes);
        bytes[0] = (byte)random.Next(0x80, 0x100);   // no JSON begins so
        return Body(Pick(random, Speech, Chat), bytes, "application/json");
    }

    // Text that is no UTF-8, or half of a character.
    private static HttpRequestMessage BrokenText(Random random) => random.Next(2) == 0
        ? Json(Speech, $$"""{"input":"a {{Pick(random, "\\ud800", "\\udc00", "\\ud800\\ud800", "\\x", "\\u12")}} b"}""")
        : Body(Speech, [.. "{\"input\":\""u8, .. Pick(random, new byte[] { 0xC3, 0x28 }, [0xFF, 0xFE], [0xED, 0xA0, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xC0, 0xAF]), .. "\"}"u8], "application/json");

    private static HttpRequestMessage WrongContentType(Random random) =>
        Body(Pick(random, Speech, Chat, Voices), """{"input":"hello","messages":[{"role":"user","content":"a"}]}"""u8.ToArray(),
            Pick(random, "text/plain", "application/xml", "application/octet-stream", "image/png", "application/x-www-form-urlencoded", null));

    private static HttpRequestMessage WrongPath(Random random) => new(new HttpMethod(Pick(random, "GET", "PUT", "PATCH", "DELETE", "TRACE")),
        Pick(random, Speech, Chat, "v1/audio", "v2/audio/speech", "v1/audio/voices/a/b", "wwwroot/app.js", "..%2fappsettings.json", ".git/config", "appsettings.json", "v1//models"));

    private static HttpRequestMessage BrokenForm(Random random)
    {
        byte[] body = Encoding.UTF8.GetBytes(Pick(random, "", "--", "--x\r\n", "--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--", "no form at all", "--x\r\n" + new string('a', 20_000),
            "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n" + new string('n', 10_000) + "\r\n--x--\r\n"));
        return Body(Voices, body, Pick(random, "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x", $"multipart/form-data; boundary={new string('b', 500)}"));
    }

    private static HttpRequestMessage UploadedPath(Random random)
    {
        var recording = new MemoryStream();
        new Waveform(new float[2400], 24000).SaveWav(recording);
        return new HttpRequestMessage(HttpMethod.Post, Voices)
        {
            Content = new MultipartFormDataContent
            {
                { new ByteArrayContent(recording.ToArray()), "audio_sample", Pick(random, "a.wav", "../a.wav", "/etc/passwd") },
                { new StringContent(Pick(random, [.. Tricks, "feminine", "alloy", new string('a', 65)])), "name" },
                { new StringContent("a"), "ref_text" },
                { new StringContent("yes"), "consent" },
            },
        };
    }

    private static HttpRequestMessage Missing(Random random) => random.Next(2) == 0
        ? Json(Speech, Pick(random, "{}", "null", "[]", "1", "\"input\"", "true", """{"input":null}""", """{"input":""}""", """{"input":"\n\t "}""", """{"input":"你好，世界"}""", """{"input":"…!?"}"""))
        : Json(Chat, Pick(random, "{}", "null", "[]", """{"messages":{}}""", """{"messages":[]}""", """{"messages":[{}]}""", """{"messages":[{"role":"user","content":[]}]}""", """{"messages":[[]]}"""));

    private static HttpRequestMessage Json(string path, string body) => Body(path, Encoding.UTF8.GetBytes(body), "application/json");

    private static HttpRequestMessage Body(string path, byte[] body, string? type)
    {
        var content = new ByteArrayContent(body);
        if (type is not null && MediaTypeHeaderValue.TryParse(type, out _))
            content.Headers.TryAddWithoutValidation("Content-Type", type);
        return new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
    }

    private static T Pick<T>(Random random, params T[] choices) => choices[random.Next(choices.Length)];
}
