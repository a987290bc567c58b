"""Stage 2: the codec. First an autoencoder without quantisation, then the quantiser starts from principal components and k-means and its codes
follow by moving averages; for the last part of the steps encoder and quantiser rest, the codes are final, and only the decoder goes on."""
import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from codec import Codec, CodecConfig
from judges import JUDGES, judge_loss, maker_losses
from schedule import add_common, cosine, device_of, seed_everything
from spectra import SpectralDistance
from workspace import State, crops, set_learning_rate, shards


class Adversary:
    """Judges and their optimizer; they begin at a step of their own."""

    def __init__(self, kind, start, ramp, device):
        self.start, self.ramp = start, ramp
        self.judges = JUDGES[kind]().to(device)
        self.optimizer = torch.optim.AdamW(self.judges.parameters(), 3e-4, betas=(0.8, 0.99), weight_decay=0.0)

    def loss(self, step, real, made, rate_factor, weights):
        """Trains the judges for a step, and returns the maker's loss."""
        if step < self.start:
            return torch.zeros((), device=real.device)
        self.judges.requires_grad_(True)
        loss = judge_loss(self.judges, real, made)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.judges.parameters(), 10.0)
        set_learning_rate(self.optimizer, 3e-4 * rate_factor)
        self.optimizer.step()
        self.judges.requires_grad_(False)
        seen, matching = maker_losses(self.judges, real, made)
        return min(1.0, (step - self.start) / self.ramp) * (weights[0] * seen + weights[1] * matching)

    def state(self):
        return dict(judges=self.judges.state_dict(), optimizer=self.optimizer.state_dict())

    def load(self, state):
        self.judges.load_state_dict(state["judges"])
        self.optimizer.load_state_dict(state["optimizer"])


def add_adversary(parser, start):
    parser.add_argument("--judges", choices=["none", *JUDGES], default="none")
    parser.add_argument("--judges_start", type=float, default=start, help="share of the steps before they begin")
    parser.add_argument("--seen", type=float, default=0.15, help="weight of the judges' verdict")
    parser.add_argument("--matching", type=float, default=0.3, help="weight of the judges' features")


def adversary_of(arguments, device):
    if arguments.judges == "none":
        return None
    return Adversary(arguments.judges, int(arguments.judges_start * arguments.steps), max(1, arguments.steps // 20), device)


def few_codebooks(rng, items, share):
    """Quantiser dropout: with probability `share`, four in ten items use their first 2 to 8 codebooks alone. [items]"""
    few = np.full(items, 8)
    if rng.rand() < share:
        few = np.where(rng.rand(items) < 0.4, rng.randint(2, 9, items), few)
    return torch.from_numpy(few)


class Trainer:
    def __init__(self, arguments, device):
        self.arguments, self.device, self.state = arguments, device, State("codec")
        self.rng = np.random.RandomState(arguments.seed)
        config = CodecConfig(encoder_channels=arguments.encoder, decoder_channels=arguments.decoder)
        self.codec = Codec(config)
        self.codec.semantic_model.load_state_dict(State("semantic").load()["model"])
        self.codec.to(device).semantic_model.requires_grad_(False)
        self.parameters = [p for p in self.codec.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, arguments.rate, betas=(0.8, 0.99), weight_decay=1e-4)
        self.distance, self.adversary = SpectralDistance().to(device), adversary_of(arguments, device)
        self.start, saved = 0, self.state.load()
        if saved:
            self.codec.load_state_dict(saved["model"])
            self.start = saved["step"]
            if saved["optimizer"]:
                self.optimizer.load_state_dict(saved["optimizer"])
            self.rng = np.random.RandomState(arguments.seed + self.start)
            if self.adversary and saved["adversary"]:
                self.adversary.load(saved["adversary"])
        speech = [u for shard in shards(need=["semantic"]) for u in shard.utterances]
        self.batches = crops(speech, arguments.frames, arguments.batch, self.rng)

    def batch(self):
        chosen, frames = next(self.batches), self.arguments.frames
        sound = torch.from_numpy(np.stack([u.sound(o, frames) for u, o in chosen])).to(self.device)
        meaning = torch.from_numpy(np.stack([u.array("semantic", o, frames).astype(np.float32) for u, o in chosen])).to(self.device)
        return sound, meaning

    @torch.no_grad()
    def initialize_quantizer(self):
        latents = []
        while sum(map(len, latents)) < 20 * self.codec.config.bins:
            latents.append(self.codec.latents(*self.batch()).flatten(0, 1))
        rest = self.codec.quantizer.initialize(torch.cat(latents), self.arguments.seed)
        print(f"quantiser initialised; {rest:.3f} of the variance is left over", flush=True)

    def quantize(self, sound, meaning, step):
        """-> latents for the decoder, losses of encoder and quantiser, what the codes have to follow"""
        none = torch.zeros((), device=self.device)
        resting = step >= self.arguments.steps * (1 - self.arguments.rest)
        with torch.set_grad_enabled(not resting):
            latents = self.codec.latents(sound, meaning)
            if step < self.arguments.unquantized:
                return latents + 0.02 * torch.randn_like(latents), 0.01 * latents.pow(2).mean(), None
            keep = None if resting else few_codebooks(self.rng, len(sound), 0.5).to(self.device)
            quantized = self.codec.quantizer(latents, keep)
        if resting:
            return quantized.latents, none, None
        meant = F.mse_loss(self.codec.decode_meaning(quantized.latents), meaning)
        return quantized.latents, 0.25 * quantized.commitment + 0.5 * meant, quantized

    def step(self, step):
        if step == self.arguments.unquantized:
            self.initialize_quantizer()
        factor = cosine(step, self.arguments.steps, warm_up=100, end=0.03)
        sound, meaning = self.batch()
        latents, loss, quantized = self.quantize(sound, meaning, step)
        made = self.codec.decode_latents(latents)
        distance, difference = self.distance(sound, made), (sound - made).abs().mean()
        loss = loss + distance + self.arguments.waveform * difference
        if self.adversary:
            loss = loss + self.adversary.loss(step, sound, made, factor, (self.arguments.seen, self.arguments.matching))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 2.0)
        set_learning_rate(self.optimizer, self.arguments.rate * factor)
        self.optimizer.step()
        if quantized:
            self.codec.quantizer.follow(quantized)
        return float(distance), float(difference)

    def run(self):
        sums, count = np.zeros(2), 0
        for step in range(self.start, self.arguments.steps):
            sums += self.step(step)
            count += 1
            if (step + 1) % self.arguments.report == 0 or step + 1 == self.arguments.steps:
                print(f"codec {step + 1}: log-mel distance {sums[0] / count:.4f}, waveform {sums[1] / count:.4f}", flush=True)
                sums, count = np.zeros(2), 0
                self.state.save(step=step + 1, config=self.codec.config.to_dict(), model=self.codec.state_dict(),
                                optimizer=self.optimizer.state_dict(), adversary=self.adversary and self.adversary.state())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, steps=3400, rate=1.2e-3, batch=16)
    add_adversary(parser, start=0.2)
    parser.add_argument("--frames", type=int, default=12, help="length of the crops in codec frames of 40 ms")
    parser.add_argument("--unquantized", type=int, default=400, help="steps before the quantiser")
    parser.add_argument("--rest", type=float, default=0.25, help="share of the steps, at the end, in which the codes are final")
    parser.add_argument("--waveform", type=float, default=2.0, help="weight of the difference of the waveforms")
    parser.add_argument("--encoder", type=int, default=8, help="channels of the encoder's first layer")
    parser.add_argument("--decoder", type=int, default=320, help="channels of the decoder's first layer")
    arguments = parser.parse_args()
    seed_everything(arguments.seed)
    Trainer(arguments, device_of(arguments)).run()


if __name__ == "__main__":
    main()
