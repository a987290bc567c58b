"""A small HuBERT (transformers' HubertModel: group norm in the first convolution, layer norms after the residuals), names as published."""
import math
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import weight_norm

KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)  # 20 ms a frame at 16 kHz
POSITION_KERNEL, POSITION_GROUPS = 128, 16


@dataclass(frozen=True)
class HubertConfig:
    hidden_size: int = 64
    layers: int = 2
    heads: int = 4
    intermediate_size: int = 128
    conv_channels: int = 32


class ConvLayer(nn.Module):
    def __init__(self, before, after, kernel, stride, norm):
        super().__init__()
        self.conv = nn.Conv1d(before, after, kernel, stride=stride, bias=False)
        if norm:
            self.layer_norm = nn.GroupNorm(after, after)
        self.norm = norm

    def forward(self, x):
        x = self.conv(x)
        return F.gelu(self.layer_norm(x) if self.norm else x)


class Attention(nn.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.heads = heads
        self.k_proj, self.v_proj, self.q_proj, self.out_proj = (nn.Linear(size, size) for _ in range(4))

    def forward(self, x):
        batch, frames, size = x.shape
        split = lambda y: y.view(batch, frames, self.heads, -1).transpose(1, 2)
        scores = split(self.q_proj(x)) @ split(self.k_proj(x)).transpose(-1, -2) * (size // self.heads) ** -0.5
        return self.out_proj((scores.softmax(-1) @ split(self.v_proj(x))).transpose(1, 2).reshape(batch, frames, size))


class FeedForward(nn.Module):
    def __init__(self, size, inner):
        super().__init__()
        self.intermediate_dense, self.output_dense = nn.Linear(size, inner), nn.Linear(inner, size)

    def forward(self, x):
        return self.output_dense(F.gelu(self.intermediate_dense(x)))


class EncoderLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = Attention(config.hidden_size, config.heads)
        self.layer_norm, self.final_layer_norm = nn.LayerNorm(config.hidden_size), nn.LayerNorm(config.hidden_size)
        self.feed_forward = FeedForward(config.hidden_size, config.intermediate_size)

    def forward(self, x):
        x = self.layer_norm(x + self.attention(x))
        return self.final_layer_norm(x + self.feed_forward(x))


class FeatureExtractor(nn.Module):
    def __init__(self, channels):
        super().__init__()
        sizes = zip([1] + [channels] * 6, KERNELS, STRIDES)
        self.conv_layers = nn.ModuleList([ConvLayer(before, channels, k, s, norm=before == 1) for before, k, s in sizes])


class FeatureProjection(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.layer_norm, self.projection = nn.LayerNorm(config.conv_channels), nn.Linear(config.conv_channels, config.hidden_size)


class PositionalConv(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.conv = weight_norm(nn.Conv1d(size, size, POSITION_KERNEL, padding=POSITION_KERNEL // 2, groups=POSITION_GROUPS), dim=2)

    def forward(self, x):
        return F.gelu(self.conv(x.transpose(1, 2))[..., :-1]).transpose(1, 2)


class HubertEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.pos_conv_embed, self.layer_norm = PositionalConv(config.hidden_size), nn.LayerNorm(config.hidden_size)
        self.layers = nn.ModuleList([EncoderLayer(config) for _ in range(config.layers)])


class Hubert(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.masked_spec_embed = nn.Parameter(torch.rand(config.hidden_size))  # of the published layout; never used here
        self.feature_extractor, self.feature_projection = FeatureExtractor(config.conv_channels), FeatureProjection(config)
        self.encoder = HubertEncoder(config)

    def forward(self, sound):
        """[batch, samples] at 16 kHz -> the mean of all hidden states, 50 a second"""
        x = sound[:, None]
        for layer in self.feature_extractor.conv_layers:
            x = layer(x)
        x = self.feature_projection.projection(self.feature_projection.layer_norm(x.transpose(1, 2)))
        x = self.encoder.layer_norm(x + self.encoder.pos_conv_embed(x))
        states = [x]
        for layer in self.encoder.layers:
            states.append(layer(states[-1]))
        return sum(states) / len(states)

    def frames50(self, sound):
        return self(F.pad(resample_24_to_16(sound), (160, 160)))

    def features(self, sound):
        """[batch, samples] at 24 kHz -> 25 a second: every other frame, as the published codec takes them"""
        return self.frames50(sound)[:, ::2]


@lru_cache(maxsize=None)
def resampling_kernel(device, dtype):
    """The windowed sinc of torchaudio.functional.resample with its defaults (width 6, roll-off 0.99, Hann)."""
    before, after = 3, 2
    base = min(before, after) * 0.99
    width = math.ceil(6 * before / base)
    index = torch.arange(-width, width + before, dtype=torch.float64)[None, None] / before
    t = ((torch.arange(0, -after, -1, dtype=torch.float64)[:, None, None] / after + index) * base).clamp(-6, 6)
    window = torch.cos(t * math.pi / 12) ** 2
    t = t * math.pi
    kernel = torch.where(t == 0, torch.ones_like(t), t.sin() / t) * window * (base / before)
    return kernel.to(device, dtype), width


def resample_24_to_16(sound):
    kernel, width = resampling_kernel(sound.device, sound.dtype)
    y = F.conv1d(F.pad(sound[:, None], (width, width + 3)), kernel, stride=3).transpose(1, 2).reshape(len(sound), -1)
    return y[:, :math.ceil(2 * sound.shape[1] / 3)]
