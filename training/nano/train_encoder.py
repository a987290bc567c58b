"""Stage 2b: encoder and quantiser learn to keep what a recogniser hears. In place of the waveform decoder, which learns slowly, a small network
predicts log spectra from the quantised latents; it is thrown away afterwards. All bands count alike down to the noise of 16-bit sound: what the
ear forgives in a quiet band, a recogniser does not. The codes change: `encode.py`, the language model and the decoder come after it."""
import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from codec import Codec, CodecConfig
from schedule import add_common, cosine, device_of, seed_everything
from spectra import MelSpectrum
from train_codec import few_codebooks
from workspace import HOP, State, crops, set_learning_rate, shards

HOPS, BANDS, BINS = 4, 40, 127  # pictures per codec frame; mel bands; bins up to 3 kHz, where the harmonics are


class Pictures(nn.Module):
    """The log spectra that the head predicts: [batch, 4 * frames, 2 * 40 + 127]."""

    def __init__(self):
        super().__init__()
        self.long, self.short = MelSpectrum(1024, BANDS, HOP // HOPS), MelSpectrum(512, BANDS, HOP // HOPS)

    def forward(self, sound):
        count = sound.shape[1] * HOPS // HOP
        (mel, full), (short, _) = self.long(sound), self.short(sound)
        return torch.cat([mel, short, full[..., 1:1 + BINS]], -1)[:, :count]


class Head(nn.Module):
    """latents [batch, frames, inputs] -> [batch, 4 * frames, outputs]"""

    def __init__(self, inputs, outputs=2 * BANDS + BINS, width=384, blocks=3):
        super().__init__()
        self.first = nn.Conv1d(inputs, width, 5, padding=2)
        self.wide = nn.ModuleList([nn.Conv1d(width, width, 3, padding=1) for _ in range(blocks)])
        self.flat = nn.ModuleList([nn.Conv1d(width, width, 1) for _ in range(blocks)])
        self.last, self.outputs = nn.Conv1d(width, HOPS * outputs, 1), outputs
        nn.init.constant_(self.last.bias, -8.0)

    def forward(self, latents):
        x = self.first(latents.transpose(1, 2))
        for wide, flat in zip(self.wide, self.flat):
            x = x + flat(F.gelu(wide(F.gelu(x))))
        return self.last(F.gelu(x)).transpose(1, 2).reshape(len(latents), -1, self.outputs)


class Trainer:
    def __init__(self, arguments, device):
        self.arguments, self.device, self.state = arguments, device, State("encoder")
        saved = self.state.load()
        before = saved or State("codec").load()
        self.start = saved["step"] if saved else 0
        self.rng = np.random.RandomState(arguments.seed + self.start)
        self.codec = Codec(CodecConfig.from_dict(before["config"]))
        self.codec.load_state_dict(before["model"])
        self.codec.to(device).semantic_model.requires_grad_(False)
        for parameter in self.codec.decoder_parameters():
            parameter.requires_grad_(False)
        self.pictures, self.head = Pictures().to(device), Head(self.codec.fc_prior.out_features).to(device)
        self.parameters = [p for p in self.codec.parameters() if p.requires_grad]
        options = dict(betas=(0.85, 0.99), weight_decay=1e-4)
        self.optimizer = torch.optim.AdamW(self.parameters, arguments.rate, **options)
        self.head_optimizer = torch.optim.AdamW(self.head.parameters(), arguments.head_rate, **options)
        if saved:
            self.head.load_state_dict(saved["head"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.head_optimizer.load_state_dict(saved["head_optimizer"])
        speech = [u for shard in shards(need=["semantic"]) for u in shard.utterances]
        self.batches = crops(speech, arguments.frames, arguments.batch, self.rng)

    def step(self, step):
        factor = cosine(step, self.arguments.steps, warm_up=100, end=0.03)
        chosen, frames = next(self.batches), self.arguments.frames
        sound = torch.from_numpy(np.stack([u.sound(o, frames) for u, o in chosen])).to(self.device)
        meaning = torch.from_numpy(np.stack([u.array("semantic", o, frames).astype(np.float32) for u, o in chosen])).to(self.device)
        quantized = self.codec.quantizer(self.codec.latents(sound, meaning), few_codebooks(self.rng, len(sound), 0.4).to(self.device))
        difference = (self.head(quantized.latents) - self.pictures(sound)).abs()
        mel, fine = difference[..., :2 * BANDS].mean(), difference[..., 2 * BANDS:].mean()
        meant = F.mse_loss(self.codec.decode_meaning(quantized.latents), meaning)
        loss = mel + 0.3 * fine + 0.3 * meant + 0.25 * quantized.commitment
        for optimizer, rate in ((self.optimizer, self.arguments.rate), (self.head_optimizer, self.arguments.head_rate)):
            optimizer.zero_grad(set_to_none=True)
            set_learning_rate(optimizer, rate * factor)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 2.0)
        nn.utils.clip_grad_norm_(self.head.parameters(), 2.0)
        self.optimizer.step()
        self.head_optimizer.step()
        self.codec.quantizer.follow(quantized)
        return float(mel), float(fine), float(meant)

    def run(self):
        sums, count = np.zeros(3), 0
        for step in range(self.start, self.arguments.steps):
            sums += self.step(step)
            count += 1
            if (step + 1) % self.arguments.report == 0 or step + 1 == self.arguments.steps:
                print(f"encoder {step + 1}: log-mel {sums[0] / count:.4f}, harmonics {sums[1] / count:.4f}, meaning {sums[2] / count:.4f}", flush=True)
                sums, count = np.zeros(3), 0
                self.state.save(step=step + 1, config=self.codec.config.to_dict(), model=self.codec.state_dict(), head=self.head.state_dict(),
                                optimizer=self.optimizer.state_dict(), head_optimizer=self.head_optimizer.state_dict())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, steps=3000, rate=8e-4, batch=12)
    parser.add_argument("--head_rate", type=float, default=2e-3, help="the head's highest learning rate")
    parser.add_argument("--frames", type=int, default=24, help="length of the crops in codec frames of 40 ms")
    arguments = parser.parse_args()
    seed_everything(arguments.seed)
    Trainer(arguments, device_of(arguments)).run()


if __name__ == "__main__":
    main()
