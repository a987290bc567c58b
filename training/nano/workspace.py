"""Where everything lies, and the speech that every stage reads.

The work folder is $NANO_WORK (default `nano-work`):
  texts.tsv, heldout.tsv          what is said
  speech/NNN.i16, NNN.json        24 kHz sound of about 1000 utterances, and what each says, where it begins, its phones and words with times
  speech/NNN.semantic.npy         semantic features, 25 a second
  speech/NNN.codes.npy            codes of the codec, [8, frames]
  speech/NNN.imagined.npy         what the language model would have put there, given the true past
  states/*.pt                     training states; a stage that is started again goes on from its state
  release/                        the checkpoint
"""
import json
import os
from pathlib import Path

import numpy as np
import torch

WORK = Path(os.environ.get("NANO_WORK", "nano-work"))
SPEECH, STATES, RELEASE = WORK / "speech", WORK / "states", WORK / "release"
RATE, HOP = 24000, 960  # samples a second, samples a codec frame
VOICES = {"slt": "feminine", "rms": "masculine", "awb": "scottish"}  # flite's name -> the word in the scene description


class Utterance:
    """One utterance of a shard. Positions are in codec frames; every utterance begins and ends on one."""

    def __init__(self, shard, entry):
        self.shard, self.voice, self.text = shard, entry["voice"], entry["text"]
        self.phones, self.words = entry["phones"], entry["words"]
        self.first, self.frames = entry["start"] // HOP, entry["samples"] // HOP

    def sound(self, offset=0, frames=None):
        start = (self.first + offset) * HOP
        length = (self.frames - offset if frames is None else frames) * HOP
        return self.shard.sound[start:start + length].astype(np.float32) / 32768

    def array(self, name, offset=0, frames=None):
        """A part of `semantic` [frames, width], `codes` or `imagined` [8, frames]."""
        a = self.first + offset
        b = a + (self.frames - offset if frames is None else frames)
        array = self.shard.array(name)
        return array[a:b] if name == "semantic" else array[:, a:b]


class Shard:
    def __init__(self, path):
        self.path, self._arrays = path, {}
        self.sound = np.memmap(path.with_suffix(".i16"), np.int16, "r")
        self.utterances = [Utterance(self, entry) for entry in json.loads(path.read_text())]

    def has(self, name):
        return self.path.with_suffix(f".{name}.npy").exists()

    def array(self, name):
        if name not in self._arrays:
            self._arrays[name] = np.load(self.path.with_suffix(f".{name}.npy"), mmap_mode="r")
        return self._arrays[name]

    def save(self, name, array):
        target = self.path.with_suffix(f".{name}.npy")
        temporary = target.with_suffix(".tmp.npy")
        np.save(temporary, array)
        os.replace(temporary, target)


def shards(need=(), limit=None):
    """The shards that are there, in order, and have all the arrays that are named."""
    found = [Shard(path) for path in sorted(SPEECH.glob("[0-9]*.json"))]
    return [shard for shard in found if all(shard.has(name) for name in need)][:limit]


def heldout(kind=None):
    lines = (WORK / "heldout.tsv").read_text().splitlines()
    return [text for k, text in (line.split("\t") for line in lines) if kind in (None, k)]


class State:
    """A training state: saved whole or not at all, so that a run may be ended at any time and started again."""

    def __init__(self, name):
        self.path = STATES / f"{name}.pt"

    def load(self):
        return torch.load(self.path, map_location="cpu") if self.path.exists() else None

    def save(self, **parts):
        STATES.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        torch.save(parts, temporary)
        os.replace(temporary, self.path)


def crops(utterances, frames, batch, rng):
    """Endless batches of (utterance, offset), every frame of the speech as likely as any other."""
    long_enough = [u for u in utterances if u.frames >= frames]
    if not long_enough:
        raise SystemExit(f"No utterance has {frames} frames; run the stage `speech` first.")
    ends = np.cumsum([u.frames for u in long_enough])
    while True:
        chosen = (long_enough[np.searchsorted(ends, rng.randint(ends[-1]), side="right")] for _ in range(batch))
        yield [(u, rng.randint(0, u.frames - frames + 1)) for u in chosen]


def set_learning_rate(optimizer, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate
