"""Steps of AdamW on the mean negative log-prob of what is written behind prompts, all weights trained, as a loop over transformers makes them."""

import json
import sys

import torch
from models import inputs_of, load

given = json.load(sys.stdin)
model = load(given["directory"])
model.train()
optimizer = torch.optim.AdamW(model.parameters(), betas=tuple(given["betas"]), eps=given["epsilon"], weight_decay=given["weightDecay"])
losses, norms = [], []
for learning_rate, examples in zip(given["learningRates"], given["batches"]):
    optimizer.zero_grad()
    count = sum(len(one["written"]) for one in examples)
    loss = 0.0
    for one in examples:
        prompt, written = one["prompt"]["ids"], torch.tensor(one["written"])
        logits = model(**inputs_of(model, {**one["prompt"], "ids": prompt + one["written"]})).logits[0, len(prompt) - 1 : -1]
        part = -logits.log_softmax(-1).gather(-1, written[:, None]).sum() / count
        part.backward()
        loss += part.item()
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), given["maxNorm"]).item())
    optimizer.step()
    losses.append(loss)
print(json.dumps(dict(losses=losses, norms=norms)))
