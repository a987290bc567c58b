"""Word error rates of an independent recogniser on held-out sentences, for flite's own sound, the codec alone, and the language model with the
codec; the character error rate of transcriptions. One line a voice."""
import argparse

import numpy as np
import torch

from codec import load_codec
from generation import listening_prompt, speak, speaking_prompt, write_text
from language_model import load_language_model
from recognizer import distance, word_error_rate
from schedule import add_common, device_of, seed_everything
from spectra import SpectralDistance
from speech import Synthesizer
from workspace import VOICES, State, heldout

REFERENCE = "i would like a cup of coffee, please."


class Evaluation:
    def __init__(self, arguments):
        self.arguments, self.device = arguments, device_of(arguments)
        self.codec = load_codec(State("decoder").load() or State("encoder").load() or State("codec").load()).to(self.device)
        model = State("language_model").load()
        self.model = load_language_model(model).to(self.device) if model else None
        self.synthesizer, self.distance = Synthesizer(), SpectralDistance().to(self.device)
        self.texts = heldout(arguments.set)[:arguments.sentences]

    def source(self, voice, text):
        return torch.from_numpy(self.synthesizer.say(voice, text)[0].astype(np.float32) / 32768)[None].to(self.device)

    def decode(self, codes):
        return self.codec.decode(codes.to(self.device))[0].cpu().numpy() if codes.shape[-1] else np.zeros(9600, np.float32)

    def floor(self, voice):
        return f"word error rate {word_error_rate(self.texts, [self.source(voice, text)[0].cpu().numpy() for text in self.texts]):.3f}"

    def unquantized(self, voice):
        made = []
        for text in self.texts:
            sound = self.source(voice, text)
            made.append(self.codec.decode_latents(self.codec.latents(sound, self.codec.semantic_model.features(sound)))[0].cpu().numpy())
        return f"word error rate {word_error_rate(self.texts, made):.3f}"

    def codec_alone(self, voice):
        sources = [self.source(voice, text) for text in self.texts]
        made = [self.codec.decode(self.codec.encode(source)) for source in sources]
        distance = np.mean([float(self.distance(a, b)) for a, b in zip(sources, made)])
        rate = word_error_rate(self.texts, [sound[0].cpu().numpy() for sound in made])
        return f"word error rate {rate:.3f}, log-mel distance {distance:.4f}"

    def whole(self, voice, clones=False):
        made, ended, lengths = [], 0, []
        for text in self.texts:
            if clones:
                said = REFERENCE if text != REFERENCE else "he opened the door and looked outside."
                prompt = speaking_prompt(text, reference=(said, self.codec.encode(self.source(voice, said))[:, 0].cpu().numpy()))
            else:
                prompt = speaking_prompt(text, VOICES[voice])
            codes, by_itself = speak(self.model, prompt, temperature=self.arguments.temperature)
            ended += by_itself
            sound = self.decode(codes[:, None])
            lengths.append(len(sound) / self.source(voice, text).shape[1])
            made.append(sound)
        rate = word_error_rate(self.texts, made)
        return f"word error rate {rate:.3f}, {ended} of {len(made)} ended by themselves, length {np.median(lengths):.2f} ({min(lengths):.2f} to {max(lengths):.2f}) of flite's"

    def listening(self, voice):
        errors = characters = 0
        for text in self.texts:
            heard = write_text(self.model, listening_prompt(self.codec.encode(self.source(voice, text))[:, 0].cpu().numpy()))
            errors, characters = errors + distance(text, heard), characters + len(text)
        return f"character error rate {errors / characters:.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_common(parser, steps=0, rate=0, batch=0)
    parser.add_argument("what", nargs="*", default=["floor", "unquantized", "codec", "described", "cloned", "listening"])
    parser.add_argument("--set", default="harvard_everyday", help="harvard_everyday or corpus")
    parser.add_argument("--sentences", type=int, default=40)
    parser.add_argument("--temperature", type=float, default=0.0)
    arguments = parser.parse_args()
    seed_everything(arguments.seed)
    evaluation = Evaluation(arguments)
    measures = dict(floor=evaluation.floor, unquantized=evaluation.unquantized, codec=evaluation.codec_alone, described=evaluation.whole,
                    cloned=lambda voice: evaluation.whole(voice, clones=True), listening=evaluation.listening)
    with torch.no_grad():
        for name in arguments.what:
            for voice in VOICES:
                print(f"{name}, {VOICES[voice]}: {measures[name](voice)}", flush=True)


if __name__ == "__main__":
    main()
