"""Stage 4: the language model. Cross-entropy of all eight codebooks and of the text; short utterances first. Guided attention makes it align
text and speech within a few hundred steps: one head in each of two layers is rewarded for looking at the word that is being spoken (or, for the
reverse task, at the sound of the word that is being written), with a weight that fades to nothing. It costs nothing at inference."""
import argparse
import contextlib
import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from conversations import DESCRIBED, LISTENING_HEADS, NONE, SPEAKING_HEADS, Conversations
from language_model import LanguageModel, LanguageModelConfig
from schedule import add_common, cosine, device_of, seed_everything
from workspace import HOP, RATE, VOICES, State, set_learning_rate, shards

CODEBOOK_WEIGHTS = torch.tensor([2.0, 1.5, 1.2, 1, 1, 1, 1, 1])
TEXT_WEIGHT, GUIDANCE_WEIGHT, LONGEST_ROW = 0.15, 0.15, 460


class Batch:
    """Samples side by side, padded at the end."""

    def __init__(self, samples, device):
        rows, length = len(samples), max(map(len, samples))
        tokens, next_tokens = np.zeros((rows, length), np.int64), np.full((rows, length), NONE, np.int64)
        codes, following = np.zeros((rows, length, 8), np.int64), np.full((rows, length, 8), NONE, np.int64)
        is_audio = np.zeros((rows, length), bool)
        guides = {SPEAKING_HEADS: [], LISTENING_HEADS: []}
        for row, sample in enumerate(samples):
            tokens[row, :len(sample)] = [token or 0 for token in sample.tokens]
            next_tokens[row, :len(sample)] = sample.next_tokens
            for start, columns, after in sample.columns:
                part = slice(start, start + len(columns))
                codes[row, part], is_audio[row, part] = columns, True
                if after is not None:
                    following[row, part] = after
            guides[SPEAKING_HEADS] += [(row, *guide) for guide in sample.speaking]
            guides[LISTENING_HEADS] += [(row, *guide) for guide in sample.listening]
        put = lambda array: torch.from_numpy(array).to(device)
        self.tokens, self.next_tokens, self.codes, self.following, self.is_audio = map(put, (tokens, next_tokens, codes, following, is_audio))
        self.guides = {heads: put(np.array(found, np.int64)) for heads, found in guides.items() if found}


def guidance_loss(guides, watched):
    """Minus the logarithm of the attention that falls where it should."""
    loss, terms = 0.0, 0
    for heads, found in guides.items():
        row, position, first, behind = found.t()
        for layer, head in heads:
            seen = F.pad(watched[layer][row, head, position].float().cumsum(-1), (1, 0))
            inside = seen.gather(1, behind[:, None]) - seen.gather(1, first[:, None])
            loss, terms = loss - torch.log(inside + 1e-3).mean(), terms + 1
    return loss / max(1, terms)


def losses(model, batch, guided):
    """-> loss of each codebook [8], loss of the text, guidance"""
    layers = {layer for heads in batch.guides for layer, _ in heads} if guided else ()
    hidden, watched, _ = model(batch.tokens, batch.codes, batch.is_audio, watch=layers)
    spoken = (batch.following != NONE).any(-1)
    logits, labels = model.audio_logits(hidden[spoken]).float(), batch.following[spoken]
    audio = torch.stack([F.cross_entropy(logits[:, k], labels[:, k], ignore_index=NONE) for k in range(labels.shape[1])])
    written = batch.next_tokens != NONE
    text = F.cross_entropy(model.text_logits(hidden[written]).float(), batch.next_tokens[written])
    return audio, text, guidance_loss(batch.guides, watched) if guided else torch.zeros((), device=audio.device)


class Trainer:
    def __init__(self, arguments, device):
        self.arguments, self.device, self.state = arguments, device, State("language_model")
        self.model = LanguageModel(LanguageModelConfig()).to(device)
        decayed = [p for p in self.model.parameters() if p.dim() > 1]
        plain = [p for p in self.model.parameters() if p.dim() <= 1]
        self.optimizer = torch.optim.AdamW([dict(params=decayed, weight_decay=0.05), dict(params=plain, weight_decay=0.0)], arguments.rate, betas=(0.9, 0.98))
        self.start, saved = 0, self.state.load()
        if saved:
            self.model.load_state_dict(saved["model"])
            self.start = saved["step"]
            if saved["optimizer"]:
                self.optimizer.load_state_dict(saved["optimizer"])
        speech = [u for shard in shards(need=["codes"]) for u in shard.utterances]
        random.Random(5).shuffle(speech)
        held = min(64, len(speech) // 10)
        self.validation, speech = speech[:held], speech[held:]
        self.conversations = Conversations(speech, arguments.seed + self.start, arguments.cloning, arguments.listening)
        self.weights = (CODEBOOK_WEIGHTS / CODEBOOK_WEIGHTS.sum()).to(device)

    def batch(self, share):
        longest = RATE / HOP * (1.0 + 5.5 * min(1, share / 0.25))  # 1 s at first, 6.5 s after a quarter
        samples, positions = [], 0
        while positions < self.arguments.batch:
            sample = self.conversations.sample(longest, may_listen=share > self.arguments.listen_from)
            if len(sample) <= LONGEST_ROW:
                samples.append(sample)
                positions += len(sample)
        return Batch(samples, self.device)

    def total(self, audio, text):
        return (audio * self.weights).sum() + TEXT_WEIGHT * text

    def step(self, step):
        share = step / self.arguments.steps
        guided = GUIDANCE_WEIGHT * max(0.0, 1 - share / 0.7)
        batch = self.batch(share)
        with torch.autocast("cuda", torch.bfloat16) if self.device.type == "cuda" else contextlib.nullcontext():
            audio, text, guidance = losses(self.model, batch, guided > 0)
        self.optimizer.zero_grad(set_to_none=True)
        (self.total(audio, text) + guided * guidance).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        set_learning_rate(self.optimizer, self.arguments.rate * cosine(step, self.arguments.steps, warm_up=150, hold=0.25))
        self.optimizer.step()
        return np.array([float((audio * self.weights).sum()), float(audio[0]), float(text), float(guidance)])

    @torch.no_grad()
    def validate(self):
        if not self.validation:
            return "no validation"
        samples = [Conversations.spoken(DESCRIBED.format(VOICES[u.voice]), [u]) for u in self.validation]
        audio, text, _ = losses(self.model, Batch(samples, self.device), False)
        return f"validation: audio {float((audio * self.weights).sum()):.3f}, first codebook {float(audio[0]):.3f}, text {float(text):.3f}"

    def run(self):
        sums, count, every = np.zeros(4), 0, self.arguments.report
        for step in range(self.start, self.arguments.steps):
            sums += self.step(step)
            count += 1
            if (step + 1) % every == 0 or step + 1 == self.arguments.steps:
                audio, first, text, guidance = sums / count
                print(f"language model {step + 1}: audio {audio:.3f}, first codebook {first:.3f}, text {text:.3f}, guidance {guidance:.2f}", flush=True)
                sums, count = np.zeros(4), 0
                self.state.save(step=step + 1, config=self.model.config.to_dict(), model=self.model.state_dict(), optimizer=self.optimizer.state_dict())
            if (step + 1) % (5 * every) == 0 or step + 1 == self.arguments.steps:
                print(self.validate(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, steps=5250, rate=1.5e-3, batch=4000)
    parser.add_argument("--cloning", type=float, default=0.3, help="share of conversations in which the voice comes from the turn before")
    parser.add_argument("--listening", type=float, default=0.08, help="share of transcriptions; 0.2 to 0.25 to learn them (the released pair had 0.08)")
    parser.add_argument("--listen_from", type=float, default=0.35, help="share of the steps before the first transcription")
    arguments = parser.parse_args()
    seed_everything(arguments.seed)
    Trainer(arguments, device_of(arguments)).run()


if __name__ == "__main__":
    main()
