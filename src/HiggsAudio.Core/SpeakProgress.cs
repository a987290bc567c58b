namespace HiggsAudio;

/// <summary>How far the speaking of a text is.</summary>
/// <param name="Chunk">The chunk that is being made, from 0; <paramref name="Chunks"/> at the end.</param>
/// <param name="Chunks">How many there are.</param>
/// <param name="Part">The part of the text's characters that is done, 0 to 1; whole chunks only.</param>
/// <param name="Frames">Frames of audio made so far.</param>
/// <param name="Audio">How much sound they are, pauses included.</param>
/// <param name="FramesPerSecond">How fast they are made; a frame is 40 ms, so that 25 a second are real time.</param>
public readonly record struct SpeakProgress(int Chunk, int Chunks, double Part, int Frames, TimeSpan Audio, double FramesPerSecond);
