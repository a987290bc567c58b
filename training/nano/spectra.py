"""Log-mel pictures of sound at several resolutions: the distance that the codec is trained by, and what its judges look at."""
import numpy as np
import torch
import torch.nn as nn

from workspace import RATE

FLOOR = 1e-5  # of a full-scale sinusoid's magnitude: above the noise of 16-bit sound. A recogniser hears what is quiet: 2e-4 was too high
RESOLUTIONS = ((256, 20), (512, 40), (1024, 60), (2048, 120))  # window, mel bands


def mel_filters(window, bands, lowest=20, highest=RATE / 2):
    """[bins, bands], each band's weights with sum 1; bands that are narrower than a bin are left out"""
    mel = lambda hertz: 2595 * np.log10(1 + hertz / 700)
    hertz = lambda m: 700 * (10 ** (m / 2595) - 1)
    edges = hertz(np.linspace(mel(lowest), mel(highest), bands + 2))
    bins = np.arange(window // 2 + 1) * RATE / window
    up = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.maximum(0, np.minimum(up, down))
    weights = weights[weights.sum(1) > 0]
    return torch.from_numpy((weights / weights.sum(1, keepdims=True)).astype(np.float32)).t().contiguous()


class MelSpectrum(nn.Module):
    def __init__(self, window, bands, hop=None):
        super().__init__()
        self.size, self.hop = window, hop or window // 4
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        self.register_buffer("filters", mel_filters(window, bands), persistent=False)

    def forward(self, sound):
        """[batch, samples] -> log-mel and log-magnitude pictures [batch, frames, bands or bins]"""
        spectrum = torch.stft(sound, self.size, self.hop, window=self.window, return_complex=True)
        magnitude = torch.sqrt(spectrum.real.pow(2) + spectrum.imag.pow(2) + 1e-12) * (2 / self.window.sum())
        magnitude = magnitude.transpose(1, 2)
        return torch.log(magnitude @ self.filters + FLOOR), torch.log(magnitude + FLOOR)


class SpectralDistance(nn.Module):
    """The mean absolute difference of log-mel pictures, with a little of that of the unsmoothed pictures."""

    def __init__(self):
        super().__init__()
        self.pictures = nn.ModuleList([MelSpectrum(window, bands) for window, bands in RESOLUTIONS])

    def forward(self, a, b):
        total = 0.0
        for picture in self.pictures:
            (mel_a, full_a), (mel_b, full_b) = picture(a), picture(b)
            total = total + (mel_a - mel_b).abs().mean() + 0.1 * (full_a - full_b).abs().mean()
        return total / len(self.pictures)
