"""Between stages 4 and 5: what the language model would have put in place of every code, given the true past. The upper codebooks of these
are the noise that the decoder learns to live with."""
import argparse

import torch

from conversations import DESCRIBED, Conversations
from language_model import load_language_model
from schedule import add_common, device_of, seed_everything
from train_language_model import Batch
from workspace import VOICES, State, shards


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_common(parser, steps=0, rate=0, batch=16)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--top_k", type=int, default=50)
    parser.add_argument("--shards", type=int, default=10)
    arguments = parser.parse_args()
    seed_everything(arguments.seed)
    device = device_of(arguments)
    model = load_language_model(State("language_model").load()).to(device)
    for shard in shards(need=["codes"], limit=arguments.shards):
        imagined = shard.array("codes").copy()
        spoken = sorted(shard.utterances, key=lambda u: u.frames)
        for start in range(0, len(spoken), arguments.batch):
            utterances = spoken[start:start + arguments.batch]
            samples = [Conversations.spoken(DESCRIBED.format(VOICES[u.voice]), [u]) for u in utterances]
            batch = Batch(samples, device)
            hidden = model(batch.tokens, batch.codes, batch.is_audio)[0]
            for row, (u, sample) in enumerate(zip(utterances, samples)):
                first = sample.columns[0][0]
                logits = model.audio_logits(hidden[row, first:first + u.frames + 8])[..., :model.config.bins] / arguments.temperature
                logits = logits.masked_fill(logits < logits.topk(arguments.top_k, -1).values[..., -1:], float("-inf"))
                drawn = torch.multinomial(logits.softmax(-1).flatten(0, 1), 1).view(-1, 8).cpu().numpy()
                for k in range(8):
                    imagined[k, u.first:u.first + u.frames] = drawn[k:k + u.frames, k]
        shard.save("imagined", imagined)
        print(f"imagined {shard.path.name}", flush=True)


if __name__ == "__main__":
    main()
