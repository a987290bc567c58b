using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NUnit.Framework;

namespace HiggsAudio.Server.Tests;

internal sealed class StatusTests
{
    private static RunningServer Server => SharedServer.Server;

    [Test]
    public async Task It_says_what_it_is_and_how_it_is()
    {
        JsonElement model = JsonElement.Parse(await Server.Client.GetStringAsync("v1/models")).GetProperty("data")[0];
        string id = model.GetProperty("id").GetString()!;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(id, Is.EqualTo("higgs-audio-nano"));
            Assert.That(model.GetProperty("sampling_rate").GetInt32(), Is.EqualTo(24000));
            Assert.That(await Server.Client.GetStringAsync($"v1/models/{id}"), Does.Contain(id));
            Assert.That(await Server.Client.GetStringAsync("health"), Does.Contain("\"ok\""));
            Assert.That(await Server.Client.GetStringAsync("version"), Does.Match("\"[0-9]+\\.[0-9]+\\.[0-9]+\""));
        }
        using HttpResponseMessage unknown = await Server.Client.GetAsync("v1/models/gpt-7");
        Assert.That(unknown.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        await RunningServer.ErrorAsync(unknown);
    }

    [Test]
    public async Task Metrics_are_in_the_format_of_Prometheus_and_count()
    {
        double before = Value(await Server.Client.GetStringAsync("metrics"), "higgs_audio_requests_total{endpoint=\"speech\",outcome=\"ok\"}");
        using (await Server.PostAsync("v1/audio/speech", """{"input":"Thank you."}"""))
        {
        }
        using HttpResponseMessage response = await Server.Client.GetAsync("metrics");
        string text = await response.Content.ReadAsStringAsync();
        Assert.That(response.Content.Headers.ContentType!.ToString(), Is.EqualTo("text/plain; version=0.0.4; charset=utf-8"));
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Assert.That(line, Does.Match("""^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.E+-]+)$"""));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Value(text, "higgs_audio_requests_total{endpoint=\"speech\",outcome=\"ok\"}"), Is.EqualTo(before + 1));
            Assert.That(Value(text, "higgs_audio_audio_seconds_total"), Is.GreaterThan(0));
            Assert.That(Value(text, "higgs_audio_time_to_first_audio_seconds_count{endpoint=\"speech\"}"), Is.GreaterThan(0));
            Assert.That(Value(text, "higgs_audio_tokens_total{kind=\"completion\"}"), Is.GreaterThan(0));
            Assert.That(text, Does.Contain("higgs_audio_requests_queued 0"));
        }
    }

    [Test]
    public async Task The_OpenAPI_document_has_every_endpoint_and_no_other()
    {
        JsonElement document = JsonElement.Parse(await Server.Client.GetStringAsync("openapi/v1.json"));
        IEnumerable<string> described = from path in document.GetProperty("paths").EnumerateObject()
                                        from method in path.Value.EnumerateObject()
                                        select $"{method.Name.ToUpperInvariant()} {path.Name}";
        IEnumerable<string> mapped = from endpoint in Server.App.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
                                     where endpoint.Metadata.GetMetadata<IEndpointNameMetadata>() is not null
                                     from method in endpoint.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods
                                     select $"{method} {endpoint.RoutePattern.RawText!.Replace("{*", "{", StringComparison.Ordinal)}";
        Assert.That(described, Is.EquivalentTo(mapped));
        JsonElement schemas = document.GetProperty("components").GetProperty("schemas");
        Assert.That(schemas.GetProperty("SpeechRequest").GetProperty("properties").EnumerateObject().Select(member => member.Name), Is.SupersetOf(new[] { "input", "voice", "top_p", "stream_format" }));
        Assert.That(schemas.GetProperty("SpeechRequest").GetProperty("required")[0].GetString(), Is.EqualTo("input"));
        Assert.That(schemas.GetProperty("ChatContent").GetProperty("anyOf").GetArrayLength(), Is.EqualTo(2));
    }

    [TestCase("GET", "nothing/here", HttpStatusCode.NotFound)]
    [TestCase("GET", "v1/audio/speech", HttpStatusCode.MethodNotAllowed)]
    [TestCase("PUT", "v1/models", HttpStatusCode.MethodNotAllowed)]
    public async Task What_is_not_there_is_an_error_of_the_same_shape(string method, string path, HttpStatusCode expected)
    {
        using HttpResponseMessage response = await Server.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
        Assert.That(response.StatusCode, Is.EqualTo(expected));
        await RunningServer.ErrorAsync(response);
    }

    [TestCase("HiggsAudio:Limits:ConcurrentRequests=0", "ConcurrentRequests")]
    [TestCase("HiggsAudio:Model=/nowhere", "Model")]
    [TestCase("HiggsAudio:CorsOrigins:0=example", "CorsOrigins")]
    [TestCase("HiggsAudio:ApiKeys:0= ", "ApiKeys")]
    public void A_configuration_that_makes_no_sense_is_refused_at_start(string setting, string named) =>
        Assert.That(() => ServerApp.Build([$"--{setting}", "--Urls=http://127.0.0.1:0"]), Throws.InstanceOf<OptionsValidationException>().With.Message.Contains(named));

    [Test]
    public void Short_switches_are_values_of_the_configuration()
    {
        Type[] types = [typeof(ServerOptions), typeof(LimitOptions)];
        foreach ((string name, string key) in CommandLine.Switches)
        {
            Assert.That(CommandLine.Help.Contains(name + " ", StringComparison.Ordinal), Is.True, name);
            string property = key.Split(':').Last(part => !char.IsDigit(part[0]));
            Assert.That(types.Any(type => type.GetProperty(property) is not null), key);
        }
    }

    private static double Value(string text, string series) =>
        Regex.Match(text, "^" + Regex.Escape(series) + " (.+)$", RegexOptions.Multiline) is { Success: true } match
            ? double.Parse(match.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture) : 0;
}
