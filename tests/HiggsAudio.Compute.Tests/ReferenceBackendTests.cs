using HiggsAudio.Testing;

namespace HiggsAudio.Compute.Tests;

/// <summary>The reference keeps the contract too, and gives what the definitions give by hand.</summary>
public sealed class ReferenceBackendTests : BackendContract
{
    protected override Device CreateDevice() => new ReferenceDevice();
}
