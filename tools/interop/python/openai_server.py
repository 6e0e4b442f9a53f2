"""A model of a directory behind OpenAI's chat completions, by transformers: what waits is answered together. Prints its address."""

import base64
import io
import json
import sys
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from threading import Thread

import torch
from models import load
from PIL import Image
from transformers import AutoImageProcessor, PreTrainedTokenizerFast

directory = sys.argv[1]
model, tokenizer = load(directory), PreTrainedTokenizerFast(tokenizer_file=f"{directory}/tokenizer.json")
tokenizer.chat_template = open(f"{directory}/chat_template.jinja").read()
images = AutoImageProcessor.from_pretrained(directory, backend="pil")
stop = json.load(open(f"{directory}/generation_config.json"))["eos_token_id"]
banned = [model.config.image_token_id, model.config.video_token_id]


def encode(request):
    """Ids of the prompt, and what the image processor makes of its pictures."""
    pictures, messages = [], []
    for message in request["messages"]:
        parts = message["content"] if isinstance(message["content"], list) else [dict(type="text", text=message["content"])]
        content = []
        for part in parts:
            if part["type"] == "image_url":
                data = base64.b64decode(part["image_url"]["url"].split(",", 1)[1])
                pictures.append(Image.open(io.BytesIO(data)).convert("RGB"))
                content.append(dict(type="image"))
            else:
                content.append(part)
        messages.append(dict(role=message["role"], content=content))
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    made = images(images=pictures, return_tensors="pt") if pictures else None
    if made is not None:
        pieces = text.split("<|image_pad|>")
        cells = [int(grid.prod()) // images.merge_size**2 for grid in made["image_grid_thw"]]
        text = pieces[0] + "".join("<|image_pad|>" * count + piece for count, piece in zip(cells, pieces[1:]))
    return tokenizer(text, add_special_tokens=False)["input_ids"], made


def answer(requests):
    """Of requests with one temperature and one limit: prompts padded at the left, rows cut at their first stop."""
    prompts = [encode(request) for request in requests]
    longest = max(len(own) for own, _ in prompts)
    ids = torch.tensor([[0] * (longest - len(own)) + own for own, _ in prompts])
    mask = torch.tensor([[0] * (longest - len(own)) + [1] * len(own) for own, _ in prompts])
    seen = [made for _, made in prompts if made is not None]
    inputs = {name: torch.cat([made[name] for made in seen]) for name in ("pixel_values", "image_grid_thw")} if seen else {}
    first = requests[0]
    torch.manual_seed(first.get("seed") or 0)
    with torch.no_grad():
        out = model.generate(
            input_ids=ids, attention_mask=mask, mm_token_type_ids=(ids == model.config.image_token_id).int(), **inputs,
            do_sample=first["temperature"] > 0, temperature=first["temperature"] or 1.0, top_k=0, top_p=1.0,
            max_new_tokens=first["max_tokens"], eos_token_id=stop, suppress_tokens=banned,
        )[:, longest:].tolist()  # fmt: skip
    answers = []
    for row in out:
        end = next((place + 1 for place, token in enumerate(row) if token in stop), None)
        answers.append((tokenizer.decode(row[:end], skip_special_tokens=True), "length" if end is None else "stop"))
    return answers


waiting = Queue()


def work():
    kept = None
    while True:
        together = [kept or waiting.get()]
        kept = None
        while len(together) < 64:
            try:
                other = waiting.get(timeout=0.05)  # clients that were answered together ask again together
            except Empty:
                break
            if any(other[0][key] != together[0][0][key] for key in ("temperature", "max_tokens")):
                kept = other
                break
            together.append(other)
        try:
            for (_, future), made in zip(together, answer([request for request, _ in together])):
                future.set_result(made)
        except Exception as error:
            for _, future in together:
                future.set_exception(error)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        future = Future()
        waiting.put((request, future))
        text, reason = future.result()
        message = dict(role="assistant", content=text)
        body = json.dumps(dict(object="chat.completion", choices=[dict(index=0, message=message, finish_reason=reason)])).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


Thread(target=work, daemon=True).start()

# A thread for each connection: clients keep theirs open, and others would wait until they are closed.
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
server.serve_forever()
