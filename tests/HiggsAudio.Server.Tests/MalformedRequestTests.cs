using System.Net;
using NUnit.Framework;

namespace HiggsAudio.Server.Tests;

/// <summary>Ten thousand requests that are wrong in ways drawn from a fixed seed: each is refused with a 4xx and an error in JSON, and nothing breaks.</summary>
[NonParallelizable]
internal sealed class MalformedRequestTests
{
    private const int Requests = 10_000, AtOnce = 8;

    [Test]
    public async Task Every_one_is_refused_and_the_server_goes_on()
    {
        await using RunningServer server = await RunningServer.StartAsync($"HiggsAudio:Limits:BodyBytes={MalformedRequests.BodyLimit}");
        var counts = new int[MalformedRequests.Kinds];
        await Parallel.ForAsync(0, Requests, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, cancellationToken) =>
        {
            var random = new Random(i);
            int kind = i % MalformedRequests.Kinds;
            using HttpRequestMessage request = MalformedRequests.Make(kind, random);
            string described = $"request {i} of kind {kind}: {request.Method} {request.RequestUri}";
            using HttpResponseMessage response = await server.Client.SendAsync(request, cancellationToken);
            Assert.That((int)response.StatusCode, Is.InRange(400, 499), () => $"{described} {string.Join('\n', server.Errors)}");
            Assert.That(response.StatusCode, Is.Not.EqualTo(HttpStatusCode.TooManyRequests), described);
            await RunningServer.ErrorAsync(response, described);
            Interlocked.Increment(ref counts[kind]);
        });
        using HttpResponseMessage good = await server.PostAsync("v1/audio/speech", """{"input":"Thank you."}""");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(counts, Is.All.GreaterThan(500));
            Assert.That(server.Errors, Is.Empty);
            Assert.That(good.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(Directory.GetFiles(server.VoiceFolder), Is.Empty);
        }
    }
}
