using System.Runtime.CompilerServices;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Functions of single elements.</summary>
internal static class Activations
{
    public static void SwiGlu(CpuThreads threads, Matrix gate, Matrix up, Matrix y) => Elementwise.Run(threads, default(SwiGluFunction), gate, up, y);

    public static void Gelu(CpuThreads threads, Matrix x, Matrix y) => Elementwise.Run(threads, default(GeluFunction), x, x, y);

    public static void Elu(CpuThreads threads, Matrix x, Matrix y) => Elementwise.Run(threads, default(EluFunction), x, x, y);

    public static void Add(CpuThreads threads, Matrix x, Matrix y) => Elementwise.Run(threads, default(AddFunction), x, y, x);

    public static void Scale(CpuThreads threads, Matrix x, float factor) => Elementwise.Run(threads, new ScaleFunction(factor), x, x, x);

    public static void Copy(CpuThreads threads, Matrix x, Matrix y) => Elementwise.Run(threads, default(CopyFunction), x, x, y);

    private readonly struct SwiGluFunction : IElementFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply<TSimd, TVector>(TVector a, TVector b) where TSimd : struct, ISimd<TVector> where TVector : unmanaged =>
            TSimd.Multiply(VectorMath.Silu<TSimd, TVector>(a), b);
    }

    private readonly struct GeluFunction : IElementFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply<TSimd, TVector>(TVector a, TVector b) where TSimd : struct, ISimd<TVector> where TVector : unmanaged =>
            VectorMath.Gelu<TSimd, TVector>(a);
    }

    private readonly struct EluFunction : IElementFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply<TSimd, TVector>(TVector a, TVector b) where TSimd : struct, ISimd<TVector> where TVector : unmanaged =>
            VectorMath.Elu<TSimd, TVector>(a);
    }

    private readonly struct AddFunction : IElementFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply<TSimd, TVector>(TVector a, TVector b) where TSimd : struct, ISimd<TVector> where TVector : unmanaged => TSimd.Add(a, b);
    }

    private readonly struct ScaleFunction(float factor) : IElementFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply<TSimd, TVector>(TVector a, TVector b) where TSimd : struct, ISimd<TVector> where TVector : unmanaged =>
            TSimd.Multiply(a, TSimd.Broadcast(factor));
    }

    private readonly struct CopyFunction : IElementFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply<TSimd, TVector>(TVector a, TVector b) where TSimd : struct, ISimd<TVector> where TVector : unmanaged => a;
    }
}
