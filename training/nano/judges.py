"""Discriminators. `MelJudges` look at log-mel pictures: cheap enough for a CPU. `WaveJudges` are the usual ones for a GPU: periods of the
waveform (HiFi-GAN) and complex spectra at several resolutions (DAC). Least-squares losses and feature matching."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import weight_norm

from spectra import MelSpectrum


def run(layers, last, x):
    features = []
    for layer in layers:
        x = F.leaky_relu(layer(x), 0.1)
        features.append(x)
    return last(x), features


def conv2d(*arguments):
    return weight_norm(nn.Conv2d(*arguments))


class MelJudge(nn.Module):
    def __init__(self, window, hop, bands, width=24):
        super().__init__()
        self.picture = MelSpectrum(window, bands, hop)
        self.layers = nn.ModuleList([conv2d(1, width, 5, 1, 2), conv2d(width, width, 4, 2, 1), conv2d(width, 2 * width, 4, 2, 1), conv2d(2 * width, 2 * width, 3, 1, 1)])
        self.last = conv2d(2 * width, 1, 3, 1, 1)

    def forward(self, sound):
        return run(self.layers, self.last, 0.5 * (self.picture(sound)[0] + 5)[:, None])


class PeriodJudge(nn.Module):
    def __init__(self, period, width):
        super().__init__()
        self.period, sizes = period, [1, width, 4 * width, 8 * width, 8 * width]
        layers = [conv2d(a, b, (5, 1), (3, 1), (2, 0)) for a, b in zip(sizes, sizes[1:])] + [conv2d(8 * width, 8 * width, (5, 1), 1, (2, 0))]
        self.layers, self.last = nn.ModuleList(layers), conv2d(8 * width, 1, (3, 1), 1, (1, 0))

    def forward(self, sound):
        sound = F.pad(sound[:, None], (0, -sound.shape[-1] % self.period), mode="reflect")
        return run(self.layers, self.last, sound.view(len(sound), 1, -1, self.period))


class SpectrumJudge(nn.Module):
    def __init__(self, window, width):
        super().__init__()
        self.size = window
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        layers = [conv2d(2, width, (3, 9), 1, (1, 4))] + [conv2d(width, width, (3, 9), (1, 2), (1, 4)) for _ in range(3)] + [conv2d(width, width, 3, 1, 1)]
        self.layers, self.last = nn.ModuleList(layers), conv2d(width, 1, 3, 1, 1)

    def forward(self, sound):
        s = torch.stft(sound, self.size, self.size // 4, window=self.window, return_complex=True) * (20 / self.window.sum())
        return run(self.layers, self.last, torch.stack([s.real, s.imag], 1).transpose(2, 3))


class MelJudges(nn.ModuleList):
    def __init__(self):
        super().__init__([MelJudge(512, 128, 64), MelJudge(1024, 256, 80), MelJudge(2048, 256, 128)])


class WaveJudges(nn.ModuleList):
    def __init__(self, width=32):
        super().__init__([PeriodJudge(p, width) for p in (2, 3, 5, 7, 11)] + [SpectrumJudge(n, width) for n in (2048, 1024, 512)])


JUDGES = {"mel": MelJudges, "wave": WaveJudges}


def judge_loss(judges, real, made):
    """What the judges get wrong: real sound should be 1, made sound 0."""
    loss = 0.0
    for judge in judges:
        verdict_real, verdict_made = judge(torch.cat([real, made.detach()]))[0].chunk(2)
        loss = loss + (1 - verdict_real).pow(2).mean() + verdict_made.pow(2).mean()
    return loss / len(judges)


def maker_losses(judges, real, made):
    """How much the judges see through it, and how different the judges' features of real and made sound are."""
    seen = matching = 0.0
    for judge in judges:
        with torch.no_grad():
            features_real = judge(real)[1]
        verdict, features_made = judge(made)
        seen = seen + (1 - verdict).pow(2).mean()
        matching = matching + sum((a - b).abs().mean() / (a.abs().mean() + 1e-4) for a, b in zip(features_real, features_made)) / len(features_made)
    return seen / len(judges), matching / len(judges)
