"""What the voice learns to say: sentences of Debian's `fortunes`, of any public-domain books (plain text) that you name, templates with numbers,
dates, times, money and names, single words and groups of words. Writes texts.tsv and heldout.tsv.

The model reads lower case, a to z, apostrophe, comma, full stop, question and exclamation mark; everything else is spelled out, as the
library's EnglishTextNormalizer does at run time.
"""
import argparse
import random
import re
from collections import Counter
from pathlib import Path

from templates import sentence_from_template
from workspace import WORK

FORTUNES = Path("/usr/share/games/fortunes")
UNSUITABLE_FORTUNES = ("ascii", "translate", "songs", "zippy")  # pictures, other languages, nonsense
DICTIONARY = Path("/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict")  # words that the recogniser can know at all
LONGEST, SHORTEST, LONGEST_WORD = 70, 8, 14
HARVARD = """the birch canoe slid on the smooth planks.|glue the sheet to the dark blue background.|it's easy to tell the depth of a well.
these days a chicken leg is a rare dish.|rice is often served in round bowls.|the juice of lemons makes fine punch.
the box was thrown beside the parked truck.|four hours of steady work faced us.|a large size in stockings is hard to sell.
the boy was there when the sun rose.|a rod is used to catch pink salmon.|the source of the huge river is the clear spring.
kick the ball straight and follow through.|help the woman get back to her feet.|a pot of tea helps to pass the evening.
smoky fires lack flame and heat.|the soft cushion broke the man's fall.|the salt breeze came across from the sea.
the girl at the booth sold fifty bonds.|the small pup gnawed a hole in the sock.|the fish twisted and turned on the bent hook.
press the pants and sew a button on the vest.|the swan dive was far short of perfect.|the beauty of the view stunned the young boy."""
EVERYDAY = """what time is the next train to london?|please tell me where you would like to go.|i have never been so happy in my life.
my brother wants to buy a new car.|hello, my name is anna.|how are you today?|thank you very much for your help.
the weather is cold and rainy today.|she sells sea shells by the sea shore.|we will meet again at seven o'clock.
i would like a cup of coffee, please.|he opened the door and looked outside.|one, two, three, four, five.
there are twelve months in a year.|can you hear what i am saying?|this is a very small speech model."""


def read(text):
    """As the model reads it, or nothing if it cannot be read (digits and foreign letters: the templates have the numbers)."""
    text = text.replace("\u2019", "'").replace("\u2018", "'").replace("--", ", ").replace("\u2014", ", ").lower().replace("&", " and ")
    text = re.sub(r"[;:]+", ",", re.sub(r"[()\[\]\"`*_<>|/\\-]+", " ", text))
    text = re.sub(r"([,.?!])[,.?!]+", r"\1", re.sub(r"\s+([,.?!])", r"\1", text))
    return re.sub(r"\s+", " ", text).strip(" ,'")


def words(text):
    return re.sub(r"[,.?!]", " ", text).split()


def can_be_said(text, dictionary, shortest=SHORTEST):
    if not shortest <= len(text) <= LONGEST or not re.fullmatch(r"[a-z',.?! ]+", text):
        return False
    said = words(text)
    return bool(said) and all(
        len(word) <= LONGEST_WORD and (word in dictionary or word.strip("'") in dictionary) and (len(word) > 1 or word in "ai") for word in said)


def sentences(text, dictionary):
    """Its sentences; of sentences that are too long, their clauses."""
    for sentence in re.split(r"(?<=[.?!])\s+", text):
        sentence = read(sentence)
        if can_be_said(sentence, dictionary):
            yield sentence
        elif len(sentence) > LONGEST:
            for clause in re.split(r"(?<=,)\s+", sentence):
                clause = read(clause)
                if clause and clause[-1] not in ".?!":
                    clause += "."
                if can_be_said(clause, dictionary, 14):
                    yield clause


def fortunes():
    for file in sorted(FORTUNES.glob("*.u8")):
        if not any(name in file.name for name in UNSUITABLE_FORTUNES):
            for fortune in file.read_text(encoding="utf-8", errors="ignore").split("\n%\n"):
                yield re.sub(r"\n\s*--.*", "", fortune, flags=re.S)  # without the author


def books(folder):
    for file in sorted(Path(folder).glob("*.txt")):
        yield from re.split(r"\n\s*\n", file.read_text(encoding="utf-8", errors="ignore"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", help="a folder of public-domain texts (*.txt)")
    parser.add_argument("--templates", type=int, default=12000)
    parser.add_argument("--words", type=int, default=7000, help="the most frequent words, each said alone")
    parser.add_argument("--groups", type=int, default=5000, help="two or three words that do not belong together")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    dictionary = {line.split()[0].split("(")[0] for line in DICTIONARY.open(encoding="utf-8")}
    test = [("harvard_everyday", text) for part in (HARVARD, EVERYDAY) for text in re.split(r"[|\n]", part)]
    kinds = {}
    for kind, source in (("fortune", fortunes()), ("book", books(arguments.books) if arguments.books else [])):
        for paragraph in source:
            for sentence in sentences(paragraph.replace("\n", " ").replace("\t", " "), dictionary):
                kinds.setdefault(sentence, kind)
    if not kinds:
        raise SystemExit("No text found: install Debian's packages `fortunes` and `fortunes-min`, or name books.")
    candidates = sorted(text for text in kinds if 18 <= len(text) <= 45)
    test += [("corpus", text) for text in rng.sample(candidates, min(40, len(candidates)))]
    counts = Counter(word for text in kinds for word in words(text))
    frequent = [word for word, count in counts.most_common() if count >= 2 and len(word) > 1]
    for _ in range(arguments.templates):
        kinds.setdefault(sentence_from_template(rng), "template")
    for word in frequent[:arguments.words]:
        kinds.setdefault(word + ".", "word")
    for _ in range(arguments.groups):  # Zipf: frequent words more often
        picked = [frequent[int(len(frequent) ** rng.uniform(0.4, 1)) - 1] for _ in range(rng.randint(2, 3))]
        kinds.setdefault(" ".join(picked) + ".", "group")
    for _, text in test:
        kinds.pop(text, None)
    lines = [f"{kind}\t{text}\n" for text, kind in kinds.items()]
    rng.shuffle(lines)
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "texts.tsv").write_text("".join(lines))
    (WORK / "heldout.tsv").write_text("".join(f"{kind}\t{text}\n" for kind, text in test))
    print(len(lines), "texts:", dict(Counter(kinds.values())))


if __name__ == "__main__":
    main()
