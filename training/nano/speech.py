"""texts.tsv -> speech of flite's voices, in shards of 1000 utterances, with the times of phones and words.

Utterances are cut to 60 ms of silence before and 120 ms after, brought to one level, resampled to 24 kHz and padded to whole codec frames.
"""
import argparse
import json
import os
import random
import struct
import subprocess
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from workspace import HOP, RATE, SPEECH, VOICES, WORK

SOURCE = Path(__file__).with_name("synthesizer.c")
STRETCH = {"slt": 1.1, "rms": 1.0, "awb": 1.1}  # the recogniser understands slt and awb better a little slower
SHARE = {"slt": 0.4, "rms": 0.33, "awb": 0.27}
BEFORE, AFTER, LEVEL, PEAK, FADE = 0.06, 0.12, 0.09, 0.9, 0.01
LONGEST, SHORTEST, SHARD = 6.5, 0.2, 1000


class Synthesizer:
    def __init__(self):
        program = WORK / "synthesizer"
        if not program.exists():
            libraries = ["flite_cmu_us_slt", "flite_cmu_us_rms", "flite_cmu_us_awb", "flite_usenglish", "flite_cmulex", "flite"]
            WORK.mkdir(parents=True, exist_ok=True)
            temporary = f"{program}.{os.getpid()}"
            subprocess.run(["cc", "-O2", str(SOURCE), "-o", temporary, *[f"-l{name}" for name in libraries], "-lm"], check=True)
            os.replace(temporary, program)
        self._process = subprocess.Popen([str(program.resolve())], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def raw(self, voice, text):
        """-> samples, rate, [(phone, end)], [(word, start, end)]"""
        self._process.stdin.write(f"{voice}\t{STRETCH[voice]}\t{text}\n".encode())
        self._process.stdin.flush()
        read = self._process.stdout.read
        samples, rate, phones, words = struct.unpack("4i", read(16))
        sound = np.frombuffer(read(2 * samples), np.int16).astype(np.float32) / 32768
        name = lambda field: field.split(b"\0")[0].decode()
        phones = [(name(item[:8]), struct.unpack("f", item[8:])[0]) for item in (read(12) for _ in range(phones))]
        words = [(name(item[:32]), *struct.unpack("2f", item[32:])) for item in (read(40) for _ in range(words))]
        return sound, rate, phones, words

    def say(self, voice, text):
        """-> int16 samples at 24 kHz, phones and words with times from the beginning of these samples"""
        sound, rate, phones, words = self.raw(voice, text)
        length = len(sound) / rate
        first = phones[0][1] if phones and phones[0][0] == "pau" else 0.0
        last = phones[-2][1] if len(phones) > 1 and phones[-1][0] == "pau" else length
        start, end = max(0.0, first - BEFORE), min(length, last + AFTER)
        sound = sound[int(start * rate):int(end * rate)]
        sound = sound * min(LEVEL / (np.sqrt(np.mean(sound ** 2)) + 1e-6), PEAK / (np.abs(sound).max() + 1e-6))
        fade = min(int(FADE * rate), len(sound) // 4)
        sound[:fade] *= np.linspace(0, 1, fade)
        sound[-fade:] *= np.linspace(1, 0, fade)
        sound = resample(sound, rate, RATE)
        sound = np.pad(sound, (0, -len(sound) % HOP))
        sound = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
        return sound, [(phone, round(e - start, 4)) for phone, e in phones], [(w, round(a - start, 4), round(b - start, 4)) for w, a, b in words]


def resample(sound, rate, target):
    divisor = np.gcd(rate, target)
    return resample_poly(sound, target // divisor, rate // divisor, window=("kaiser", 12.0)).astype(np.float32)


def write_shard(path, lines, synthesizer):
    sound, entries, start = [], [], 0
    for voice, text in lines:
        samples, phones, words = synthesizer.say(voice, text)
        if SHORTEST * RATE <= len(samples) <= LONGEST * RATE:
            entries.append(dict(voice=voice, text=text, start=start, samples=len(samples), phones=phones, words=words))
            sound.append(samples)
            start += len(samples)
    np.concatenate(sound).tofile(path.with_suffix(".i16"))
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(entries))
    os.replace(temporary, path)  # the JSON file says that the shard is whole
    print(f"{path.name}: {len(entries)} utterances, {start / RATE / 60:.1f} minutes", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=29000, help="of all voices together; about 1.7 h per 3000")
    parser.add_argument("--part", type=int, default=0, help="this process does every PARTS-th shard, from PART")
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    texts = [line.rstrip("\n").split("\t")[1] for line in (WORK / "texts.tsv").open()][:arguments.utterances]
    voices = rng.choices(list(VOICES), [SHARE[voice] for voice in VOICES], k=len(texts))
    lines = list(zip(voices, texts))
    SPEECH.mkdir(parents=True, exist_ok=True)
    synthesizer = Synthesizer()
    for index, start in enumerate(range(0, len(lines), SHARD)):
        path = SPEECH / f"{index:03d}.json"
        if index % arguments.parts == arguments.part and not path.exists():
            write_shard(path, lines[start:start + SHARD], synthesizer)


if __name__ == "__main__":
    main()
