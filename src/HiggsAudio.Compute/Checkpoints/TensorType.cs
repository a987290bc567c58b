namespace HiggsAudio.Compute.Checkpoints;

/// <summary>Element types that checkpoint files use.</summary>
public enum TensorType
{
    /// <summary>64-bit float.</summary>
    Float64,

    /// <summary>32-bit float.</summary>
    Float32,

    /// <summary>16-bit IEEE float.</summary>
    Float16,

    /// <summary>bfloat16.</summary>
    BFloat16,

    /// <summary>8-bit float, 4 exponent bits, no infinity (OCP E4M3FN).</summary>
    Float8E4M3,

    /// <summary>8-bit float, 5 exponent bits (OCP E5M2).</summary>
    Float8E5M2,

    /// <summary>64-bit integer.</summary>
    Int64,

    /// <summary>32-bit integer.</summary>
    Int32,

    /// <summary>16-bit integer.</summary>
    Int16,

    /// <summary>8-bit integer.</summary>
    Int8,

    /// <summary>64-bit unsigned integer.</summary>
    UInt64,

    /// <summary>32-bit unsigned integer.</summary>
    UInt32,

    /// <summary>16-bit unsigned integer.</summary>
    UInt16,

    /// <summary>8-bit unsigned integer.</summary>
    UInt8,

    /// <summary>One byte, 0 or 1.</summary>
    Boolean,
}
