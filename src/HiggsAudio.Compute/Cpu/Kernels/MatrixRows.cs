namespace HiggsAudio.Compute.Cpu.Kernels;

internal static unsafe class MatrixRows
{
    /// <summary>Address of a row.</summary>
    public static float* Row(this Matrix x, int row) => (float*)x.Data + (nint)row * x.RowStride;
}
