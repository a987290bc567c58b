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
        public TVector Apply<TLanes, TVector>(TVector a, TVector b) where TLanes : struct, ILanes<TVector> where TVector : unmanaged =>
            TLanes.Multiply(VectorMath.Silu<TLanes, TVector>(a), b);
    }

    private readonly struct GeluFunction : IElementFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply<TLanes, TVector>(TVector a, TVector b) where TLanes : struct, ILanes<TVector> where TVector : unmanaged =>
            VectorMath.Gelu<TLanes, TVector>(a);
    }

    private readonly struct EluFunction : IElementFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply<TLanes, TVector>(TVector a, TVector b) where TLanes : struct, ILanes<TVector> where TVector : unmanaged =>
            VectorMath.Elu<TLanes, TVector>(a);
    }

    private readonly struct AddFunction : IElementFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply<TLanes, TVector>(TVector a, TVector b) where TLanes : struct, ILanes<TVector> where TVector : unmanaged => TLanes.Add(a, b);
    }

    private readonly struct ScaleFunction(float factor) : IElementFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply<TLanes, TVector>(TVector a, TVector b) where TLanes : struct, ILanes<TVector> where TVector : unmanaged =>
            TLanes.Multiply(a, TLanes.Create(factor));
    }

    private readonly struct CopyFunction : IElementFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Apply<TLanes, TVector>(TVector a, TVector b) where TLanes : struct, ILanes<TVector> where TVector : unmanaged => a;
    }
}
