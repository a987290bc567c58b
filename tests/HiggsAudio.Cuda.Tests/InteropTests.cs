using HiggsAudio.Compute;
using NUnit.Framework;

namespace HiggsAudio.Cuda.Tests;

/// <summary>What is said when something is missing or fails.</summary>
[NonParallelizable]
internal sealed class InteropTests
{
    [SetUp]
    public void Build() => EmulatedGpu.Require();

    [TearDown]
    public void Reset() => EmulatedGpu.Reset();

    [Test]
    public void A_missing_driver_is_named_with_where_it_was_looked_for_and_how_to_get_it()
    {
        CudaOptions options = EmulatedGpu.Options with { DriverLibrary = "/nowhere/libcuda.so.1" };
        CudaNotFoundException problem = Assert.Throws<CudaNotFoundException>(() => _ = new CudaDevice(0, options))!;
        Assert.That(problem.Message, Does.Contain("driver").And.Contain("/nowhere/libcuda.so.1").And.Contain("HIGGS_AUDIO_CUDA_DRIVER"));
    }

    [Test]
    public void A_missing_compiler_is_named_likewise()
    {
        CudaOptions options = EmulatedGpu.Options with { NvrtcLibrary = "/nowhere/libnvrtc.so.12" };
        CudaNotFoundException problem = Assert.Throws<CudaNotFoundException>(() => _ = new CudaDevice(0, options))!;
        Assert.That(problem.Message, Does.Contain("NVRTC").And.Contain("/nowhere/libnvrtc.so.12").And.Contain("nvidia-cuda-nvrtc"));
    }

    [Test]
    public void The_compiler_is_looked_for_in_the_folders_that_are_given()
    {
        CudaOptions options = EmulatedGpu.Options with { NvrtcLibrary = null, LibraryFolders = ["/nowhere", EmulatedGpu.Folder] };
        using var device = new CudaDevice(0, options);
        Assert.That(device.Name, Is.EqualTo("cuda:0"));
    }

    [Test]
    public void A_library_without_a_function_is_too_old()
    {
        CudaOptions options = EmulatedGpu.Options with { DriverLibrary = EmulatedGpu.NvrtcLibrary };
        CudaNotFoundException problem = Assert.Throws<CudaNotFoundException>(() => _ = new CudaDevice(0, options))!;
        Assert.That(problem.Message, Does.Contain("cuInit").And.Contain("too old"));
    }

    [Test]
    public void A_gpu_that_is_not_there_is_refused()
    {
        CudaNotFoundException problem = Assert.Throws<CudaNotFoundException>(() => _ = new CudaDevice(7, EmulatedGpu.Options))!;
        Assert.That(problem.Message, Does.Contain("cuda:7"));
        EmulatedGpu.Fail("cuInit", 100);
        problem = Assert.Throws<CudaNotFoundException>(() => _ = new CudaDevice(0, EmulatedGpu.Options))!;
        Assert.That(problem.Message, Does.Contain("CUDA_ERROR_NO_DEVICE"));
    }

    [Test]
    public void A_gpu_that_is_too_old_is_refused()
    {
        EmulatedGpu.SetDevice(1, 20, 7, 5);
        CudaNotFoundException problem = Assert.Throws<CudaNotFoundException>(() => _ = new CudaDevice(0, EmulatedGpu.Options))!;
        Assert.That(problem.Message, Does.Contain("7.5").And.Contain("8.0"));
    }

    [TestCase("cuLaunchKernel", 1, "CUDA_ERROR_INVALID_VALUE")]
    [TestCase("cuStreamSynchronize", 700, "CUDA_ERROR_ILLEGAL_ADDRESS")]
    [TestCase("cuMemcpyDtoHAsync_v2", 719, "CUDA_ERROR_LAUNCH_FAILED")]
    public void A_call_that_fails_throws_with_its_name_and_the_drivers_words(string function, int code, string name)
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        using Backend lane = device.CreateLane();
        Matrix x = lane.Upload([1, 2, 3], 1, 3);
        lane.Scale(x, 2);
        EmulatedGpu.Fail(function, code);
        CudaException problem = Assert.Throws<CudaException>(() => lane.Read(x))!;
        EmulatedGpu.Fail(function, 0);
        Assert.That(function, Does.StartWith(problem.Function));
        Assert.That(problem.Code, Is.EqualTo(code));
        Assert.That(problem.Message, Does.Contain(name));
    }

    [Test]
    public void What_a_device_held_when_it_was_not_made_is_given_back()
    {
        int contexts = EmulatedGpu.Contexts, objects = EmulatedGpu.Objects;
        EmulatedGpu.Fail("cuStreamCreate", 999);
        using (var device = new CudaDevice(0, EmulatedGpu.Options))
            Assert.Throws<CudaException>(() => device.CreateLane());
        Assert.That((EmulatedGpu.Contexts, EmulatedGpu.Objects), Is.EqualTo((contexts, objects)));
    }
}
