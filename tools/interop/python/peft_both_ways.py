"""Adapters that we wrote, through PEFT; and adapters that PEFT writes, for us: logits of the adapted model."""

import json
import sys

import torch
from models import load, logits, packed
from peft import LoraConfig, PeftModel, get_peft_model


def read(entry):
    model = PeftModel.from_pretrained(load(entry["base"]), entry["adapter"]).eval()
    return packed(logits(model, entry["probe"]))


def write(entry):
    torch.manual_seed(7)
    model = get_peft_model(load(entry["base"]), LoraConfig(task_type="CAUSAL_LM", **entry["options"]))
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_" in name:
                value.copy_(torch.randn_like(value) * 0.2)
            elif "modules_to_save" in name:
                value.add_(torch.randn_like(value) * 0.1)
    model.save_pretrained(entry["to"], save_embedding_layers=False)
    return packed(logits(model.eval(), entry["probe"]))


given = json.load(sys.stdin)
print(json.dumps(dict(read=[read(entry) for entry in given["read"]], written=[write(entry) for entry in given["write"]])))
