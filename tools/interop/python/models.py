"""Models of directories in transformers, on prompts as probes.ts writes them: used by the programs beside it."""

import base64
import hashlib
import inspect

import numpy as np
import torch
from transformers import AutoModelForImageTextToText

torch.set_num_threads(2)


def packed(tensor):
    return base64.b64encode(tensor.detach().float().cpu().contiguous().numpy().tobytes()).decode()


def unpacked(text):
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), np.float32).copy())


def load(directory, dtype=torch.float32):
    """In float32, as our kernels compute, unless told otherwise."""
    model = AutoModelForImageTextToText.from_pretrained(directory, attn_implementation="eager", dtype=dtype).eval()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model


def inputs_of(model, probe):
    ids = torch.tensor([probe["ids"]])
    inputs = dict(input_ids=ids, attention_mask=torch.ones_like(ids))
    plain = model.get_base_model() if hasattr(model, "peft_config") and hasattr(model, "get_base_model") else model
    if "mm_token_type_ids" in inspect.signature(plain.forward).parameters:
        inputs["mm_token_type_ids"] = (ids == model.config.image_token_id).int()
    if probe["patches"]:
        patch = model.config.vision_config.patch_size
        frames = probe["frames"]
        pixels = torch.cat([unpacked(values) for values in probe["patches"]]).reshape(-1, 3, frames, patch * patch)
        inputs["pixel_values"] = pixels.repeat_interleave(2 // frames, 2).flatten(1)
        inputs["image_grid_thw"] = torch.tensor(probe["grids"])
    return inputs


def logits(model, probe, rows=None):
    with torch.no_grad():
        all_rows = model(**inputs_of(model, probe)).logits[0]
    return all_rows if rows is None else all_rows[-rows:]


def greedy(model, probe, count):
    with torch.no_grad():
        made = model.generate(**inputs_of(model, probe), do_sample=False, max_new_tokens=count, min_new_tokens=count)
    return made[0, len(probe["ids"]) :].tolist()


def sha256(tensor):
    return hashlib.sha256(tensor.float().contiguous().numpy().tobytes()).hexdigest()
