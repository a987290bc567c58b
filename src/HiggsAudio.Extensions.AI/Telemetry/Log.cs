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
}
