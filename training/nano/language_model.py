"""The language model: Llama with a DualFFN in every layer (norms and feed-forward of their own for audio positions), parameter names as published.

A sequence is a row of positions, each either a text token or a column of eight codes. Shapes: tokens and is_audio [batch, length],
codes [batch, length, 8]."""
import math
from dataclasses import asdict, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from tokenizer import VOCABULARY


@dataclass(frozen=True)
class LanguageModelConfig:
    hidden_size: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    intermediate_size: int = 448
    vocabulary: int = VOCABULARY
    codebooks: int = 8
    bins: int = 256
    rope_theta: float = 10000.0
    epsilon: float = 1e-5

    to_dict = asdict

    @property
    def begin(self):  # of the stream, as a code
        return self.bins

    @property
    def end(self):
        return self.bins + 1


def rope_tables(config, length):
    """cos and sin [length, head_dim], with the scaling of Llama 3 as published (factor 32, low 1, high 4, original 8192)"""
    inverse = 1.0 / config.rope_theta ** (torch.arange(0, config.head_dim, 2).float() / config.head_dim)
    wavelength = 2 * math.pi / inverse
    smooth = (8192 / wavelength - 1.0) / 3.0
    between = (1 - smooth) * inverse / 32 + smooth * inverse
    scaled = torch.where(wavelength > 8192, inverse / 32, torch.where(wavelength < 2048, inverse, between))
    angles = torch.arange(length).float()[:, None] * scaled[None]
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


class Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))


def dual_norm(x, text, audio, is_audio, epsilon):
    scale = torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + epsilon).to(x.dtype)
    return x * scale * torch.where(is_audio[..., None], audio.weight, text.weight)


def linear(before, after, scale=1.0):
    layer = nn.Linear(before, after, bias=False)
    nn.init.normal_(layer.weight, std=scale / math.sqrt(before))
    return layer


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config, size = config, config.hidden_size
        self.q_proj = linear(size, config.heads * config.head_dim)
        self.k_proj, self.v_proj = (linear(size, config.kv_heads * config.head_dim) for _ in range(2))
        self.o_proj = linear(config.heads * config.head_dim, size, 1 / math.sqrt(2 * config.layers))

    def forward(self, x, cos, sin, past=None):
        """-> output, attention [batch, heads, length, length + past], (keys, values)"""
        c, (batch, length, _) = self.config, x.shape
        split = lambda y, heads: y.view(batch, length, heads, c.head_dim).transpose(1, 2)
        q = rotate(split(self.q_proj(x), c.heads), cos, sin)
        k = rotate(split(self.k_proj(x), c.kv_heads), cos, sin)
        v = split(self.v_proj(x), c.kv_heads)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        groups = c.heads // c.kv_heads
        scores = q @ k.repeat_interleave(groups, 1).transpose(-1, -2) * c.head_dim ** -0.5
        future = torch.ones(length, k.shape[2], dtype=torch.bool, device=x.device).triu(1 + k.shape[2] - length)
        attention = scores.masked_fill(future, float("-inf")).softmax(-1)
        out = (attention @ v.repeat_interleave(groups, 1)).transpose(1, 2).reshape(batch, length, -1)
        return self.o_proj(out), attention, (k, v)


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate_proj, self.up_proj = (linear(config.hidden_size, config.intermediate_size) for _ in range(2))
        self.down_proj = linear(config.intermediate_size, config.hidden_size, 1 / math.sqrt(2 * config.layers))

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.epsilon, self.self_attn = config.epsilon, Attention(config)
        self.mlp, self.audio_mlp = FeedForward(config), FeedForward(config)
        self.input_layernorm, self.audio_input_layernorm = Norm(config.hidden_size), Norm(config.hidden_size)
        self.post_attention_layernorm, self.audio_post_attention_layernorm = Norm(config.hidden_size), Norm(config.hidden_size)

    def forward(self, x, is_audio, cos, sin, past=None):
        normed = dual_norm(x, self.input_layernorm, self.audio_input_layernorm, is_audio, self.epsilon)
        out, attention, keys = self.self_attn(normed, cos, sin, past)
        x = x + out
        normed = dual_norm(x, self.post_attention_layernorm, self.audio_post_attention_layernorm, is_audio, self.epsilon)
        out = torch.empty_like(normed)
        out[~is_audio], out[is_audio] = self.mlp(normed[~is_audio]).to(out.dtype), self.audio_mlp(normed[is_audio]).to(out.dtype)
        return x + out, attention, keys


class Heads(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.text_lm_head = linear(config.hidden_size, config.vocabulary, 0.3)
        self.audio_lm_head = linear(config.hidden_size, config.codebooks * (config.bins + 2), 0.3)


class LanguageModel(nn.Module):
    def __init__(self, config=LanguageModelConfig(), longest=2048):
        super().__init__()
        self.config, size = config, config.hidden_size
        self.embed_tokens = nn.Embedding(config.vocabulary, size)
        self.audio_codebook_embeddings = nn.Embedding(config.codebooks * (config.bins + 2), size)
        nn.init.normal_(self.embed_tokens.weight, std=0.5)
        nn.init.normal_(self.audio_codebook_embeddings.weight, std=0.2)
        self.layers = nn.ModuleList([Layer(config) for _ in range(config.layers)])
        self.norm, self.audio_decoder_proj = Norm(size), Heads(config)
        cos, sin = rope_tables(config, longest)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.register_buffer("first_row", torch.arange(config.codebooks) * (config.bins + 2), persistent=False)

    def forward(self, tokens, codes, is_audio, past=None, watch=()):
        """-> hidden states [batch, length, size], attention of the layers to watch {layer: [batch, heads, length, length]}, keys and values"""
        x = torch.where(is_audio[..., None], self.audio_codebook_embeddings(codes + self.first_row).sum(-2), self.embed_tokens(tokens))
        start = 0 if past is None else past[0][0].shape[2]
        cos, sin = self.cos[start:start + x.shape[1]], self.sin[start:start + x.shape[1]]
        watched, keys = {}, []
        for index, layer in enumerate(self.layers):
            x, attention, pair = layer(x, is_audio, cos, sin, past and past[index])
            keys.append(pair)
            if index in watch:
                watched[index] = attention
        return dual_norm(x, self.norm, self.norm, is_audio, self.config.epsilon), watched, keys

    def audio_logits(self, hidden):
        """[..., size] -> [..., codebooks, bins + 2]"""
        return self.audio_decoder_proj.audio_lm_head(hidden).unflatten(-1, (self.config.codebooks, self.config.bins + 2))

    def text_logits(self, hidden):
        return self.audio_decoder_proj.text_lm_head(hidden)


def load_language_model(state):
    model = LanguageModel(LanguageModelConfig(**state["config"]))
    model.load_state_dict(state["model"])
    return model.eval()
