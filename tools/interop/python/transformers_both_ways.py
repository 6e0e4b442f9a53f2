"""Reads directories that we exported, and writes some for us to read: logits, greedy tokens, ids and patches of the processor."""

import json
import sys

import torch
import transformers
from models import greedy, load, logits, packed, sha256
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer


def processed(entry):
    """Ids and patches by tokenizer, template and image processor of the directory. The processor that joins them wants torchvision for videos."""
    directory = entry["directory"]
    images = AutoImageProcessor.from_pretrained(directory, backend="pil")
    tokenizer = AutoTokenizer.from_pretrained(directory)
    made = images(images=[Image.open(entry["image"])], return_tensors="pt")
    content = [dict(type="image"), dict(type="text", text=entry["text"])]
    text = tokenizer.apply_chat_template([dict(role="user", content=content)], add_generation_prompt=True, tokenize=False)
    cells = int(made["image_grid_thw"].prod()) // images.merge_size**2
    text = text.replace("<|image_pad|>", "<|image_pad|>" * cells)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return dict(ids=ids, grids=made["image_grid_thw"].tolist(), patches=sha256(made["pixel_values"]))


def read(entry):
    model = load(entry["directory"])
    answer = dict(
        logits=packed(logits(model, entry["probe"], entry["rows"])),
        greedy=greedy(model, entry["probe"], entry["tokens"]),
        type=type(model).__name__,
    )
    if "image" in entry:
        answer.update(processed(entry))
    return answer


def write(entry):
    model = load(entry["from"], getattr(torch, entry["dtype"]))
    if entry.get("addTokens"):
        model.resize_token_embeddings(model.get_input_embeddings().weight.shape[0] + entry["addTokens"])
    options = {"max_shard_size": entry["shard"]} if "shard" in entry else {}
    model.save_pretrained(entry["to"], **options)
    return dict(logits=packed(logits(load(entry["to"]), entry["probe"], entry["rows"])))


given = json.load(sys.stdin)
answers = dict(
    version=transformers.__version__, read=[read(entry) for entry in given["read"]], written=[write(entry) for entry in given["write"]],
)  # fmt: skip
print(json.dumps(answers))
