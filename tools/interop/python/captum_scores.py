"""Attributions of a prompt's tokens by Captum, through transformers: the sum of a response's log-probs as a function of the prompt's embeddings."""

import json
import sys

import torch
from captum.attr import FeatureAblation, InputXGradient, IntegratedGradients
from models import inputs_of, load, unpacked

given = json.load(sys.stdin)
model = load(given["directory"]).double()
probe = {**given["probe"], "ids": given["probe"]["ids"] + given["response"]}
inputs = inputs_of(model, probe)
inputs["pixel_values"] = inputs["pixel_values"].double()
ids = inputs["input_ids"]
count = len(given["probe"]["ids"])
response = torch.tensor(given["response"])
inner = model.model
with torch.no_grad():
    embedded = inner.get_input_embeddings()(ids)
    features = inner.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"])
    features = getattr(features, "pooler_output", features)
    rows = torch.cat(list(features)) if isinstance(features, (tuple, list)) else features
    embedded[ids == model.config.image_token_id] = rows.to(embedded.dtype)
    more = {"mm_token_type_ids": inputs["mm_token_type_ids"]} if "mm_token_type_ids" in inputs else {}
    positions, _ = inner.get_rope_index(ids, image_grid_thw=inputs["image_grid_thw"], attention_mask=inputs["attention_mask"], **more)


def score(prompt):
    """[steps, P, H] to the sum of the response's log-probs, [steps]."""
    every = torch.cat([prompt, embedded[:, count:].expand(len(prompt), -1, -1)], 1)
    logits = model(inputs_embeds=every, position_ids=positions.expand(-1, len(prompt), -1)).logits[:, count - 1 : -1]
    return logits.log_softmax(-1).gather(-1, response.expand(len(prompt), -1)[..., None]).sum((1, 2))


prompt = embedded[:, :count].detach()
with torch.no_grad():
    baseline = inner.get_input_embeddings()(torch.full_like(ids[:, :count], given["pad"]))
steps = given["steps"]
integrated = IntegratedGradients(score).attribute(prompt, baseline, n_steps=steps, method="gausslegendre", internal_batch_size=8)
blocks = torch.tensor(given["blocks"])[None, :, None].expand_as(prompt)
ablated = FeatureAblation(score).attribute(prompt, baseline, feature_mask=blocks)
answer = dict(
    score=score(prompt).item(),
    gradient=InputXGradient(score).attribute(prompt.clone().requires_grad_()).sum(-1)[0].tolist(),
    integrated=integrated.sum(-1)[0].tolist(),
    ablated=[ablated[0][torch.tensor(given["blocks"]) == block][0, 0].item() for block in range(max(given["blocks"]) + 1)],
)
print(json.dumps(answer))
