using HiggsAudio.Server;
using Microsoft.Extensions.Options;

if (args.Contains("--help") || args.Contains("-h"))
{
    Console.WriteLine(CommandLine.Help);
    return 0;
}
try
{
    await using WebApplication app = ServerApp.Build(args);
    await app.RunAsync();
    return 0;
}
catch (Exception expected) when (expected is OptionsValidationException or IOException or ArgumentException or FormatException or InvalidOperationException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(expected.Message);
    return 1;
}
