"""Reads directories that we exported, and writes some for us to read: logits, greedy tokens, ids and patches of the processor."""

import json
import sys

import torch
import transformers
from models import greedy, load, logits, packed, sha256
from PIL import Image
from transformers import AutoProcessor


def read(entry):
    model = load(entry["directory"])
    answer = dict(
        logits=packed(logits(model, entry["probe"], entry["rows"])),
        greedy=greedy(model, entry["probe"], entry["tokens"]),
        type=type(model).__name__,
    )
    if "image" in entry:
        processor = AutoProcessor.from_pretrained(entry["directory"], use_fast=False)
        content = [dict(type="image"), dict(type="text", text=entry["text"])]
        text = processor.apply_chat_template([dict(role="user", content=content)], add_generation_prompt=True, tokenize=False)
        made = processor(text=[text], images=[Image.open(entry["image"])], return_tensors="pt")
        answer.update(
            ids=made["input_ids"][0].tolist(), grids=made["image_grid_thw"].tolist(), patches=sha256(made["pixel_values"]),
        )  # fmt: skip
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
