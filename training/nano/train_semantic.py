"""Stage 1: a HuBERT that tells flite's phones apart (cross-entropy of a linear probe on the mean of its hidden states), then frozen; then its
features of all speech. The published codec uses a HuBERT that learned from unlabelled speech; the timings make labels free here."""
import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from schedule import add_common, cosine, device_of, seed_everything
from semantic import Hubert, HubertConfig
from workspace import HOP, State, crops, set_learning_rate, shards

PHONES = ("pau aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh").split()


def phones_of(utterance):
    """The phone of each 20 ms."""
    middles = np.arange(2 * utterance.frames) * 0.02 + 0.005
    ends = np.array([end for _, end in utterance.phones])
    names = np.array([PHONES.index(name) if name in PHONES else 0 for name, _ in utterance.phones])
    return names[np.searchsorted(ends, middles, side="right").clip(0, len(ends) - 1)]


def train(arguments, device):
    state, saved = State("semantic"), State("semantic").load()
    hubert = Hubert(HubertConfig()).to(device)
    probe = nn.Linear(HubertConfig().hidden_size, len(PHONES)).to(device)
    used = [p for name, p in hubert.named_parameters() if "masked" not in name] + list(probe.parameters())
    optimizer = torch.optim.AdamW(used, arguments.rate, betas=(0.9, 0.98), weight_decay=0.01)
    start = 0
    if saved:
        hubert.load_state_dict(saved["model"])
        start = saved["step"]
        if saved["optimizer"]:
            probe.load_state_dict(saved["probe"])
            optimizer.load_state_dict(saved["optimizer"])
    save = lambda step: state.save(step=step, model=hubert.state_dict(), probe=probe.state_dict(), optimizer=optimizer.state_dict())
    rng = np.random.RandomState(arguments.seed + start)
    batches = crops([u for shard in shards(limit=8) for u in shard.utterances], arguments.frames, arguments.batch, rng)
    right = loss_sum = 0.0
    for step in range(start, arguments.steps):
        chosen = next(batches)
        gain = 10 ** rng.uniform(-0.4, 0.2, (len(chosen), 1)).astype(np.float32)
        sound = torch.from_numpy(np.stack([u.sound(o, arguments.frames) for u, o in chosen]) * gain).to(device)
        phones = torch.from_numpy(np.stack([phones_of(u)[2 * o:2 * (o + arguments.frames)] for u, o in chosen])).to(device)
        logits = probe(hubert.frames50(sound))[:, :phones.shape[1]]
        phones = phones[:, :logits.shape[1]]
        loss = F.cross_entropy(logits.flatten(0, 1), phones.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(used, 1.0)
        set_learning_rate(optimizer, arguments.rate * cosine(step, arguments.steps, warm_up=50))
        optimizer.step()
        loss_sum += float(loss)
        right += float((logits.argmax(-1) == phones).float().mean())
        if (step + 1) % arguments.report == 0 or step + 1 == arguments.steps:
            n = (step % arguments.report) + 1
            print(f"semantic {step + 1}: loss {loss_sum / n:.3f}, right {right / n:.3f}", flush=True)
            right = loss_sum = 0.0
            save(step + 1)
    return hubert


@torch.no_grad()
def write_features(hubert, device):
    hubert.eval()
    for shard in shards():
        if shard.has("semantic"):
            continue
        features = np.zeros((len(shard.sound) // HOP, HubertConfig().hidden_size), np.float16)
        for u in shard.utterances:
            sound = torch.from_numpy(u.sound())[None].to(device)
            features[u.first:u.first + u.frames] = hubert.features(sound)[0].cpu().numpy()
        shard.save("semantic", features)
        print(f"semantic features of {shard.path.name}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, steps=1300, rate=2e-3, batch=32)
    parser.add_argument("--frames", type=int, default=50, help="length of the crops in codec frames of 40 ms")
    arguments = parser.parse_args()
    seed_everything(arguments.seed)
    device = device_of(arguments)
    write_features(train(arguments, device), device)


if __name__ == "__main__":
    main()
