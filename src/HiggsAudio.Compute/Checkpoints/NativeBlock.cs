using System.Runtime.InteropServices;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>Memory outside the garbage collector's, freed with its handle.</summary>
internal sealed unsafe class NativeBlock : SafeHandle
{
    public NativeBlock(long length) : base(0, ownsHandle: true) => SetHandle((nint)NativeMemory.AlignedAlloc((nuint)length, 64));

    public nint Address => handle;

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }
}
