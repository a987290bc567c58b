using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>What an engine holds when nothing runs.</summary>
internal static class Idle
{
    /// <summary>Waits for the requests to be gone and checks that nothing is left of them.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="bytes">Bytes of caches that may be left.</param>
    public static async Task AssertAsync(HiggsAudioServeEngine engine, long bytes = 0)
    {
        // A request's memory is freed a moment after its reader has seen the end.
        for (int i = 0; i < 2000 && (engine.ActiveRequests > 0 || engine.WaitingRequests > 0 || engine.NativeKvCacheBytes != bytes); i++)
            await Task.Delay(5);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(engine.ActiveRequests, Is.Zero);
            Assert.That(engine.WaitingRequests, Is.Zero);
            Assert.That(engine.KvCacheBytesInUse, Is.Zero);
            Assert.That(engine.NativeKvCacheBytes, Is.EqualTo(bytes));
        }
    }
}
