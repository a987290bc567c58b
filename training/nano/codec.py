"""The codec: HuBERT for meaning, a DAC encoder for sound, a residual vector quantiser over both, a DAC decoder.

The modules carry the names of the published checkpoint's state dict, so that `export.py` only writes them out. Shapes: sound [batch, samples]
at 24 kHz, semantic features [batch, frames, 64], latents [batch, frames, 128], codes [8, batch, frames]; 25 frames a second.
"""
import math
from dataclasses import asdict, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import weight_norm

from quantizer import ResidualQuantizer
from semantic import Hubert, HubertConfig


@dataclass(frozen=True)
class CodecConfig:
    encoder_channels: int = 8
    decoder_channels: int = 320
    latent: int = 64
    codebooks: int = 8
    bins: int = 256
    codebook_dim: int = 32
    ratios: tuple = (8, 5, 4, 2, 3)
    semantic: HubertConfig = HubertConfig()

    def to_dict(self):
        return asdict(self)

    @staticmethod
    def from_dict(values):
        return CodecConfig(**{**values, "ratios": tuple(values["ratios"]), "semantic": HubertConfig(**values["semantic"])})


class Snake1d(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, x):
        return x + torch.sin(self.alpha * x).pow(2) / (self.alpha + 1e-9)


def conv(*arguments, **options):
    return weight_norm(nn.Conv1d(*arguments, **options))


class ResidualUnit(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.block = nn.Sequential(Snake1d(channels), conv(channels, channels, 7, dilation=dilation, padding=3 * dilation),
                                   Snake1d(channels), conv(channels, channels, 1))

    def forward(self, x):
        return x + self.block(x)


class Block(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.block = nn.Sequential(*layers)

    def forward(self, x):
        return self.block(x)


class Encoder(nn.Module):
    def __init__(self, channels, ratios, latent):
        super().__init__()
        layers = [conv(1, channels, 7, padding=3)]
        for ratio in ratios:
            layers.append(Block(*[ResidualUnit(channels, d) for d in (1, 3, 9)], Snake1d(channels),
                                conv(channels, 2 * channels, 2 * ratio, stride=ratio, padding=math.ceil(ratio / 2))))
            channels *= 2
        self.block = nn.Sequential(*layers, Snake1d(channels), conv(channels, latent, 3, padding=1))

    def forward(self, x):
        return self.block(x)


class Decoder(nn.Module):
    def __init__(self, latent, channels, ratios):
        super().__init__()
        layers = [conv(latent, channels, 7, padding=3)]
        for ratio in ratios:
            half = channels // 2
            up = weight_norm(nn.ConvTranspose1d(channels, half, 2 * ratio, stride=ratio, padding=math.ceil(ratio / 2), output_padding=ratio % 2))
            layers.append(Block(Snake1d(channels), up, *[ResidualUnit(half, d) for d in (1, 3, 9)]))
            channels = half
        self.model = nn.Sequential(*layers, Snake1d(channels), conv(channels, 1, 7, padding=3))

    def forward(self, x):
        return self.model(x)


class WrappedConv(nn.Module):
    def __init__(self, channels, kernel, bias):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, kernel, padding=(kernel - 1) // 2, bias=bias)

    def forward(self, x):
        return self.conv(x)


class SemanticResidual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.conv2 = WrappedConv(channels, 3, bias=False), nn.Conv1d(channels, channels, 1, bias=False)

    def forward(self, x):
        return x + self.conv2(F.elu(self.conv1(F.elu(x))))


class SemanticBlock(nn.Module):
    def __init__(self, channels, decodes):
        super().__init__()
        self.decodes = decodes
        self.res_units = nn.ModuleList([SemanticResidual(channels), SemanticResidual(channels)])
        self.conv = WrappedConv(channels, 3, bias=True)

    def forward(self, x):
        x = self.conv(x) if self.decodes else x
        for unit in self.res_units:
            x = unit(x)
        return x if self.decodes else self.conv(x)


class SemanticEncoder(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = WrappedConv(channels, 3, bias=False)
        self.conv_blocks = nn.ModuleList([SemanticBlock(channels, False), SemanticBlock(channels, False)])

    def forward(self, x):
        x = self.conv(x)
        for block in self.conv_blocks:
            x = block(x)
        return x


class SemanticDecoder(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.conv2 = WrappedConv(channels, 3, bias=False), WrappedConv(channels, 3, bias=False)
        self.conv_blocks = nn.ModuleList([SemanticBlock(channels, True), SemanticBlock(channels, True)])

    def forward(self, x):
        x = self.conv1(x)
        for block in self.conv_blocks:
            x = block(x)
        return self.conv2(x)


class Codec(nn.Module):
    def __init__(self, config=CodecConfig()):
        super().__init__()
        self.config, meaning = config, config.semantic.hidden_size
        both = config.latent + meaning
        self.encoder = Encoder(config.encoder_channels, config.ratios, config.latent)
        self.decoder_2 = Decoder(config.latent, config.decoder_channels, config.ratios)
        self.semantic_model = Hubert(config.semantic)
        self.encoder_semantic, self.decoder_semantic = SemanticEncoder(meaning), SemanticDecoder(meaning)
        self.quantizer = ResidualQuantizer(both, config.codebooks, config.bins, config.codebook_dim)
        self.fc_prior, self.fc_post1, self.fc_post2 = nn.Linear(both, both), nn.Linear(both, meaning), nn.Linear(both, config.latent)

    def latents(self, sound, semantic):
        heard, meant = self.encoder(sound[:, None]), self.encoder_semantic(semantic.transpose(1, 2))
        return self.fc_prior(torch.cat([heard, meant], 1).transpose(1, 2))

    def encode(self, sound):
        return self.quantizer(self.latents(sound, self.semantic_model.features(sound))).codes

    def decode_latents(self, latents):
        return self.decoder_2(self.fc_post2(latents).transpose(1, 2))[:, 0]

    def decode(self, codes):
        return self.decode_latents(self.quantizer.decode(codes))

    def decode_meaning(self, latents):
        return self.decoder_semantic(self.fc_post1(latents).transpose(1, 2)).transpose(1, 2)

    def decoder_parameters(self):
        return [*self.decoder_2.parameters(), *self.fc_post2.parameters()]


def load_codec(state, average=True):
    """The codec of a training state: with the moving average of its decoder, where there is one."""
    codec = Codec(CodecConfig.from_dict(state["config"]))
    codec.load_state_dict(state["model"])
    if average and state.get("average") is not None:
        codec.load_state_dict(state["average"], strict=False)
    return codec.eval()
