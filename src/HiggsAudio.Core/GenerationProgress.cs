namespace HiggsAudio;

/// <summary>How far an answer is.</summary>
/// <param name="Frames">Frames of audio made so far.</param>
/// <param name="Audio">How much sound they are.</param>
/// <param name="FramesPerSecond">How fast they are made; a frame is 40 ms, so that 25 a second are real time.</param>
public readonly record struct GenerationProgress(int Frames, TimeSpan Audio, double FramesPerSecond);
