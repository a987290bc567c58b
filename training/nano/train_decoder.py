"""Stage 5: the decoder alone, on final codes. Half of the crops have their upper codebooks from what the language model imagined
(`imagine.py`), so that the decoder learns to live with its noise. The codes stay what they are: the language model remains valid, and a better
decoder can be shipped alone. The moving average of the weights is what is exported."""
import argparse

import numpy as np
import torch
import torch.nn as nn

from codec import Codec, CodecConfig
from schedule import add_common, cosine, device_of, seed_everything
from spectra import SpectralDistance
from train_codec import add_adversary, adversary_of
from workspace import State, crops, set_learning_rate, shards


class Average:
    """A moving average of the decoder's weights."""

    def __init__(self, codec, saved=None):
        self.names = [name for name, p in codec.named_parameters() if p.requires_grad]
        self.values = {name: (saved or codec.state_dict())[name].clone().to(next(codec.parameters()).device) for name in self.names}

    def follow(self, codec, step):
        share = max(1e-3, 9 / (step + 10))
        for name, p in codec.named_parameters():
            if p.requires_grad:
                self.values[name].lerp_(p.data, share)


class Trainer:
    def __init__(self, arguments, device):
        self.arguments, self.device, self.state = arguments, device, State("decoder")
        saved = self.state.load()
        before = saved or State("encoder").load() or State("codec").load()
        self.start = saved["step"] if saved else 0
        self.rng = np.random.RandomState(arguments.seed + self.start)
        self.codec = Codec(CodecConfig.from_dict(before["config"]))
        self.codec.load_state_dict(before["model"])
        self.codec.to(device).requires_grad_(False)
        self.parameters = self.codec.decoder_parameters()
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        self.average = Average(self.codec, saved and saved["average"])
        self.optimizer = torch.optim.AdamW(self.parameters, arguments.rate, betas=(0.8, 0.99), weight_decay=1e-4)
        self.distance, self.adversary = SpectralDistance().to(device), adversary_of(arguments, device)
        if saved:
            self.optimizer.load_state_dict(saved["optimizer"])
            if self.adversary and saved["adversary"]:
                self.adversary.load(saved["adversary"])
        speech = [u for shard in shards(need=["codes"]) for u in shard.utterances]
        self.batches = crops(speech, arguments.frames, arguments.batch, self.rng)

    def codes(self, utterance, offset):
        codes = utterance.array("codes", offset, self.arguments.frames).astype(np.int64)
        if utterance.shard.has("imagined") and self.rng.rand() < self.arguments.imagined:
            first = self.rng.randint(2, 5)
            codes[first:] = utterance.array("imagined", offset, self.arguments.frames)[first:]
        return codes

    def step(self, step):
        factor = cosine(step, self.arguments.steps, warm_up=150, end=0.05)
        chosen = next(self.batches)
        sound = torch.from_numpy(np.stack([u.sound(o, self.arguments.frames) for u, o in chosen])).to(self.device)
        codes = torch.from_numpy(np.stack([self.codes(u, o) for u, o in chosen], 1)).to(self.device)
        made = self.codec.decode(codes)
        distance, difference = self.distance(sound, made), (sound - made).abs().mean()
        loss = distance + self.arguments.waveform * difference
        if self.adversary:
            loss = loss + self.adversary.loss(step, sound, made, factor, (self.arguments.seen, self.arguments.matching))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 2.0)
        set_learning_rate(self.optimizer, self.arguments.rate * factor)
        self.optimizer.step()
        self.average.follow(self.codec, step)
        return float(distance), float(difference), float(loss)

    def run(self):
        sums, count = np.zeros(3), 0
        for step in range(self.start, self.arguments.steps):
            sums += self.step(step)
            count += 1
            if (step + 1) % self.arguments.report == 0 or step + 1 == self.arguments.steps:
                print(f"decoder {step + 1}: log-mel distance {sums[0] / count:.4f}, waveform {sums[1] / count:.4f}, loss {sums[2] / count:.4f}", flush=True)
                sums, count = np.zeros(3), 0
                self.state.save(step=step + 1, config=self.codec.config.to_dict(), model=self.codec.state_dict(), average=self.average.values,
                                optimizer=self.optimizer.state_dict(), adversary=self.adversary and self.adversary.state())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, steps=8000, rate=1e-3, batch=4)
    add_adversary(parser, start=0.0)
    parser.add_argument("--frames", type=int, default=24, help="length of the crops in codec frames of 40 ms")
    parser.add_argument("--imagined", type=float, default=0.5, help="share of the crops with imagined upper codebooks")
    parser.add_argument("--waveform", type=float, default=0.0, help="weight of the difference of the waveforms: the codes of `train_encoder.py` hold no phase")
    arguments = parser.parse_args()
    seed_everything(arguments.seed)
    Trainer(arguments, device_of(arguments)).run()


if __name__ == "__main__":
    main()
