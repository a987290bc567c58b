using HiggsAudio.Compute;

namespace HiggsAudio;

/// <summary>How an engine is set up. Immutable.</summary>
public sealed record EngineOptions
{
    /// <summary>
    /// What computes, by name: <c>cpu</c>, or with the package HiggsAudio.Cuda a GPU: <c>cuda</c>, <c>cuda:1</c> (<see cref="Devices"/>). It does the language
    /// model and the codec.
    /// </summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Threads of the CPU that compute (with a GPU: that load), the caller's included; 0 for all cores.</summary>
    public int Threads { get; init; }

    /// <summary>
    /// The format in which the layers' matrices and the text head are kept. <see cref="WeightFormat.AsStored"/> computes on the memory-mapped
    /// file; the others are made while loading, in memory of their own. Smaller is faster: a step reads all of them once.
    /// <see cref="WeightFormat.Int8"/> has 8.5 bits per value, <see cref="WeightFormat.Int4"/> 4.5, with the text head and the
    /// attention's value projections in 8.5. Embeddings and the audio head stay as stored. A folder that
    /// <see cref="HiggsAudioServeEngine.SaveQuantized"/> wrote is loaded as stored.
    /// </summary>
    public WeightFormat WeightFormat { get; init; } = WeightFormat.AsStored;

    /// <summary>
    /// Exceptions to <see cref="WeightFormat"/>, by the name of a tensor or of a part of the model, in the legacy layout without prefix:
    /// <c>layers.0</c>, <c>layers.27.mlp.down_proj.weight</c>, <c>text_lm_head</c>, <c>audio_lm_head</c>. The longest name counts. Tables
    /// and vectors are never quantized.
    /// </summary>
    public IReadOnlyDictionary<string, WeightFormat>? WeightFormatOverrides { get; init; }

    /// <summary>
    /// The format of the key-value caches; it decides how many conversations <see cref="KvCacheBytes"/> holds, and how much a step reads at long
    /// contexts. <see cref="KeyValueFormat.BFloat16"/> is what the published model was trained and is run with elsewhere;
    /// <see cref="KeyValueFormat.Float32"/> loses nothing, for comparisons with a reference in 32-bit floats.
    /// </summary>
    public KeyValueFormat KeyValueFormat { get; init; } = KeyValueFormat.BFloat16;

    /// <summary>Where <c>tokenizer.json</c> is; by default in the model's folder.</summary>
    public string? TokenizerFolder { get; init; }

    /// <summary>LoRA adapters to merge into the language model while it is loaded, in any <see cref="WeightFormat"/>; none by default.</summary>
    public IReadOnlyList<AdapterOptions> Adapters { get; init; } = [];

    /// <summary>Where the Hub is and who asks, where models are given by the names of repositories; by default <see cref="HubOptions.FromEnvironment"/>.</summary>
    public HubOptions? Hub { get; init; }

    /// <summary>Most rows (text tokens and columns of audio) of one conversation, prompt and answer together.</summary>
    public int MaxContextLength { get; init; } = 8192;

    /// <summary>
    /// Most memory, in bytes, of the key-value caches of all requests together. A request reserves what its prompt and
    /// <see cref="GenerationOptions.MaxNewTokens"/> need.
    /// </summary>
    public long KvCacheBytes { get; init; } = 4L << 30;

    /// <summary>
    /// Most memory, in bytes, that beginnings of prompts (system message, voices, earlier turns: all before the last message of the user) may
    /// keep after their request, so that requests with the same beginning need not compute it again; 0 for none. It is part of
    /// <see cref="KvCacheBytes"/>, and given up where requests need it. The result is the same with and without.
    /// </summary>
    public long PrefixCacheBytes { get; init; } = 256L << 20;

    /// <summary>What happens to a request for which there is no room in <see cref="KvCacheBytes"/> at the moment.</summary>
    public WhenFull WhenFull { get; init; } = WhenFull.Wait;

    /// <summary>Most requests that are computed together; more wait in line.</summary>
    public int MaxConcurrentRequests { get; init; } = 32;

    /// <summary>Most prompt rows of one pass while other requests are generating: smaller keeps their sound flowing, larger starts sooner.</summary>
    public int PrefillChunk { get; init; } = 128;

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        Require(Devices.IsName(Device), nameof(Device), "a kind of device, or a kind and a number (cpu, cuda:0)", Device);
        Require(Threads >= 0, nameof(Threads), "0 or more", Threads);
        Require(MaxContextLength >= 1, nameof(MaxContextLength), "1 or more", MaxContextLength);
        Require(KvCacheBytes >= 1, nameof(KvCacheBytes), "1 or more", KvCacheBytes);
        Require(PrefixCacheBytes >= 0, nameof(PrefixCacheBytes), "0 or more", PrefixCacheBytes);
        Require(MaxConcurrentRequests >= 1, nameof(MaxConcurrentRequests), "1 or more", MaxConcurrentRequests);
        Require(PrefillChunk >= 1, nameof(PrefillChunk), "1 or more", PrefillChunk);
        Require(Enum.IsDefined(WhenFull), nameof(WhenFull), "a member of the enumeration", WhenFull);
        Require(Enum.IsDefined(KeyValueFormat), nameof(KeyValueFormat), "a member of the enumeration", KeyValueFormat);
        Require(Enum.IsDefined(WeightFormat), nameof(WeightFormat), "a member of the enumeration", WeightFormat);
        foreach (AdapterOptions adapter in Adapters)
        {
            Require(!string.IsNullOrEmpty(adapter.Folder), nameof(Adapters), "folders or repositories", "an empty name");
            Require(float.IsFinite(adapter.Weight), nameof(Adapters), "of finite weight", adapter.Weight);
        }
    }

    private static void Require(bool satisfied, string name, string expected, object? found) =>
        OptionRange.Require(satisfied, nameof(EngineOptions), name, expected, found);
}

/// <summary>A LoRA adapter in PEFT's format, and how much of it is wanted.</summary>
/// <param name="Folder">Its folder (<c>adapter_config.json</c>, <c>adapter_model.safetensors</c>), or a repository of the Hub, <c>organisation/name</c> or <c>organisation/name@revision</c>.</param>
/// <param name="Weight">What its change of the weights is multiplied with: 1 as it was trained, a finite number.</param>
public sealed record AdapterOptions(string Folder, float Weight = 1);

/// <summary>What happens to a request for which there is no memory at the moment.</summary>
public enum WhenFull
{
    /// <summary>It waits in line until others have finished.</summary>
    Wait,

    /// <summary>It fails at once with <see cref="EngineBusyException"/>.</summary>
    Fail,
}

/// <summary>The engine has no memory for one more request: now (try again later), or ever (the request is larger than the budget).</summary>
public sealed class EngineBusyException : InvalidOperationException
{
    /// <param name="message">What there is no room for, and what can be done.</param>
    /// <param name="isTransient">Whether the same request can succeed later.</param>
    public EngineBusyException(string message, bool isTransient) : base(message) => IsTransient = isTransient;

    /// <summary>Whether the same request can succeed later.</summary>
    public bool IsTransient { get; }
}
