"""What the workers of the benchmark beside TRL and PyTorch share: orders and questions as lines of JSON, pictures, peaks of memory."""

import base64
import io
import json
import resource
import sys
import time

import torch
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

SETTINGS = json.loads(sys.argv[1])
OUT = sys.stdout
sys.stdout = sys.stderr  # what libraries print is no answer


class Environment:
    """Asks the benchmark's process; its time is not ours."""

    def __init__(self):
        self.seconds = 0.0

    def ask(self, **question):
        start = time.perf_counter()
        print(json.dumps(question), file=OUT, flush=True)
        answer = json.loads(sys.stdin.readline())
        self.seconds += time.perf_counter() - start
        return answer


def orders():
    for line in sys.stdin:
        yield json.loads(line)


def answer(**values):
    print(json.dumps(dict(answer=values)), file=OUT, flush=True)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def picture(text):
    return Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")


def image_processor(directory):
    return Qwen2VLImageProcessorPil.from_pretrained(directory)


def group_advantages(rewards, samples):
    grouped = torch.tensor(rewards, dtype=torch.float).view(-1, samples)
    return ((grouped - grouped.mean(1, keepdim=True)) / (grouped.std(1, keepdim=True) + 1e-4)).flatten()


def products(shapes):
    """Matrix products as bench/python/products.ts does them: GFLOP/s, and first outputs of the last row."""
    rates, samples = [], []
    for rows, columns, inner in shapes:
        x = torch.arange(rows * inner, dtype=torch.float64).mul(0.37).sin().float().view(rows, inner)
        w = torch.arange(columns * inner, dtype=torch.float64).mul(0.11).cos().float().view(columns, inner)
        with torch.no_grad():
            samples.append(torch.nn.functional.linear(x, w)[-1, :4].tolist())
            count, seconds = 1, 0.0
            while seconds < 0.3:
                count *= 2
                start = time.perf_counter()
                for _ in range(count):
                    torch.nn.functional.linear(x, w)
                seconds = time.perf_counter() - start
        rates.append(2e-9 * rows * columns * inner * count / seconds)
    return dict(rates=rates, samples=samples)


def clipped_loss(log_probs, old, advantages, mask):
    """GRPO's: the mean over responses of the mean over tokens; [B, N] each, advantages [B]."""
    ratio = (log_probs - old).exp()
    gain = advantages[:, None]
    terms = -torch.minimum(ratio * gain, ratio.clamp(0.8, 1.2) * gain)
    return ((terms * mask).sum(1) / mask.sum(1).clamp(min=1)).mean()
