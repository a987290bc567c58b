namespace HiggsAudio.Generation;

/// <summary>The ids of a checkpoint that generation turns on.</summary>
/// <param name="AudioOutBos">The token <c>&lt;|audio_out_bos|&gt;</c>: an audio segment begins.</param>
/// <param name="AudioOut">The token <c>&lt;|AUDIO_OUT|&gt;</c>: stands for the columns of a segment.</param>
/// <param name="AudioEos">The token <c>&lt;|audio_eos|&gt;</c>: the segment has ended.</param>
/// <param name="StreamBos">The code BOS of every codebook.</param>
/// <param name="StreamEos">The code EOS of every codebook.</param>
/// <param name="Codebooks">Codes of a column.</param>
internal sealed record GenerationTokens(int AudioOutBos, int AudioOut, int AudioEos, int StreamBos, int StreamEos, int Codebooks);
