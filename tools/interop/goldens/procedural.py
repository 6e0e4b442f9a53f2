"""Weights and pixels that are a formula of name and index, as packages/qwen-vl-model/test/support/procedural.ts makes them, bit for bit."""

import math

import numpy as np

SALT = "fw-dev|"


def fnv1a(text):
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def procedural(name, log2scale, offset, count):
    """float32 [count]: uniform in offset ± 2^log2scale, rounded to bfloat16."""
    with np.errstate(over="ignore"):
        x = (np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1)) ^ np.uint32(fnv1a(SALT + name))
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        x ^= x >> np.uint32(16)
    values = ((x >> np.uint32(8)).astype(np.float64) * 2.0**-23 - 1) * 2.0**log2scale + offset
    bits = values.astype(np.float32).view(np.uint32)
    bits = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return bits.view(np.float32)


def range_of(name, shape):
    """Such that no bias, norm or position is invisible, and activations stay of the order of one: `smallRangeOf` in TypeScript."""
    if len(shape) == 1:
        return (-2, 0) if name.endswith(".bias") else (-2, 1)
    if name in ("model.embed_tokens.weight", "lm_head.weight", "visual.pos_embed.weight"):
        return (0, 0)
    fan_in = math.prod(shape[1:])
    return (math.floor(0.5 - math.log2(fan_in) / 2) + 1, 0)


def internal_name(name):
    """The package's name of a tensor of transformers."""
    if name.startswith("model.visual."):
        return name[len("model.") :]
    return name.replace("model.language_model.", "model.")
