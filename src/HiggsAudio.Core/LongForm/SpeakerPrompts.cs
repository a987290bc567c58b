namespace HiggsAudio;

/// <summary>
/// The messages that come before a transcript: scene and voices, laid out as the model was trained on them (the reference's
/// prepare_generation_context, examples/generation.py).
/// </summary>
public static class SpeakerPrompts
{
    private const string Instruction = "Generate audio following instruction.";

    // Part of the prompt format: what the model was given where several speakers have no voices of their own.
    private const string SeveralSpeakers =
        "You are an AI assistant designed to convert text into speech.\n" +
        "If the user's message includes a [SPEAKER*] tag, do not read out the tag and generate speech for the following text, using the specified voice.\n" +
        "If no speaker tag is present, select a suitable voice on your own.";

    /// <summary>Builds the messages.</summary>
    /// <param name="scene">Where and how the sound is recorded, such as "A quiet room."; white space around it is ignored. Null or empty for none.</param>
    /// <param name="speakers">The voices of SPEAKER0, SPEAKER1 and so on; null or empty to let the model choose.</param>
    /// <param name="speakerTags">
    /// The speakers of the transcript (<see cref="TranscriptNormalizer.SpeakerTags"/>). Without voices, two or more of them are described as
    /// feminine and masculine in turn.
    /// </param>
    /// <param name="audioInSystemMessage">
    /// Whether recordings go into the system message rather than be earlier turns of the conversation. They do where any voice is a profile.
    /// </param>
    /// <returns>A system message, except for recordings as turns without a scene; then a turn of the user and one of the assistant for each of those.</returns>
    public static IReadOnlyList<Message> Messages(string? scene = null, IReadOnlyList<SpeakerPrompt>? speakers = null, IReadOnlyList<string>? speakerTags = null,
        bool audioInSystemMessage = false)
    {
        scene = TranscriptNormalizer.Strip(scene ?? "");
        if (speakers is null or [])
            return [speakerTags?.Count > 1 ? SystemMessage(SeveralSpeakers, scene, Genders(speakerTags)) : SystemMessage(Instruction, scene, [])];
        if (audioInSystemMessage || speakers.Any(speaker => speaker.Profile is not null))
            return [SystemMessage(Instruction, scene, speakers.Select((speaker, i) => ($"SPEAKER{i}", (MessageContent?)speaker.Audio ?? speaker.Profile!)))];
        var messages = new List<Message>();
        if (scene.Length > 0)
            messages.Add(SystemMessage(Instruction, scene, []));
        for (int i = 0; i < speakers.Count; i++)
        {
            string transcript = speakers[i].Transcript;
            messages.Add(new Message("user", speakers.Count > 1 ? $"[SPEAKER{i}] {transcript}" : transcript));
            messages.Add(new Message("assistant", speakers[i].Audio!));
        }
        return messages;
    }

    /// <summary>
    /// Reads the reference's <c>--ref_audio</c>: names of voices separated by commas, of which those that begin with <c>profile:</c> are names of
    /// descriptions. White space around a name is ignored.
    /// </summary>
    /// <param name="names">Such as <c>belinda,profile:male_en</c>.</param>
    /// <param name="voice">Finds a recording by name.</param>
    /// <param name="profile">Finds a description by name.</param>
    public static IReadOnlyList<SpeakerPrompt> Parse(string names, Func<string, SpeakerPrompt> voice, Func<string, string> profile)
    {
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(voice);
        ArgumentNullException.ThrowIfNull(profile);
        const string Prefix = "profile:";
        return [.. names.Split(',', StringSplitOptions.TrimEntries).Select(name => name.StartsWith(Prefix, StringComparison.Ordinal)
            ? SpeakerPrompt.FromProfile(profile(name[Prefix.Length..].Trim()))
            : voice(name))];
    }

    private static IEnumerable<(string, MessageContent)> Genders(IReadOnlyList<string> tags) =>
        tags.Select((tag, i) => (tag, (MessageContent)(i % 2 == 0 ? "feminine" : "masculine")));

    // "{opening}\n\n<|scene_desc_start|>\n{scene}\n\n{speaker}: {voice}\n{speaker}: {voice}\n<|scene_desc_end|>" with audio between its texts.
    private static Message SystemMessage(string opening, string scene, IEnumerable<(string Speaker, MessageContent Voice)> speakers)
    {
        var contents = new List<MessageContent>();
        string text = opening, separator = scene.Length > 0 ? "\n\n" : "";
        bool described = scene.Length > 0;
        if (described)
            text += $"\n\n<|scene_desc_start|>\n{scene}";
        foreach ((string speaker, MessageContent voice) in speakers)
        {
            text += (described ? separator : "\n\n<|scene_desc_start|>\n") + $"{speaker}: ";
            (described, separator) = (true, "\n");
            if (voice is TextContent description)
            {
                text += description.Text;
                continue;
            }
            contents.Add(text);
            contents.Add(voice);
            text = "";
        }
        contents.Add(text + (described ? "\n<|scene_desc_end|>" : ""));
        return new Message("system", contents);
    }
}
