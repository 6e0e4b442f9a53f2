"""Writes packages/qwen-vl-model/test/fixtures/qwen3-vl: what transformers computes with Qwen3-VL models whose weights are a formula.

    tools/interop/set-up.sh && tools/interop/.venv/bin/python tools/interop/goldens/qwen3_vl.py

CPU, float32, eager attention.
"""

import hashlib
import json
import pathlib

import numpy as np
import torch
from PIL import Image
from procedural import internal_name, procedural, range_of
from safetensors.torch import save_file
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen3_vl import modeling_qwen3_vl as published

ROOT = pathlib.Path(__file__).parents[3]
OUT = ROOT / "packages/qwen-vl-model/test/fixtures/qwen3-vl"
START, END, IMAGE = 5, 6, 7
SAMPLES = 64

IDS = dict(vision_start_token_id=5, vision_end_token_id=6, image_token_id=7, video_token_id=8)
TOKENS = dict(bos_token_id=0, eos_token_id=1, pad_token_id=0)
MODELS = {
    "nano": Qwen3VLConfig(
        tie_word_embeddings=True,
        dtype="bfloat16",
        **IDS,
        text_config=dict(
            hidden_size=48, num_hidden_layers=5, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
            intermediate_size=80, vocab_size=512, rms_norm_eps=1e-6, max_position_embeddings=512,
            rope_parameters=dict(rope_type="default", rope_theta=1e4, mrope_section=[4, 2, 2], mrope_interleaved=True),
            tie_word_embeddings=True, **TOKENS,
        ),
        vision_config=dict(
            depth=4, hidden_size=36, num_heads=3, intermediate_size=52, patch_size=4, out_hidden_size=48,
            num_position_embeddings=36, deepstack_visual_indexes=[0, 1, 3],
        ),
    ),
    "mini": Qwen3VLConfig(
        tie_word_embeddings=False,
        dtype="float32",
        **IDS,
        text_config=dict(
            hidden_size=96, num_hidden_layers=4, num_attention_heads=2, num_key_value_heads=1, head_dim=128,
            intermediate_size=160, vocab_size=600, rms_norm_eps=1e-6, max_position_embeddings=512,
            rope_parameters=dict(rope_type="default", rope_theta=5e6, mrope_section=[24, 20, 20], mrope_interleaved=True),
            tie_word_embeddings=False, **TOKENS,
        ),
        vision_config=dict(
            depth=6, hidden_size=144, num_heads=2, intermediate_size=268, patch_size=16, out_hidden_size=96,
            num_position_embeddings=2304, deepstack_visual_indexes=[1, 3, 4],
        ),
    ),
}  # fmt: skip


def words(count, start, vocabulary):
    return [10 + (start * 31 + i * 37) % (vocabulary - 10) for i in range(count)]


def image(h, w):
    return [START] + [IMAGE] * (h * w // 4) + [END]


def make(name):
    config = MODELS[name]
    config._attn_implementation = "eager"
    model = Qwen3VLForConditionalGeneration(config).float().eval()
    with torch.no_grad():
        for key, value in model.named_parameters():
            own = internal_name(key)
            scale, offset = range_of(own, value.shape)
            value.copy_(torch.from_numpy(procedural(own, scale, offset, value.numel()).copy()).view(value.shape))
    return model


def pixels(config, case, grids):
    width = 6 * config.vision_config.patch_size ** 2
    count = sum(h * w for _, h, w in grids)
    # Two equal frames, as of a still image.
    frame = procedural(f"{case}.pixels", 1, 0, count * width // 2).reshape(count, 3, 1, -1)
    return torch.from_numpy(np.repeat(frame, 2, axis=2).reshape(count, width).copy())


class Hooks:
    """Records inputs or outputs of modules."""

    def __init__(self):
        self.seen = {}
        self.handles = []

    def output(self, module, key):
        self.handles.append(module.register_forward_hook(lambda _m, _i, out: self.seen.__setitem__(key, first(out))))

    def input(self, module, key):
        def hook(_module, args, kwargs):
            self.seen[key] = args[0] if args else kwargs["hidden_states"]

        self.handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def close(self):
        for handle in self.handles:
            handle.remove()


def first(out):
    return out[0] if isinstance(out, tuple) else out


def forward(model, ids, grids, pix, labels=None, mask=None, keep=True):
    """One pass; E and the deep features are leaves whose gradients can be read."""
    ids = torch.tensor(ids) if not torch.is_tensor(ids) else ids
    grid = torch.tensor(grids)
    types = (ids == IMAGE).int()
    mask = torch.ones_like(ids) if mask is None else mask
    inner = model.model
    position_ids = inner.compute_3d_position_ids(
        input_ids=ids, image_grid_thw=grid, inputs_embeds=inner.get_input_embeddings()(ids), attention_mask=mask, mm_token_type_ids=types,
    )  # fmt: skip
    features = inner.get_image_features(pix, grid, return_dict=True)
    merged = torch.cat(list(features.pooler_output))
    deep = [torch.cat(list(f)) for f in features.deepstack_features]
    embeds = inner.get_input_embeddings()(ids)
    embeds = embeds.masked_scatter((ids == IMAGE)[..., None].expand_as(embeds), merged)
    if keep:
        for tensor in [embeds, *deep]:
            tensor.retain_grad()
    return dict(ids=ids, mask=mask, position_ids=position_ids, merged=merged, deep=deep, embeds=embeds)


def decode(model, run, embeds=None, deep=None):
    """Logits from embeddings and deep features."""
    out = model.model.language_model(
        input_ids=None,
        inputs_embeds=run["embeds"] if embeds is None else embeds,
        attention_mask=run["mask"],
        position_ids=run["position_ids"],
        visual_pos_masks=run["ids"] == IMAGE,
        deepstack_visual_embeds=run["deep"] if deep is None else deep,
        use_cache=False,
    )
    return model.lm_head(out.last_hidden_state)


def gradients(model, out, prefix):
    for key, value in model.named_parameters():
        own = internal_name(key)
        grad = value.grad if value.grad is not None else torch.zeros_like(value)
        flat = grad.reshape(-1).double()
        index = torch.from_numpy(np.linspace(0, flat.numel() - 1, min(SAMPLES, flat.numel())).astype(np.int64))
        out[f"{prefix}.gradnorm.{own}"] = flat.norm().float().reshape(1)
        out[f"{prefix}.gradsample.{own}"] = flat[index].float()


def loss_of(logits, labels):
    return torch.nn.functional.cross_entropy(logits[0, :-1].float(), torch.tensor(labels[1:]), ignore_index=-100)


def one_row(model, name, case, parts, grids, rows):
    """Everything about one sequence. `rows`: those of large matrices that are kept, or None for all."""
    config = model.config
    ids = [sum(parts, [])]
    pix = pixels(config, case, grids)
    hooks = Hooks()
    visual, text = model.model.visual, model.model.language_model
    hooks.output(visual.patch_embed, "patch_embed")
    for k, layer in enumerate(text.layers):
        hooks.input(layer, f"layer.{k}")
    rotated = {}
    apply = published.apply_rotary_pos_emb

    def watched(q, k, cos, sin, *rest, **more):
        out = apply(q, k, cos, sin, *rest, **more)
        rotated.setdefault("all", []).append((cos, sin, *out))
        return out

    published.apply_rotary_pos_emb = watched
    run = forward(model, ids, grids, pix)
    rotated.clear()
    logits = decode(model, run)
    published.apply_rotary_pos_emb = apply
    hooks.close()
    count = len(ids[0])
    labels = [-100 if i < 3 or token in (START, END, IMAGE) or i % 5 == 4 else token for i, token in enumerate(ids[0])]
    loss = loss_of(logits, labels)
    model.zero_grad()
    loss.backward()

    # What a caller's own forward pass gives is the same.
    with torch.no_grad():
        whole = model(
            input_ids=run["ids"], attention_mask=run["mask"], pixel_values=pix, image_grid_thw=torch.tensor(grids), mm_token_type_ids=(run["ids"] == IMAGE).int(),
        ).logits  # fmt: skip
    assert (whole - logits).abs().max() < 1e-5

    kept = lambda tensor: tensor if rows is None else tensor[torch.tensor([r for r in rows if r < len(tensor)])]
    cos, sin, _, keys = rotated["all"][1]
    half = cos.shape[-1] // 2
    out = {
        "input_ids": run["ids"][0],
        "labels": torch.tensor(labels),
        "grids": torch.tensor(grids),
        "position_ids": run["position_ids"][-3:, 0],
        **({} if rows else {"pixels": pix.reshape(len(pix), 3, 2, -1)[:, :, 0].reshape(len(pix), -1)}),
        "patch_embed": kept(hooks.seen["patch_embed"]),
        "merged": kept(run["merged"]),
        "cos": kept(cos[0, :, :half]),
        "sin": kept(sin[0, :, :half]),
        "keys.1": kept(keys[0].transpose(0, 1).reshape(count, -1)),
        "logits": kept(logits[0]),
        "loss": loss.reshape(1),
        "grad.embeddings": kept(run["embeds"].grad[0]),
    }
    for k in range(config.text_config.num_hidden_layers):
        out[f"layer.{k}"] = kept(hooks.seen[f"layer.{k}"][0])
    for k, deep in enumerate(run["deep"]):
        out[f"deep.{k}"] = kept(deep)
        out[f"grad.deep.{k}"] = kept(deep.grad)
    if rows is not None:
        out["rows"] = torch.tensor(rows)
    named = {f"{name}.{case}.{key}": value for key, value in out.items()}
    gradients(model, named, f"{name}.{case}")
    return named, run


def positions(model, name, grids):
    """Taps, weights and the interpolated table of each grid."""
    visual = model.model.visual
    grid = torch.tensor(grids)
    index, weight = published.get_vision_interpolation_indices_and_weights(
        grid, num_grid_per_side=visual.num_grid_per_side, mode="bilinear", align_corners=True, spatial_merge_size=2, kwargs={},
    )  # fmt: skip
    table = (visual.pos_embed(index) * weight[:, :, None]).sum(1)
    prefix = f"{name}.positions"
    return {f"{prefix}.grids": grid, f"{prefix}.rows": index, f"{prefix}.weights": weight, f"{prefix}.table": table}


def batch(model, name):
    """A left-padded pair of unequal length: logits, positions and greedy tokens."""
    vocabulary = model.config.text_config.vocab_size
    rows = [
        words(3, 4, vocabulary) + image(6, 6) + words(5, 9, vocabulary),
        image(2, 14) + words(14, 2, vocabulary),
    ]
    grids = [(1, 6, 6), (1, 2, 14)]
    length = max(map(len, rows))
    ids = torch.tensor([[0] * (length - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in rows])
    pix = pixels(model.config, "B", grids)
    more = dict(pixel_values=pix, image_grid_thw=torch.tensor(grids), attention_mask=mask)
    with torch.no_grad():
        run = forward(model, ids, grids, pix, mask=mask, keep=False)
        logits = decode(model, run)
        model.model.rope_deltas = None
        greedy = model.generate(
            input_ids=ids, mm_token_type_ids=(ids == IMAGE).int(), max_new_tokens=12, min_new_tokens=12, do_sample=False,
            eos_token_id=None, pad_token_id=0, **more,
        )[:, length:]  # fmt: skip
    out = {
        "input_ids": ids,
        "attention_mask": mask,
        "grids": torch.tensor(grids),
        "position_ids": run["position_ids"][-3:],
        "last_logits": logits[:, -1],
        "greedy": greedy,
    }
    return {f"{name}.B.{key}": value for key, value in out.items()}


def attribution(model, name, run, response):
    """Scores by hand: the last `response` tokens are what is scored, those before are explained."""
    count = run["ids"].shape[1]
    prompt = count - response
    pad = model.config.text_config.pad_token_id
    table = model.get_input_embeddings().weight.detach()
    with torch.no_grad():
        embeds, deep = run["embeds"].detach(), [d.detach() for d in run["deep"]]
    images = (run["ids"][0, :prompt] == IMAGE).nonzero()[:, 0]

    def score(e, d):
        logits = decode(model, run, e, d)[0]
        log_probs = torch.log_softmax(logits.double(), -1)
        ids = run["ids"][0]
        return sum(log_probs[i - 1, ids[i]] for i in range(prompt, count))

    def with_prompt(rows):
        return torch.cat([rows[None], embeds[:, prompt:]], 1)

    out = {}
    e = embeds[0, :prompt].clone().requires_grad_()
    d = [x.clone().requires_grad_() for x in deep]
    value = score(with_prompt(e), d)
    grads = torch.autograd.grad(value, [e, *d])
    out["score"] = value.detach().float().reshape(1)
    by_embedding = (grads[0] * e).sum(-1).detach()
    by_deep = torch.zeros(prompt)
    squares = (grads[0] ** 2).sum(-1).detach()
    for grad, feature in zip(grads[1:], d):
        by_deep[images] += (grad * feature).sum(-1).detach()
        squares[images] += (grad**2).sum(-1).detach()
    out["grad_x_input"] = by_embedding + by_deep
    out["grad_x_embedding"] = by_embedding
    out["grad_norm"] = squares.sqrt()

    # Occlusion of the first image by the mean row, of both its embedding and its features, and of its embedding alone.
    mean = table.mean(0)
    first_image = images[: int(np.prod(GRIDS[0]) // 4)]
    covered = embeds[0, :prompt].clone()
    covered[first_image] = mean
    gone = [x.clone() for x in deep]
    for x in gone:
        x[: len(first_image)] = 0
    with torch.no_grad():
        out["occluded"] = score(with_prompt(covered), gone).float().reshape(1)
        out["occluded_embedding_alone"] = score(with_prompt(covered), deep).float().reshape(1)

    # Integrated gradients from the pad row, along one straight path of all inputs.
    base = table[pad].expand(prompt, -1)
    nodes, weights = np.polynomial.legendre.leggauss(32)
    total = torch.zeros(prompt, dtype=torch.float64)
    for node, weight in zip((nodes + 1) / 2, weights / 2):
        at = (base + node * (embeds[0, :prompt] - base)).detach().requires_grad_()
        there = [(node * x).detach().requires_grad_() for x in deep]
        g = torch.autograd.grad(score(with_prompt(at), there), [at, *there])
        part = (g[0].double() * (embeds[0, :prompt] - base).double()).sum(-1)
        for grad, feature in zip(g[1:], deep):
            part[images] += (grad.double() * feature.double()).sum(-1)
        total += weight * part
    with torch.no_grad():
        bottom = score(with_prompt(base), [torch.zeros_like(x) for x in deep])
    out["integrated_gradients"] = total.float()
    out["baseline_score"] = bottom.float().reshape(1)
    print(f"integrated gradients: sum {total.sum():.6f}, difference of scores {(value - bottom):.6f}")
    return {f"{name}.A.attribution.{key}": tensor for key, tensor in out.items()}


def images():
    """What the published processor (Pillow) makes of pictures: grids, and SHA-256 of the float32 patches."""
    folder = OUT.parent / "image-processor/inputs"
    cases = []
    for name in ("chart_v.png", "chart_h.png", "noise.png", "photo.jpg", "half_even.png"):
        for least, most in ((65536, 16777216), (65536, 131072), (4096, 16384)):
            processor = Qwen2VLImageProcessorPil(
                patch_size=16, merge_size=2, temporal_patch_size=2, size=dict(shortest_edge=least, longest_edge=most),
                image_mean=[0.5] * 3, image_std=[0.5] * 3,
            )  # fmt: skip
            with Image.open(folder / name) as picture:
                made = processor(images=[picture.convert("RGB")], return_tensors="np")
            cases.append(
                dict(
                    image=name, min_pixels=least, max_pixels=most, grid=made["image_grid_thw"][0].tolist(),
                    sha256=hashlib.sha256(made["pixel_values"].astype(np.float32).tobytes()).hexdigest(),
                )
            )  # fmt: skip
    (OUT / "images.json").write_text(json.dumps(cases, indent=0) + "\n")


GRIDS = [(1, 4, 6), (1, 10, 12)]


def main():
    torch.manual_seed(0)
    OUT.mkdir(parents=True, exist_ok=True)
    golden = {}
    nano = make("nano")
    parts = [words(4, 1, 512), image(4, 6), words(3, 7, 512), image(10, 12), words(13, 5, 512)]
    named, run = one_row(nano, "nano", "A", parts, GRIDS, None)
    golden |= named
    golden |= attribution(nano, "nano", run, 8)
    golden |= positions(nano, "nano", [(1, 2, 2), (1, 4, 6), (1, 6, 6), (1, 10, 12), (1, 2, 14)])
    golden |= batch(nano, "nano")

    mini = make("mini")
    parts = [image(4, 6), words(6, 3, 600), image(50, 4), words(8, 11, 600)]
    kept = [0, 1, 5, 6, 7, 8, 13, 14, 15, 16, 40, 55, 62, 63, 64, 65, 66, 71, 72, 73, 100, 223]
    golden |= one_row(mini, "mini", "A", parts, [(1, 4, 6), (1, 50, 4)], kept)[0]

    tensors = {}
    for key, value in golden.items():
        value = value.detach()
        tensors[key] = (value.float() if value.is_floating_point() else value.int()).contiguous()
    save_file(tensors, str(OUT / "golden.safetensors"))
    # The file as transformers writes it: names of tensors, and the shape of its configuration.
    names = {name: sorted(f"{key} {list(value.shape)}" for key, value in model.state_dict().items()) for name, model in (("nano", nano), ("mini", mini))}  # fmt: skip
    (OUT / "tensors.json").write_text(json.dumps(names, indent=0) + "\n")
    (OUT / "mini.json").write_text(mini.config.to_json_string(use_diff=False))
    # The weights are bfloat16 numbers, so that nothing is lost.
    nano.to(torch.bfloat16).save_pretrained(OUT / "nano")
    images()


main()
