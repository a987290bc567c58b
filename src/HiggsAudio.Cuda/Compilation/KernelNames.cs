using HiggsAudio.Compute;

namespace HiggsAudio.Cuda.Compilation;

/// <summary>The kernels; what they expect is said in their sources.</summary>
internal static class KernelNames
{
    public static KernelName Zero { get; } = new("elementwise", "zero");
    public static KernelName Copy { get; } = new("elementwise", "copy");
    public static KernelName Add { get; } = new("elementwise", "add");
    public static KernelName Scale { get; } = new("elementwise", "scale");
    public static KernelName SwiGlu { get; } = new("elementwise", "swiglu");
    public static KernelName Gelu { get; } = new("elementwise", "gelu");
    public static KernelName Elu { get; } = new("elementwise", "elu");
    public static KernelName Snake { get; } = new("elementwise", "snake");
    public static ByFormat Embed { get; } = new("tables", "embed_");
    public static ByFormat EmbedSum { get; } = new("tables", "embed_sum_");
    public static KernelName TakeRows { get; } = new("tables", "take_rows");
    public static ByFormat NearestRow { get; } = new("nearest", "nearest_row_");
    public static KernelName RmsNorm { get; } = new("norms", "rms_norm");
    public static KernelName AddRmsNorm { get; } = new("norms", "add_rms_norm");
    public static KernelName LayerNorm { get; } = new("norms", "layer_norm");
    public static KernelName GroupNormSums { get; } = new("groupnorm", "group_norm_sums");
    public static KernelName GroupNormJoin { get; } = new("groupnorm", "group_norm_join");
    public static KernelName GroupNormApply { get; } = new("groupnorm", "group_norm_apply");
    public static ByFormat LinearFew { get; } = new("linear", "linear_", "_n8");
    public static ByFormat LinearMany { get; } = new("linear", "linear_", "_n32");
    public static ByFormat LinearTogether { get; } = new("linear", "linear3_");
    public static ByFormat LinearGated { get; } = new("linear", "linear_gated_");
    public static ByFormat ConvolutionFew { get; } = new("convolution", "conv_", "_n8");
    public static ByFormat ConvolutionMany { get; } = new("convolution", "conv_", "_n32");
    public static ByFormat Convolution32 { get; } = new("convolution", "conv_", "_m32");
    public static ByFormat Convolution16 { get; } = new("convolution", "conv_", "_m16");
    public static ByFormat QuantizedFew { get; } = new("quantized", "linear_", "_n8");
    public static ByFormat QuantizedMany { get; } = new("quantized", "linear_", "_n32");
    public static ByFormat QuantizedTogether { get; } = new("quantized", "linear3_");
    public static ByFormat QuantizedGated { get; } = new("quantized", "linear_gated_");
    public static KernelName QuantizeRows { get; } = new("quantized", "quantize_rows");
    public static ByFormat Append { get; } = new("attention", "append_");
    public static ByFormat AttendFew { get; } = new("attention", "attend_", "_q4");
    public static ByFormat AttendMany { get; } = new("attention", "attend_", "_q16");
    public static KernelName AttendCombine { get; } = new("attention", "attend_combine");
    public static ByFormat Decode { get; } = new("attention", "decode_");
    public static KernelName SelfAttend { get; } = new("attention", "self_attend");

    /// <summary>Kernels that do the same with weights or caches of different formats.</summary>
    internal sealed class ByFormat(string module, string before, string after = "")
    {
        private readonly KernelName _float32 = new(module, $"{before}f32{after}"), _bfloat16 = new(module, $"{before}bf16{after}"),
            _int8 = new(module, $"{before}int8{after}"), _int4 = new(module, $"{before}int4{after}");

        public KernelName this[WeightFormat format] => format switch
        {
            WeightFormat.BFloat16 => _bfloat16,
            WeightFormat.Int8 => _int8,
            WeightFormat.Int4 => _int4,
            _ => _float32,
        };

        public KernelName this[KeyValueFormat format] => format switch
        {
            KeyValueFormat.BFloat16 => _bfloat16,
            KeyValueFormat.Int8 => _int8,
            _ => _float32,
        };
    }
}
