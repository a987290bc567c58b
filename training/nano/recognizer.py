"""The judge: pocketsphinx with Debian's English model, which knows nothing of this project. Debian: pocketsphinx, pocketsphinx-en-us."""
import re
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

from speech import resample
from workspace import RATE

MODEL = Path("/usr/share/pocketsphinx/model/en-us")
HEARD = 16000


def words(text):
    return re.sub(r"[^a-z' ]", " ", text.lower()).split()


def distance(said, heard):
    """Levenshtein's: the fewest wrong, missing and added items."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def recognize(sounds):
    """What it hears in each sound (24 kHz), with 0.3 s of a quiet room around the speech."""
    room = np.random.RandomState(0).randint(-8, 9, int(0.3 * HEARD)).astype(np.int16)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for i, sound in enumerate(sounds):
            samples = (np.clip(resample(sound, RATE, HEARD), -1, 1) * 32767).astype(np.int16)
            with wave.open(str(folder / f"{i}.wav"), "wb") as file:
                file.setparams((1, 2, HEARD, 0, "NONE", ""))
                file.writeframes(np.concatenate([room, samples, room]).tobytes())
        (folder / "list").write_text("".join(f"{i}\n" for i in range(len(sounds))))
        subprocess.run(["pocketsphinx_batch", "-hmm", MODEL / "en-us", "-lm", MODEL / "en-us.lm.bin", "-dict", MODEL / "cmudict-en-us.dict",
                        "-adcin", "yes", "-adchdr", "44", "-cepdir", folder, "-cepext", ".wav", "-ctl", folder / "list", "-hyp", folder / "heard",
                        "-logfn", folder / "log"], check=True, stderr=subprocess.DEVNULL)
        return [re.sub(r" ?\(\S+ -?\d+\)$", "", line) for line in (folder / "heard").read_text().splitlines()]


def word_error_rate(texts, sounds):
    heard = recognize(sounds)
    return sum(distance(words(a), words(b)) for a, b in zip(texts, heard)) / sum(len(words(text)) for text in texts)
