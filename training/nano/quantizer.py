"""Residual vector quantisation: each codebook quantises what the ones before it have left."""
from typing import NamedTuple

import torch
import torch.nn as nn
import torch.nn.functional as F


class Quantized(NamedTuple):
    latents: torch.Tensor     # [batch, frames, width], gradients pass straight through
    codes: torch.Tensor       # [codebooks, batch, frames]
    commitment: torch.Tensor  # how far the latents are from their codes
    projected: list           # per codebook [batch * frames, codebook_dim], what was looked up


class Codebook(nn.Module):
    def __init__(self, bins, width):
        super().__init__()
        self.register_buffer("inited", torch.zeros(1))
        self.register_buffer("cluster_size", torch.zeros(bins))
        self.register_buffer("embed", torch.zeros(bins, width))
        self.register_buffer("embed_avg", torch.zeros(bins, width))


class Layer(nn.Module):
    def __init__(self, width, bins, codebook_dim):
        super().__init__()
        self._codebook = Codebook(bins, codebook_dim)
        self.project_in, self.project_out = nn.Linear(width, codebook_dim), nn.Linear(codebook_dim, width)

    def nearest(self, z):
        embed = self._codebook.embed
        return (embed.pow(2).sum(1) - 2 * z @ embed.t()).argmin(-1)

    def decode(self, codes):
        return self.project_out(F.embedding(codes, self._codebook.embed))


class ResidualQuantizer(nn.Module):
    def __init__(self, width, codebooks, bins, codebook_dim):
        super().__init__()
        self.vq = nn.Module()
        self.vq.layers = nn.ModuleList([Layer(width, bins, codebook_dim) for _ in range(codebooks)])

    def forward(self, latents, keep=None):
        """keep [batch]: how many codebooks an item uses (quantiser dropout); all by default."""
        rest, total, codes, projected, commitment = latents, 0.0, [], [], 0.0
        for index, layer in enumerate(self.vq.layers):
            z = layer.project_in(rest)
            with torch.no_grad():
                nearest = layer.nearest(z)
            found = F.embedding(nearest, layer._codebook.embed)
            commitment = commitment + F.mse_loss(z, found)
            out = layer.project_out(z + (found - z).detach())
            rest = rest - out
            total = total + (out if keep is None else out * (keep > index).to(out.dtype)[:, None, None])
            codes.append(nearest)
            projected.append(z.detach().reshape(-1, z.shape[-1]))
        return Quantized(total, torch.stack(codes), commitment / len(codes), projected)

    def decode(self, codes):
        return sum(layer.decode(code) for layer, code in zip(self.vq.layers, codes))

    @torch.no_grad()
    def initialize(self, latents, seed=0, rounds=12):
        """Projections from principal components, codebooks from k-means, layer by layer. latents [n, width]"""
        generator = torch.Generator().manual_seed(seed)
        rest, whole = latents.clone(), latents.var(0).sum()
        for layer in self.vq.layers:
            width, bins = layer.project_in.out_features, len(layer._codebook.embed)
            mean = rest.mean(0)
            components = torch.linalg.svd(rest - mean, full_matrices=False)[2][:width]
            layer.project_in.weight.copy_(components)
            layer.project_in.bias.copy_(-(components @ mean))
            layer.project_out.weight.copy_(components.t())
            layer.project_out.bias.copy_(mean)
            z = layer.project_in(rest)
            centers = z[torch.randperm(len(z), generator=generator)[:bins].to(z.device)].clone()
            if len(centers) < bins:
                raise ValueError(f"{len(z)} frames are too few for {bins} codes.")
            for _ in range(rounds):
                nearest = torch.cdist(z, centers).argmin(1)
                count = torch.bincount(nearest, minlength=bins).to(z.dtype)[:, None]
                sums = torch.zeros_like(centers).index_add_(0, nearest, z)
                spare = z[torch.randint(len(z), (bins,), generator=generator).to(z.device)]
                centers = torch.where(count > 0, sums / count.clamp(min=1), spare)
            book = layer._codebook
            book.embed.copy_(centers)
            book.embed_avg.copy_(centers)
            book.cluster_size.fill_(1.0)
            book.inited.fill_(1.0)
            rest = rest - layer.decode(layer.nearest(z))
        return float(rest.var(0).sum() / whole)

    @torch.no_grad()
    def follow(self, quantized, decay=0.99, dead=0.03):
        """Moves the codes to the moving average of what they were chosen for; codes that are hardly chosen start again elsewhere."""
        for layer, z, codes in zip(self.vq.layers, quantized.projected, quantized.codes):
            book, bins, codes = layer._codebook, len(layer._codebook.embed), codes.reshape(-1)
            counts = torch.bincount(codes, minlength=bins).to(z.dtype)
            book.cluster_size.mul_(decay).add_(counts, alpha=1 - decay)
            book.embed_avg.mul_(decay).add_(torch.zeros_like(book.embed).index_add_(0, codes, z), alpha=1 - decay)
            total = book.cluster_size.sum()
            size = (book.cluster_size + 1e-5) / (total + bins * 1e-5) * total
            book.embed.copy_(book.embed_avg / size[:, None])
            lost = (book.cluster_size < dead * len(z) / bins).nonzero()[:, 0]
            if len(lost):
                book.embed[lost] = z[torch.randint(len(z), (len(lost),), device=z.device)]
                book.cluster_size[lost] = 0.3 * len(z) / bins
                book.embed_avg[lost] = book.embed[lost] * book.cluster_size[lost][:, None]
