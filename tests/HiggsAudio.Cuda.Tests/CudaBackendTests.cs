using HiggsAudio.Compute;
using HiggsAudio.Compute.Tests;
using NUnit.Framework;

namespace HiggsAudio.Cuda.Tests;

/// <summary>The contract of every backend, kept by the kernels on the emulated GPU.</summary>
[TestFixture(true)]
[TestFixture(false)]
public sealed class CudaBackendTests(bool useGraphs) : BackendContract
{
    static CudaBackendTests() => CudaBackend.Poison = true;

    [OneTimeSetUp]
    public void Build() => EmulatedGpu.Require();

    protected override Device CreateDevice() => new CudaDevice(0, EmulatedGpu.Options with { UseGraphs = useGraphs });
}
