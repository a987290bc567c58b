using HiggsAudio.Compute.Cpu;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

[TestFixture(1)]
[TestFixture(3)]
public sealed class CpuBackendTests(int threads) : BackendContract
{
    static CpuBackendTests() => CpuArena.Poison = true;

    protected override Device CreateDevice() => new CpuDevice(threads);
}
