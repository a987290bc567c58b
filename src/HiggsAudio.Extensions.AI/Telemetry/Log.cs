using Microsoft.Extensions.Logging;

namespace HiggsAudio.Extensions.AI.Telemetry;

/// <summary>What is logged. Texts and sound of callers are not.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Loading {Model}.")]
    public static partial void Loading(ILogger logger, string model);

    [LoggerMessage(2, LogLevel.Information, "Loaded {Model} in {Seconds:0.0} s.")]
    public static partial void Loaded(ILogger logger, string model, double seconds);

    [LoggerMessage(3, LogLevel.Error, "{Model} could not be loaded.")]
    public static partial void LoadingFailed(ILogger logger, string model, Exception problem);

    [LoggerMessage(4, LogLevel.Debug, "Call {Id}: {SoundSeconds:0.00} s of sound in {Seconds:0.00} s, ended with {FinishReason}.")]
    public static partial void Spoke(ILogger logger, string id, double soundSeconds, double seconds, FinishReason finishReason);

    [LoggerMessage(5, LogLevel.Debug, "Call {Id} was cancelled.")]
    public static partial void CallCancelled(ILogger logger, string id);

    [LoggerMessage(6, LogLevel.Warning, "Call {Id} failed.")]
    public static partial void CallFailed(ILogger logger, string id, Exception problem);

    [LoggerMessage(7, LogLevel.Information, "{Uri}: attempt {Attempt} failed ({Reason}), again in {Seconds:0.0} s.")]
    public static partial void Retrying(ILogger logger, Uri uri, int attempt, string reason, double seconds);
}
