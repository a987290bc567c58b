using System.Diagnostics;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Cuda.Tests;

/// <summary>That the emulated GPU finds what it is to find, and that the kernels are CUDA for a real compiler.</summary>
internal sealed class EmulatorTests
{
    [SetUp]
    public void Build() => EmulatedGpu.Require();

    [Test]
    public void The_emulated_gpu_keeps_its_own_rules()
    {
        (int code, string output) = Run(Path.Combine(EmulatedGpu.Folder, "selftest"));
        Assert.That(code, Is.Zero, output);
        Assert.That(output, Does.Contain("checks"));
    }

    [Test]
    public void The_kernels_compile_to_PTX()
    {
        const int NoCompiler = 77;
        string folder = Directory.CreateTempSubdirectory("ptx").FullName;
        try
        {
            (int code, string output) = Run("/bin/sh", Path.Combine(AppContext.BaseDirectory, "Emulator", "ptx.sh"), Path.Combine(Golden.Repository, "src", "HiggsAudio.Cuda", "Kernels"), folder);
            if (code == NoCompiler)
                Assert.Ignore("clang is not installed: the kernels are not compiled to PTX.");
            Assert.That(code, Is.Zero, output);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static (int Code, string Output) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        process.WaitForExit();
        return (process.ExitCode, output.Result + errors.Result);
    }
}
