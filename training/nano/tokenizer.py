"""The tokenizer: byte-level BPE with the pattern of Llama 3 and no merges but one, so that text is one token a character, except for the fixed
words of the prompts, which are whole entries. `write` makes the tokenizer.json that the library (and Hugging Face's tokenizers) read; `encode`
gives the same tokens here, without a dependency, for ASCII text."""
import json
import re

WORDS = ["\n\n", ".\n\n", ".\n", "system", "user", "assistant", "Generate", " audio", " following", " instruction", "SPEAKER", " feminine",
         " masculine", " scottish", "Audio", " recorded", " quiet", " room", " voice", "Transcribe", "Write", " spoken"]
SPECIAL_TOKENS = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
                  "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>",
                  "<|eot_id|>", "<|python_tag|>", "<|audio_bos|>", "<|audio_eos|>", "<|audio_out_bos|>", "<|recipient|>", "<|AUDIO|>",
                  "<|AUDIO_OUT|>", "<|scene_desc_start|>", "<|scene_desc_end|>", "<|speaker_id_start|>", "<|speaker_id_end|>",
                  "<|generation_instruction_start|>", "<|generation_instruction_end|>"]
VOCABULARY = 320
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
ASCII_PATTERN = re.compile(PATTERN.replace(r"\p{L}", "A-Za-z").replace(r"\p{N}", "0-9")
                           .replace("]?A-Za-z+", "]?[A-Za-z]+").replace("|0-9{1,3}", "|[0-9]{1,3}"))


def _byte_letters():
    """The printable letter that stands for each byte in byte-level BPE."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, spare = {}, 0
    for byte in range(256):
        letters[byte] = chr(byte) if byte in printable else chr(256 + spare)
        spare += byte not in printable
    return letters


LETTERS = _byte_letters()
as_entry = lambda text: "".join(LETTERS[byte] for byte in text.encode())
ENTRIES = {LETTERS[byte]: i for i, byte in enumerate(sorted(LETTERS, key=lambda byte: (ord(LETTERS[byte]) >= 256, ord(LETTERS[byte]))))}
for word in WORDS:
    ENTRIES[as_entry(word)] = len(ENTRIES)
SPECIAL = {token: len(ENTRIES) + i for i, token in enumerate(SPECIAL_TOKENS)}
_special_token = re.compile("(" + "|".join(map(re.escape, SPECIAL_TOKENS)) + ")")


def encode(text):
    ids = []
    for part in _special_token.split(text):
        ids += [SPECIAL[part]] if part in SPECIAL else encode_with_positions(part)[0]
    return ids


def encode_with_positions(text):
    """-> ids, position of the first character of each; the text has no special tokens"""
    ids, positions = [], []
    for match in ASCII_PATTERN.finditer(text):
        entry = as_entry(match.group())
        whole = entry in ENTRIES
        ids += [ENTRIES[entry]] if whole else [ENTRIES[letter] for letter in entry]
        positions += [match.start()] if whole else range(match.start(), match.end())
    return ids, positions


def decode(ids):
    """The text of ids that stand for ASCII; special tokens are left out."""
    entries = {i: entry for entry, i in ENTRIES.items()}
    bytes_of = {letter: byte for byte, letter in LETTERS.items()}
    return bytes(bytes_of[letter] for i in ids if i in entries for letter in entries[i]).decode(errors="replace")


def _split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def write(folder):
    special = [*SPECIAL_TOKENS, *[f"<|reserved_special_token_{23 + i}|>" for i in range(VOCABULARY - len(ENTRIES) - len(SPECIAL))]]
    begin = {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}
    template = {"type": "TemplateProcessing", "single": [begin, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [begin, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 1}},
                         {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<|begin_of_text|>": {"id": "<|begin_of_text|>", "ids": [SPECIAL["<|begin_of_text|>"]], "tokens": ["<|begin_of_text|>"]}}}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [dict(id=len(ENTRIES) + i, content=token, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
                         for i, token in enumerate(special)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            _split(PATTERN), {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
        "post_processor": {"type": "Sequence", "processors": [
            {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}, template]},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": True, "vocab": ENTRIES,
                  "merges": [f"{as_entry(chr(10))} {as_entry(chr(10))}"]}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, indent=1), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>", "clean_up_tokenization_spaces": True,
        "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 131072, "tokenizer_class": "PreTrainedTokenizerFast"}, indent=1))
