using System.Net;
using System.Net.Http.Headers;
using NUnit.Framework;

namespace HiggsAudio.Server.Tests;

/// <summary>Keys, and pages of other sites.</summary>
internal sealed class AccessTests
{
    [Test]
    public async Task With_keys_v1_asks_for_one_and_the_rest_is_open()
    {
        await using RunningServer server = await RunningServer.StartAsync("HiggsAudio:ApiKeys:0=first-key", "HiggsAudio:ApiKeys:1=second-key");
        foreach ((string? header, HttpStatusCode expected) in new (string?, HttpStatusCode)[]
        {
            (null, HttpStatusCode.Unauthorized), ("Bearer wrong", HttpStatusCode.Unauthorized), ("Bearer ", HttpStatusCode.Unauthorized), ("Basic first-key", HttpStatusCode.Unauthorized),
            ("Bearer first-ke", HttpStatusCode.Unauthorized), ("Bearer first-key", HttpStatusCode.OK), ("bearer second-key", HttpStatusCode.OK),
        })
        {
            foreach (string path in new[] { "v1/models", "V1/audio/voices" })
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, path);
                if (header is not null)
                    request.Headers.TryAddWithoutValidation("Authorization", header);
                using HttpResponseMessage response = await server.Client.SendAsync(request);
                Assert.That(response.StatusCode, Is.EqualTo(expected), header);
                if (expected != HttpStatusCode.Unauthorized)
                    continue;
                Assert.That(response.Headers.WwwAuthenticate.Single(), Is.EqualTo(new AuthenticationHeaderValue("Bearer")));
                Assert.That((await RunningServer.ErrorAsync(response)).GetProperty("code").GetString(), Is.EqualTo("invalid_api_key"));
            }
        }
        foreach (string path in new[] { "", "health", "version", "metrics", "openapi/v1.json" })
            Assert.That((await server.Client.GetAsync(path)).StatusCode, Is.EqualTo(HttpStatusCode.OK), path);
    }

    [Test]
    public async Task Other_sites_may_ask_only_if_the_configuration_names_them()
    {
        await using RunningServer open = await RunningServer.StartAsync("HiggsAudio:CorsOrigins:0=https://example.org");
        foreach ((RunningServer server, bool allowed) in new[] { (SharedServer.Server, false), (open, true) })
        {
            using var preflight = new HttpRequestMessage(HttpMethod.Options, "v1/audio/speech");
            preflight.Headers.Add("Origin", "https://example.org");
            preflight.Headers.Add("Access-Control-Request-Method", "POST");
            preflight.Headers.Add("Access-Control-Request-Headers", "content-type,authorization");
            using HttpResponseMessage response = await server.Client.SendAsync(preflight);
            Assert.That(response.Headers.Contains("Access-Control-Allow-Origin"), Is.EqualTo(allowed));
        }
    }
}
