using System.Collections.Concurrent;
using System.Globalization;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Compute;

/// <summary>
/// Devices by name: <c>cpu</c>, <c>cuda:0</c>. Kinds of devices come from other packages: <c>cuda</c> is found where the program has the package HiggsAudio.Cuda,
/// others are registered by <see cref="Register"/>. Thread-safe.
/// </summary>
public static class Devices
{
    private const string Cpu = "cpu", Cuda = "cuda";

    private static readonly ConcurrentDictionary<string, Func<int, int, Device>> Kinds = new(StringComparer.Ordinal) { [Cpu] = (_, threads) => new CpuDevice(threads) };

    /// <summary>Makes a kind of device known, or replaces it.</summary>
    /// <param name="kind">What the names begin with, such as <c>cuda</c>.</param>
    /// <param name="create">Makes a device: told its number, from 0, and the threads of the host that it may use, 0 for one per core.</param>
    public static void Register(string kind, Func<int, int, Device> create)
    {
        ArgumentException.ThrowIfNullOrEmpty(kind);
        ArgumentNullException.ThrowIfNull(create);
        if (kind.Contains(':', StringComparison.Ordinal))
            throw new ArgumentException($"A kind of device has no ':', found '{kind}'.", nameof(kind));
        Kinds[kind] = create;
    }

    /// <summary>Makes a device; the caller disposes it.</summary>
    /// <param name="name">A kind, and perhaps a number: <c>cpu</c>, <c>cuda</c> (the first), <c>cuda:1</c>.</param>
    /// <param name="threads">Threads of the host that it may use; 0 for one per core.</param>
    /// <exception cref="ArgumentException">The name is no kind and number.</exception>
    /// <exception cref="NotSupportedException">The kind is not known: a package is missing.</exception>
    public static Device Create(string name, int threads = 0)
    {
        (string kind, int number) = Parse(name);
        if (!Kinds.TryGetValue(kind, out Func<int, int, Device>? create))
        {
            if (kind == Cuda)
                RegisterCuda();
            if (!Kinds.TryGetValue(kind, out create))
                throw new NotSupportedException(kind == Cuda
                    ? $"'{name}' needs the package HiggsAudio.Cuda, which this program does not have: dotnet add package HiggsAudio.Cuda"
                    : $"There is no kind of device '{kind}'; known: {string.Join(", ", Kinds.Keys.Order(StringComparer.Ordinal))}. Others are made known by {nameof(Devices)}.{nameof(Register)}.");
        }
        return create(number, threads);
    }

    /// <summary>Whether a name is well formed; it says nothing about whether there is such a device.</summary>
    public static bool IsName(string? name) => name is not null && TryParse(name, out _, out _);

    private static (string Kind, int Number) Parse(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return TryParse(name, out string kind, out int number)
            ? (kind, number)
            : throw new ArgumentException($"A device is named by its kind, or its kind and number (cpu, cuda:0); found '{name}'.", nameof(name));
    }

    private static bool TryParse(string name, out string kind, out int number)
    {
        int colon = name.IndexOf(':', StringComparison.Ordinal);
        (kind, number) = (colon < 0 ? name : name[..colon], 0);
        return kind.Length > 0 && kind.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')
            && (colon < 0 || int.TryParse(name.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out number));
    }

    // Both names are constants, by which trimming and Native AOT keep the method of a program that has the package.
    private static void RegisterCuda() =>
        Type.GetType("HiggsAudio.Cuda.CudaDevices, HiggsAudio.Cuda", throwOnError: false)?.GetMethod("Register", [])?.Invoke(null, null);
}
