"""Opens a directory that we exported in Hugging Face transformers and compares logits with ours.

    node --conditions=@iapo/source packages/qwen-vl-model/scripts/export-probe.ts <checkpoint> <export>
    python tools/compare-with-transformers.py <export>

Needs torch and transformers (4.49 or newer). For those who have Python: no part of ./check runs this.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import Qwen2_5_VLForConditionalGeneration

TOLERANCE = 1e-4

directory = Path(sys.argv[1])
probe = json.loads((directory / "probe.json").read_text())
# Weights widened to float32, which is exact, as our kernels compute.
model = Qwen2_5_VLForConditionalGeneration.from_pretrained(directory, attn_implementation="eager").float().eval()
ids = torch.tensor([probe["input_ids"]])
with torch.no_grad():
    output = model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        position_ids=torch.tensor(probe["position_ids"]).unsqueeze(1),
        pixel_values=torch.tensor(probe["pixel_values"]),
        image_grid_thw=torch.tensor(probe["image_grid_thw"]),
    )
theirs = output.logits[0, -1]
ours = torch.tensor(probe["last_logits"])
difference = ((ours - theirs).abs().max() / theirs.abs().max()).item()
same = ours.argmax().item() == theirs.argmax().item()
print(f"largest difference {difference:.2e} of the largest logit; the likeliest token is {'the same' if same else 'ANOTHER'}")
sys.exit(0 if same and difference <= TOLERANCE else 1)
