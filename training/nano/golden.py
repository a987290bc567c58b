"""Golden vectors of a checkpoint by this independent implementation (float32 arithmetic on the exported weights): for each case of the golden
folder, greedy generation must give the codes that are there; with --renew the waveforms are written again from them, by this decoder."""
import argparse
import json
import wave
from pathlib import Path

import numpy as np
import torch

import safetensors_file
from export import read_codec, read_language_model
from generation import speak, speaking_prompt


def read_wav(path):
    with wave.open(str(path)) as file:
        return torch.from_numpy(np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="folder with generation and tokenizer")
    parser.add_argument("golden", type=Path, help="folder with meta.json and case_N.safetensors")
    parser.add_argument("--renew", action="store_true")
    arguments = parser.parse_args()
    codec, model = read_codec(arguments.checkpoint / "tokenizer"), read_language_model(arguments.checkpoint / "generation")
    for name, case in json.loads((arguments.golden / "meta.json").read_text())["cases"].items():
        path = arguments.golden / f"{name}.safetensors"
        tensors, reference, alike = safetensors_file.load(path), None, True
        if case["reference_wav"]:
            codes = codec.encode(read_wav(arguments.golden / case["reference_wav"])[None])[:, 0]
            alike, reference = torch.equal(codes, tensors["ref_codes"].long()), (case["reference_text"], codes.numpy())
        codes, ended = speak(model, speaking_prompt(case["text"], None if reference else case["kind"], reference))
        alike = alike and ended and torch.equal(codes, tensors["codes"].long())
        sound = codec.decode(codes[:, None])[0]
        difference = float((sound - tensors["audio"]).abs().max() / tensors["audio"].abs().max())
        print(f"{name}: codes {'as they were' if alike else 'DIFFERENT'}, {codes.shape[1]} frames, waveform differs by {difference:.1e} of the peak")
        if arguments.renew:
            if not alike:
                raise SystemExit("The codes differ: this would not renew a waveform but hide a fault.")
            tensors["audio"] = sound
            safetensors_file.save(path, tensors)


if __name__ == "__main__":
    main()
