"""Golden vectors of a checkpoint by this independent implementation (float32 arithmetic on the exported weights): for each case of the golden
folder, encoding, greedy generation and decoding must give what is there. With --renew they are written again, for a checkpoint that was trained on."""
import argparse
import json
import wave
from pathlib import Path

import numpy as np
import torch

import safetensors_file
from conversations import delayed
from export import read_codec, read_language_model
from generation import speak, speaking_prompt
from workspace import HOP


def read_wav(path):
    with wave.open(str(path)) as file:
        return torch.from_numpy(np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768)


def answer(codec, model, case, folder):
    """What the checkpoint makes of a case: tensors under the names of the golden files."""
    found, reference = {}, None
    if case["reference_wav"]:
        codes = codec.encode(read_wav(folder / case["reference_wav"])[None])[:, 0]
        found["ref_codes"], reference = codes, (case["reference_text"], codes.numpy())
    codes, ended = speak(model, speaking_prompt(case["text"], None if reference else case["kind"], reference))
    if not ended:
        raise SystemExit(f"{case['text']!r} does not end by itself.")
    found["codes"], found["delayed_codes"] = codes, torch.from_numpy(delayed(codes.numpy())[0].T.copy())
    found["audio"] = codec.decode(codes[:, None])[0]
    return found


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="folder with generation and tokenizer")
    parser.add_argument("golden", type=Path, help="folder with meta.json and case_N.safetensors")
    parser.add_argument("--renew", action="store_true")
    arguments = parser.parse_args()
    codec, model = read_codec(arguments.checkpoint / "tokenizer"), read_language_model(arguments.checkpoint / "generation")
    meta = json.loads((arguments.golden / "meta.json").read_text())
    for name, case in meta["cases"].items():
        path = arguments.golden / f"{name}.safetensors"
        tensors, found = safetensors_file.load(path), answer(codec, model, case, arguments.golden)
        alike = all(torch.equal(value.long(), tensors[key].long()) for key, value in found.items() if key != "audio")
        line = f"{name}: codes {'as they were' if alike else 'DIFFERENT'}, {found['codes'].shape[1]} frames"
        if alike:
            line += f", waveform differs by {float((found['audio'] - tensors['audio']).abs().max() / tensors['audio'].abs().max()):.1e} of the peak"
        print(line)
        if arguments.renew:
            safetensors_file.save(path, {key: found[key].to(value.dtype) if key in found else value for key, value in tensors.items()})
            frames, spoken = found["codes"].shape[1], case["usage"]
            spoken["completion_tokens"] += frames - case["n_frames"]
            if "ref_codes" in found:
                spoken["prompt_tokens"] += found["ref_codes"].shape[1] - tensors["ref_codes"].shape[1]
            spoken["total_tokens"] = spoken["prompt_tokens"] + spoken["completion_tokens"]
            case["n_frames"], case["n_samples"] = frames, frames * HOP
    if arguments.renew:
        meta["note"] = ("greedy answers of training/nano's independent implementation in float32 (golden.py --renew); delayed_codes [8,T+9] = the columns with "
                        "BOS/EOS and delay, codes [8,T] without; audio = T*960 samples")
        (arguments.golden / "meta.json").write_text(json.dumps(meta, indent=1))


if __name__ == "__main__":
    main()
