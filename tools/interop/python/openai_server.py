"""A model of a directory behind OpenAI's chat completions, by transformers: one answer after the other. Prints its address."""

import base64
import io
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

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


def answer(request):
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
    inputs = {}
    if pictures:
        made = images(images=pictures, return_tensors="pt")
        inputs = dict(pixel_values=made["pixel_values"], image_grid_thw=made["image_grid_thw"])
        pieces = text.split("<|image_pad|>")
        cells = [int(grid.prod()) // images.merge_size**2 for grid in made["image_grid_thw"]]
        text = pieces[0] + "".join("<|image_pad|>" * count + piece for count, piece in zip(cells, pieces[1:]))
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    torch.manual_seed(request.get("seed") or 0)
    with torch.no_grad():
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=(ids == model.config.image_token_id).int(), **inputs,
            do_sample=request["temperature"] > 0, temperature=request["temperature"] or 1.0, top_k=0, top_p=1.0,
            max_new_tokens=request["max_tokens"], eos_token_id=stop, suppress_tokens=banned,
        )[0, ids.shape[1] :]  # fmt: skip
    ended = int(out[-1]) in stop
    return tokenizer.decode(out, skip_special_tokens=True), "stop" if ended else "length"


one_at_a_time = Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with one_at_a_time:
            text, reason = answer(request)
        message = dict(role="assistant", content=text)
        body = json.dumps(dict(object="chat.completion", choices=[dict(index=0, message=message, finish_reason=reason)])).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


# A thread for each connection: clients keep theirs open, and others would wait until they are closed.
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
server.serve_forever()
