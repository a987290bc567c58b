using HiggsAudio.Compute;

namespace HiggsAudio.Cuda;

/// <summary>Makes <c>cuda:0</c>, <c>cuda:1</c> … names of devices (<see cref="Devices.Create"/>, <c>EngineOptions.Device</c>).</summary>
public static class CudaDevices
{
    /// <summary>The kind of device that the names begin with.</summary>
    public const string Kind = "cuda";

    /// <summary>Registers GPUs with the usual options. Called by itself when the name of one is first used.</summary>
    public static void Register() => Register(new CudaOptions());

    /// <summary>Registers GPUs.</summary>
    /// <param name="options">How they are used from now on.</param>
    public static void Register(CudaOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Devices.Register(Kind, (ordinal, threads) => new CudaDevice(ordinal, options, threads));
    }
}
