"""Stage 3: the codes of all speech, by the codec whose codes are final."""
import argparse

import numpy as np
import torch
from torch.nn.utils import remove_weight_norm

from codec import load_codec
from schedule import add_common, device_of
from workspace import HOP, State, shards


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_common(parser, steps=0, rate=0, batch=0)
    parser.add_argument("--part", type=int, default=0, help="this process does every PARTS-th shard, from PART")
    parser.add_argument("--parts", type=int, default=1)
    arguments = parser.parse_args()
    device = device_of(arguments)
    codec = load_codec(State("encoder").load() or State("codec").load()).to(device)
    for module in codec.encoder.modules():
        if hasattr(module, "weight_g"):
            remove_weight_norm(module)
    for shard in shards(need=["semantic"])[arguments.part::arguments.parts]:
        if shard.has("codes"):
            continue
        codes = np.zeros((codec.config.codebooks, len(shard.sound) // HOP), np.int16)
        for u in shard.utterances:
            sound, meaning = torch.from_numpy(u.sound())[None], torch.from_numpy(u.array("semantic").astype(np.float32))[None]
            found = codec.quantizer(codec.latents(sound.to(device), meaning.to(device))).codes
            codes[:, u.first:u.first + u.frames] = found[:, 0].cpu().numpy()
        shard.save("codes", codes)
        print(f"codes of {shard.path.name}", flush=True)


if __name__ == "__main__":
    main()
