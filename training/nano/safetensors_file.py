"""Safetensors files, read and written without a dependency."""
import json
import os

import numpy as np
import torch

NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32"}
TYPES = {name: kind for kind, name in NAMES.items()}


def _bytes(tensor):
    tensor = tensor.detach().cpu().contiguous()
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy().tobytes()


def save(path, tensors):
    header, parts, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name in sorted(tensors):
        data = _bytes(tensors[name])
        header[name] = dict(dtype=NAMES[tensors[name].dtype], shape=list(tensors[name].shape), data_offsets=[offset, offset + len(data)])
        offset += len(data)
        parts.append(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(parts)
    os.replace(temporary, path)


def load(path):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        kind, (start, end) = TYPES[entry["dtype"]], entry["data_offsets"]
        raw = torch.frombuffer(data, dtype=torch.uint8, offset=8 + length + start, count=end - start) if end > start else torch.empty(0, dtype=torch.uint8)
        tensors[name] = raw.clone().view(kind).view(entry["shape"])
    return tensors
