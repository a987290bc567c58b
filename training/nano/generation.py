"""Speech and text from a language model, greedily or by sampling. One conversation at a time: for tests and measurements."""
import torch

from conversations import BEGIN_CODE, CODEBOOKS, DESCRIBED, END_CODE, PLAIN, TRANSCRIBE, Sample, delayed, header
from tokenizer import SPECIAL, decode, encode

TURN_END = SPECIAL["<|eot_id|>"]


def speaking_prompt(text, description=None, reference=None):
    """description: the voice in the scene; reference: (what is said, codes [8, frames])"""
    sample = Sample()
    sample.text([SPECIAL["<|begin_of_text|>"], *header("system"), *encode(DESCRIBED.format(description) if description else PLAIN), TURN_END])
    if reference:
        sample.text([*header("user"), *encode(reference[0]), TURN_END, *header("assistant"), SPECIAL["<|audio_out_bos|>"]])
        sample.audio(*delayed(reference[1]))
        sample.text([SPECIAL["<|audio_eos|>"], TURN_END])
    sample.text([*header("user"), *encode(text), TURN_END, *header("assistant"), SPECIAL["<|audio_out_bos|>"]])
    return sample


def listening_prompt(codes):
    sample = Sample()
    sample.text([SPECIAL["<|begin_of_text|>"], *header("user"), *encode(TRANSCRIBE), SPECIAL["<|audio_bos|>"]])
    sample.audio(delayed(codes)[0], None)
    sample.text([SPECIAL["<|audio_eos|>"], TURN_END, *header("assistant")])
    return sample


class Session:
    """A sequence that grows, with its keys and values."""

    def __init__(self, model, sample):
        self.model, self.device, self.past = model, next(model.parameters()).device, None
        tokens = torch.tensor([[token or 0 for token in sample.tokens]])
        codes, is_audio = torch.zeros(1, len(sample), CODEBOOKS, dtype=torch.long), torch.zeros(1, len(sample), dtype=torch.bool)
        for start, columns, _ in sample.columns:
            codes[0, start:start + len(columns)], is_audio[0, start:start + len(columns)] = torch.from_numpy(columns), True
        self.hidden = self._run(tokens, codes, is_audio)

    def _run(self, tokens, codes, is_audio):
        hidden, _, self.past = self.model(tokens.to(self.device), codes.to(self.device), is_audio.to(self.device), self.past)
        return hidden[0, -1]

    def add_column(self, column):
        self.hidden = self._run(torch.zeros(1, 1, dtype=torch.long), column.view(1, 1, -1), torch.ones(1, 1, dtype=torch.bool))

    def add_token(self, token):
        self.hidden = self._run(torch.tensor([[token]]), torch.zeros(1, 1, CODEBOOKS, dtype=torch.long), torch.zeros(1, 1, dtype=torch.bool))


def choose(logits, temperature, top_k):
    """[8, bins + 2] -> [8]"""
    if temperature == 0:
        return logits.argmax(-1).cpu()
    logits = logits / temperature
    logits = logits.masked_fill(logits < logits.topk(top_k, -1).values[..., -1:], float("-inf"))
    return torch.multinomial(logits.softmax(-1), 1)[:, 0].cpu()


@torch.no_grad()
def speak(model, prompt, longest=256, temperature=0.0, top_k=50):
    """-> codes [8, frames], whether it ended by itself. The delay pattern is the reference's: codebook k begins and ends k columns later."""
    session, columns, ending = Session(model, prompt), [], None
    column = torch.full((CODEBOOKS,), BEGIN_CODE)
    for index in range(longest):
        session.add_column(column)
        column = choose(model.audio_logits(session.hidden), temperature, top_k)
        column[index + 1:] = BEGIN_CODE
        if ending is None:
            ends = (column == END_CODE).nonzero()
            if len(ends):
                column[:int(ends[0])] = END_CODE
                ending = CODEBOOKS - 1 - int(ends[0])
        else:
            column[:CODEBOOKS - ending] = END_CODE
            ending -= 1
        columns.append(column)
        if ending == 0:
            break
    made = torch.stack(columns, 1)
    frames = max(0, made.shape[1] - CODEBOOKS + 1 - (ending == 0))
    codes = torch.stack([made[k, k:k + frames] for k in range(CODEBOOKS)])
    return codes.clamp(max=BEGIN_CODE - 1), ending == 0


@torch.no_grad()
def write_text(model, prompt, longest=120):
    session, tokens = Session(model, prompt), []
    while len(tokens) < longest:
        token = int(model.text_logits(session.hidden).argmax())
        if token in (TURN_END, SPECIAL["<|end_of_text|>"]):
            break
        tokens.append(token)
        session.add_token(token)
    return decode(tokens)
