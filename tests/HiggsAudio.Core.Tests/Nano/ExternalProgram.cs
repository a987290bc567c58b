using System.Diagnostics;

namespace HiggsAudio.Core.Tests.Nano;

/// <summary>Programs that a test needs and a machine may lack.</summary>
internal static class ExternalProgram
{
    public static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => folder.Length > 0 && File.Exists(Path.Combine(folder, program)));

    /// <summary>Runs it to its end and returns what it printed.</summary>
    public static string Run(string program, string folder, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> problem = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} failed: {problem.Result}");
    }

    /// <summary>Works in a folder that is deleted afterwards.</summary>
    public static T InFolder<T>(Func<string, T> work)
    {
        string folder = Directory.CreateTempSubdirectory("higgs-audio-test").FullName;
        try
        {
            return work(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
