using HiggsAudio.Compute;
using HiggsAudio.Compute.Tests;
using NUnit.Framework;

namespace HiggsAudio.Cuda.Tests;

/// <summary>The contract of every backend, kept by the kernels on the emulated GPU.</summary>
public sealed class CudaBackendTests : BackendContract
{
    [OneTimeSetUp]
    public void Build() => EmulatedGpu.Require();

    protected override Device CreateDevice() => new CudaDevice(0, EmulatedGpu.Options) { Poison = true };
}
