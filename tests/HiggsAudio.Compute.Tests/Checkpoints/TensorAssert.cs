using HiggsAudio.Compute.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests.Checkpoints;

internal static class TensorAssert
{
    /// <summary>Same type, shape and bytes.</summary>
    public static void AreEqual(CheckpointTensor actual, CheckpointTensor expected)
    {
        Assert.That(actual.Type, Is.EqualTo(expected.Type), expected.Name);
        Assert.That(actual.Shape.ToArray(), Is.EqualTo(expected.Shape.ToArray()), expected.Name);
        Assert.That(actual.Bytes(0, (int)actual.ByteLength).SequenceEqual(expected.Bytes(0, (int)expected.ByteLength)), expected.Name);
    }
}
