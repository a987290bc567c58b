"""What all training stages share: options, seeds, the learning rate over time."""
import math

import torch


def add_common(parser, steps, rate, batch):
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--rate", type=float, default=rate, help="the highest learning rate")
    parser.add_argument("--batch", type=int, default=batch, help="items (the language model: positions) in a step")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=int, default=100, help="steps between two lines of the log, each with a saved state")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="threads on CPU; 0: as many as PyTorch likes")


def device_of(arguments):
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    return torch.device(arguments.device)


def seed_everything(seed):
    torch.manual_seed(seed)


def cosine(step, steps, warm_up, hold=0.0, end=0.02):
    """Factor of the learning rate: a linear rise over `warm_up` steps, 1 for the share `hold` of all steps, then half a cosine down to `end`."""
    share = step / max(1, steps)
    rise = min(1.0, (step + 1) / warm_up)
    fall = max(0.0, (share - hold) / (1 - hold))
    return rise * (end + (1 - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, fall))))
