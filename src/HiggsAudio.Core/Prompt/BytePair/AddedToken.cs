namespace HiggsAudio.Prompts.BytePair;

/// <summary>A token that is found in the text itself, before any other splitting, as tokenizer.json lists it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="Special">Whether decoding may skip it.</param>
/// <param name="SingleWord">Whether it is only found where no word character touches it.</param>
/// <param name="LeftStrip">Whether white space before it belongs to it.</param>
/// <param name="RightStrip">Whether white space after it belongs to it.</param>
/// <param name="Normalized">Whether it is looked for after the other added tokens, in normalized text.</param>
internal sealed record AddedToken(int Id, string Content, bool Special, bool SingleWord, bool LeftStrip, bool RightStrip, bool Normalized);
