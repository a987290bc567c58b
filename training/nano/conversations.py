"""Training samples: conversations in the published prompt format, in which the assistant speaks what the user wrote (in a described voice, or in
that of the turn before), or writes what the user said. With them goes the guidance of attention: which positions should be looked at."""
import bisect
from dataclasses import dataclass, field

import numpy as np

from tokenizer import ENTRIES, SPECIAL, as_entry, encode, encode_with_positions
from workspace import HOP, RATE, VOICES

DESCRIBED = "Generate audio following instruction.\n\n<|scene_desc_start|>\nSPEAKER0: {}\n<|scene_desc_end|>"
PLAIN = "Generate audio following instruction.\n\n<|scene_desc_start|>\nAudio is recorded from a quiet room.\n<|scene_desc_end|>"
TRANSCRIBE = "Transcribe the audio."
SPEAKING_HEADS, LISTENING_HEADS = ((2, 0), (3, 1)), ((2, 2), (3, 3))  # (layer, head)
END, NONE = SPECIAL["<|eot_id|>"], -100
CODEBOOKS, BEGIN_CODE, END_CODE = 8, 256, 257


def header(role):
    return [SPECIAL["<|start_header_id|>"], ENTRIES[role], SPECIAL["<|end_header_id|>"], ENTRIES[as_entry("\n\n")]]


def delayed(codes):
    """codes [8, frames] -> input columns [frames + 9, 8], codebook k later by k columns, and for each the column that comes next"""
    frames = codes.shape[1]
    columns = np.full((frames + CODEBOOKS + 1, CODEBOOKS), END_CODE, np.int64)
    following = np.full((frames + CODEBOOKS + 2, CODEBOOKS), NONE, np.int64)
    for k in range(CODEBOOKS):
        columns[:k + 1, k] = BEGIN_CODE
        columns[k + 1:k + 1 + frames, k] = following[k + 1:k + 1 + frames, k] = codes[k]
        following[k + 1 + frames, k] = END_CODE
    return columns, following[1:]


def spoken_words(utterance):
    """[(first character, behind the last one, first frame, behind the last one)] of each word, or None where flite says other words than written"""
    text, letters, found, used = utterance.text, [i for i, c in enumerate(utterance.text) if c.isalpha()], [], 0
    for word, start, end in utterance.words:
        own = "".join(c for c in word.lower() if c.isalpha())
        places = letters[used:used + len(own)]
        if not own:
            continue
        if "".join(text[i] for i in places) != own:
            return None
        a, b = int(start * RATE / HOP), min(utterance.frames, int(np.ceil(end * RATE / HOP)))
        found.append((places[0], places[-1] + 1, min(a, b - 1), b))
        used += len(own)
    return found


@dataclass
class Sample:
    """Positions, what each should predict, and guidance: (position, first and last + 1 position to look at) for speaking and listening."""
    tokens: list = field(default_factory=list)
    next_tokens: list = field(default_factory=list)
    columns: list = field(default_factory=list)       # (position, input columns, following columns or None)
    speaking: list = field(default_factory=list)
    listening: list = field(default_factory=list)

    def text(self, ids, answer_from=None):
        """answer_from: the assistant's tokens begin here, and are to be predicted"""
        start = len(self.tokens)
        self.tokens += ids
        self.next_tokens += [NONE] * len(ids)
        if answer_from is not None:
            for i in range(start + answer_from, start + len(ids)):
                self.next_tokens[i - 1] = self.tokens[i]
        return start

    def audio(self, columns, following):
        start = len(self.tokens)
        self.tokens += [None] * len(columns)
        self.next_tokens += [NONE] * len(columns)
        self.columns.append((start, columns, following))
        return start

    def __len__(self):
        return len(self.tokens)


class Conversations:
    def __init__(self, utterances, seed, cloning=0.3, listening=0.08):
        self.rng, self.cloning, self.listening, self.by_voice = np.random.RandomState(seed), cloning, listening, {}
        for u in utterances:
            self.by_voice.setdefault(u.voice, []).append(u)
        for spoken in self.by_voice.values():
            spoken.sort(key=lambda u: u.frames)
        self.lengths = {voice: [u.frames for u in spoken] for voice, spoken in self.by_voice.items()}
        self.voices = list(self.by_voice)
        counts = np.array([len(self.by_voice[voice]) for voice in self.voices], float)
        self.shares = counts / counts.sum()

    def pick(self, voice, longest):
        spoken = self.by_voice[voice]
        fitting = max(min(50, len(spoken)), bisect.bisect_right(self.lengths[voice], longest))
        return spoken[self.rng.randint(fitting)]

    def sample(self, longest, may_listen=True):
        """longest: of one utterance, in frames"""
        voice = self.voices[self.rng.choice(len(self.voices), p=self.shares)]
        if may_listen and self.rng.rand() < self.listening:
            return self.transcription(self.pick(voice, longest))
        clones = self.rng.rand() < self.cloning
        turns = 2 if clones else 1 + (self.rng.rand() < 0.35) + (self.rng.rand() < 0.15)
        system = PLAIN if clones else DESCRIBED.format(VOICES[voice])
        return self.spoken(system, self.turns(voice, turns, longest))

    def turns(self, voice, count, longest):
        chosen, frames = [], 0
        for _ in range(count):
            u = self.pick(voice, longest)
            if chosen and frames + u.frames > 8 * RATE // HOP:
                break
            frames += u.frames
            chosen.append(u)
        return chosen

    @staticmethod
    def spoken(system, utterances):
        sample = Sample()
        sample.text([SPECIAL["<|begin_of_text|>"], *header("system"), *encode(system), END])
        for u in utterances:
            ids, places = encode_with_positions(u.text)
            sample.text(header("user"))
            first = sample.text(ids)
            sample.text([END, *header("assistant"), SPECIAL["<|audio_out_bos|>"]], answer_from=5)
            start = sample.audio(*delayed(u.array("codes").astype(np.int64)))
            spoken, done = spoken_words(u) or [], 0
            for from_character, to_character, _, to_frame in spoken:  # pauses belong to the word after them, and its space to the word
                space = from_character > 0 and u.text[from_character - 1] == " "
                look = (first + bisect.bisect_left(places, from_character - space), first + bisect.bisect_left(places, to_character))
                to_frame = u.frames if to_character == spoken[-1][1] else to_frame
                sample.speaking += [(start + frame, *look) for frame in range(done, to_frame)]
                done = to_frame
            sample.text([SPECIAL["<|audio_eos|>"], END], answer_from=1)
        return sample

    @staticmethod
    def transcription(u):
        sample = Sample()
        sample.text([SPECIAL["<|begin_of_text|>"], *header("user"), *encode(TRANSCRIBE), SPECIAL["<|audio_bos|>"]])
        start = sample.audio(delayed(u.array("codes").astype(np.int64))[0], None)
        sample.text([SPECIAL["<|audio_eos|>"], END, *header("assistant")])
        ids, places = encode_with_positions(u.text)
        first = sample.text([*ids, END], answer_from=0)
        for from_character, to_character, from_frame, to_frame in spoken_words(u) or []:
            a, b = bisect.bisect_left(places, from_character), bisect.bisect_left(places, to_character)
            look = (start + from_frame + 1, start + to_frame + CODEBOOKS)  # codebook k of a frame is k + 1 columns later
            sample.listening += [(first + i - 1, *look) for i in range(a, b)]  # the position before predicts the character
        return sample
