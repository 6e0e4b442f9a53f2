"""A lean PyTorch loop with shared prefixes: prompts are computed once, responses of all groups decode together behind them, and an update packs the
responses of a group behind their prompt. The vision tower and the modules are those of transformers; attention, cache and sampling are its own."""

import time

import torch
from bench_worker import SETTINGS, Environment, answer, clipped_loss, group_advantages, image_processor, orders, peak, picture, products
from models import load

torch.manual_seed(1)
env = Environment()
model = load(SETTINGS["directory"])
processor = image_processor(SETTINGS["directory"])
text, config = model.model.language_model, model.config.text_config
heads, kv, width = config.num_attention_heads, config.num_key_value_heads, config.hidden_size // config.num_attention_heads
rope = config.rope_parameters
inverse = rope["rope_theta"] ** (-torch.arange(0, width, 2).float() / width)
section = torch.repeat_interleave(torch.arange(3), torch.tensor(rope["mrope_section"]))
optimizer = torch.optim.AdamW(model.parameters(), lr=SETTINGS["learningRate"], betas=SETTINGS["betas"], weight_decay=0)
samples, most, stops = SETTINGS["samples"], SETTINGS["maxTokens"], torch.tensor(SETTINGS["stopIds"])
image_token = model.config.image_token_id
banned = torch.tensor([image_token, model.config.video_token_id])


def rotary(positions):
    """[B, N, 3] to cosines and sines, [B, 1, N, width]."""
    angles = positions[..., section].float() * inverse
    angles = torch.cat([angles, angles], -1)[:, None]
    return angles.cos(), angles.sin()


def turned(x, cos, sin):
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat([-right, left], -1) * sin


def decoder(x, positions, attend):
    """[B, N, H]; `attend(layer, q, k, v)` with [B, heads, N, width] gives [B, heads, N, width]."""
    cos, sin = rotary(positions)
    rows = x.shape[:2]
    for index, layer in enumerate(text.layers):
        y = layer.input_layernorm(x)
        own = layer.self_attn
        q, k, v = (f(y).view(*rows, -1, width).transpose(1, 2) for f in (own.q_proj, own.k_proj, own.v_proj))
        seen = attend(index, turned(q, cos, sin), turned(k, cos, sin), v)
        x = x + own.o_proj(seen.transpose(1, 2).reshape(*rows, -1))
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    return text.norm(x)


def features(pieces):
    """Of the pictures of all pieces, one after the other."""
    images = [picture(image) for piece in pieces for image in piece["images"]]
    if not images:
        return None
    made = processor(images=images, return_tensors="pt")
    found = model.model.get_image_features(made["pixel_values"], made["image_grid_thw"])
    found = getattr(found, "pooler_output", found)
    return torch.cat(list(found)) if isinstance(found, (tuple, list)) else found


def padded(pieces):
    """Ids, positions and which of them are there, padded at the right."""
    longest = max(len(piece["ids"]) for piece in pieces)
    ids = torch.zeros(len(pieces), longest, dtype=torch.long)
    positions = torch.zeros(len(pieces), longest, 3, dtype=torch.long)
    there = torch.zeros(len(pieces), longest, dtype=torch.bool)
    for row, piece in enumerate(pieces):
        count = len(piece["ids"])
        ids[row, :count] = torch.tensor(piece["ids"])
        positions[row, :count] = torch.tensor(piece["positions"]).view(-1, 3)
        there[row, :count] = True
    return ids, positions, there


def embed(ids, found):
    rows = model.model.get_input_embeddings()(ids)
    return rows if found is None else rows.masked_scatter((ids == image_token)[..., None], found.to(rows.dtype))


class Cache:
    """Keys and values of prompts, [T, kv, P, width], and of what is behind them, [B, room, kv, width]."""

    def __init__(self, pieces):
        ids, positions, there = padded(pieces)
        self.tasks, self.there = len(pieces), there
        self.prefix = [None] * len(text.layers)
        count = ids.shape[1]
        causal = torch.ones(count, count, dtype=torch.bool).tril() & there[:, None, None]

        def attend(layer, q, k, v):
            self.prefix[layer] = (k, v)
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=causal, enable_gqa=True)

        hidden = decoder(embed(ids, features(pieces)), positions, attend)
        last = there.sum(1) - 1
        self.last = hidden[torch.arange(self.tasks), last].repeat_interleave(samples, 0)
        self.next = (positions[torch.arange(self.tasks), last].amax(-1) + 1).repeat_interleave(samples)
        batch, room = self.tasks * samples, 2 * most + 96
        self.own = [tuple(torch.zeros(batch, room, kv, width) for _ in range(2)) for _ in text.layers]
        self.count = torch.zeros(batch, dtype=torch.long)

    def extend(self, rows, ids, positions, there, found=None):
        """Puts `there` of [R, N] ids behind responses `rows`; gives the last hidden states of each, [R, H]."""
        n = ids.shape[1]
        slots = self.count[rows, None] + torch.arange(n)
        room = int(slots.max()) + 1
        seen = torch.arange(room) <= slots[..., None]
        task = rows // samples

        def attend(layer, q, k, v):
            for cache, new in zip(self.own[layer], (k, v)):
                cache[rows[:, None], slots] = new.transpose(1, 2)
            own_k, own_v = (cache[rows, :room].transpose(1, 2) for cache in self.own[layer])
            far_k, far_v = self.prefix[layer]
            q = q.reshape(len(rows), kv, -1, width)  # heads of one pair of keys and values side by side
            near = q @ own_k.transpose(-1, -2) / width**0.5
            near = near.view(len(rows), heads, n, room).masked_fill(~seen[:, None], float("-inf")).view(len(rows), kv, -1, room)
            if len(rows) == self.tasks * samples:  # the keys of a prompt are read once for its group
                grouped = q.view(self.tasks, samples, kv, -1, width).transpose(1, 2).reshape(self.tasks, kv, -1, width)
                far = (grouped @ far_k.transpose(-1, -2) / width**0.5).masked_fill(~self.there[:, None, None], float("-inf"))
                far = far.view(self.tasks, kv, samples, -1, far.shape[-1]).transpose(1, 2).reshape(len(rows), kv, -1, far.shape[-1])
            else:
                far = (q @ far_k[task].transpose(-1, -2) / width**0.5).masked_fill(~self.there[task, None, None], float("-inf"))
            weights = torch.cat([far, near], -1).softmax(-1)
            split = far.shape[-1]
            out = weights[..., split:] @ own_v + weights[..., :split] @ far_v[task]
            return out.view(len(rows), heads, n, width)

        hidden = decoder(embed(ids, found), positions, attend)
        lengths = there.sum(1)
        self.count[rows] += lengths
        self.next[rows] = positions[torch.arange(len(rows)), lengths - 1].amax(-1) + 1
        return hidden[torch.arange(len(rows)), lengths - 1]

    def sample(self, rows, last):
        """A turn of each: ids and log-probs."""
        turns = [([], []) for _ in rows]
        open_ = torch.arange(len(rows))
        for step in range(most):
            logits = model.lm_head(last).index_fill(-1, banned, float("-inf")).log_softmax(-1)
            drawn = logits.exp().multinomial(1)
            chosen = logits.gather(-1, drawn)[:, 0].tolist()
            for place, token, log_prob in zip(open_.tolist(), drawn[:, 0].tolist(), chosen):
                turns[place][0].append(token)
                turns[place][1].append(log_prob)
            goes_on = ~torch.isin(drawn[:, 0], stops)
            if step + 1 == most or not goes_on.any():
                break
            open_ = open_[goes_on]
            at = rows[open_]
            ids = drawn[goes_on]
            last = self.extend(at, ids, self.next[at, None, None].expand(-1, 1, 3), torch.ones_like(ids, dtype=torch.bool))
        self.turns = turns
        # the last token of a turn is not in the cache yet
        ends = torch.tensor([[turn[0][-1]] for turn in turns])
        self.extend(rows, ends, self.next[rows, None, None].expand(-1, 1, 3), torch.ones_like(ends, dtype=torch.bool))
        return turns


def rollout(tasks):
    prompts = env.ask(ask="open", tasks=tasks)
    cache = Cache(prompts)
    everyone = torch.arange(len(tasks) * samples)
    first = cache.sample(everyone, cache.last)
    episodes = [dict(task=tasks[row // samples], turns=[turn[0]]) for row, turn in enumerate(first)]
    steps = env.ask(ask="step", episodes=episodes)
    going = [row for row, step in enumerate(steps) if "next" in step]
    traces = [dict(prompt=prompts[row // samples], turns=[first[row]], pieces=[]) for row in range(len(steps))]
    rewards = [step.get("reward") for step in steps]
    if going:
        pieces = [steps[row]["next"] for row in going]
        rows = torch.tensor(going)
        ids, positions, there = padded(pieces)
        second = cache.sample(rows, cache.extend(rows, ids, positions, there, features(pieces)))
        asked = [dict(task=tasks[row // samples], turns=[first[row][0], turn[0]]) for row, turn in zip(going, second)]
        for row, piece, turn, done in zip(going, pieces, second, env.ask(ask="step", episodes=asked)):
            traces[row]["pieces"].append(piece)
            traces[row]["turns"].append(turn)
            rewards[row] = done["reward"]
    return traces, rewards


def response(trace):
    """Ids behind the prompt, which of them were sampled, and their positions."""
    ids, sampled, old, positions = [], [], [], []
    following = max(trace["prompt"]["positions"][-3:]) + 1
    for number, (tokens, log_probs) in enumerate(trace["turns"]):
        if number > 0:
            piece = trace["pieces"][number - 1]
            ids += piece["ids"]
            sampled += [0] * len(piece["ids"])
            old += [0.0] * len(piece["ids"])
            positions += piece["positions"]
            following = max(piece["positions"][-3:]) + 1
        ids += tokens
        sampled += [1] * len(tokens)
        old += log_probs
        positions += [place for i in range(len(tokens)) for place in [following + i] * 3]
    return ids, sampled, old, positions


def group_log_probs(prompt, responses, pieces):
    """Log-probs of every token of the responses of a group, packed behind their prompt: a list of [N]."""
    ids = prompt["ids"] + [token for one in responses for token in one[0]]
    positions = prompt["positions"] + [place for one in responses for place in one[3]]
    count, total = len(prompt["ids"]), len(ids)
    seen = torch.ones(total, total, dtype=torch.bool).tril()
    start, starts = count, []
    for one in responses:
        starts.append(start)
        seen[start : start + len(one[0]), count:start] = False
        start += len(one[0])

    def attend(_layer, q, k, v):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen, enable_gqa=True)

    ids = torch.tensor([ids])
    found = features([prompt, *pieces])
    hidden = decoder(embed(ids, found), torch.tensor(positions).view(1, -1, 3), attend)[0]
    rows = torch.cat([torch.tensor([count - 1, *range(begin, begin + len(one[0]) - 1)]) for begin, one in zip(starts, responses)])
    targets = torch.tensor([token for one in responses for token in one[0]])
    logits = model.lm_head(hidden[rows]).index_fill(-1, banned, float("-inf")).log_softmax(-1)
    every = logits.gather(-1, targets.clamp(max=logits.shape[-1] - 1)[:, None])[:, 0]
    return every.split([len(one[0]) for one in responses])


def loss_of(groups, advantages, total):
    """Backward group by group; `groups` of (prompt, responses, pieces)."""
    value, at = 0.0, 0
    for prompt, responses, pieces in groups:
        made = group_log_probs(prompt, responses, pieces)
        mask = torch.nn.utils.rnn.pad_sequence([torch.tensor(one[1], dtype=torch.float) for one in responses], batch_first=True)
        old = torch.nn.utils.rnn.pad_sequence([torch.tensor(one[2]) for one in responses], batch_first=True)
        log_probs = torch.nn.utils.rnn.pad_sequence(list(made), batch_first=True)
        log_probs = torch.where(mask > 0, log_probs, old)  # those of placeholders are banned, and not asked for
        loss = clipped_loss(log_probs, old, advantages[at : at + len(responses)], mask) * len(responses) / total
        loss.backward()
        value += loss.item()
        at += len(responses)
    return value


for order in orders():
    if order["do"] == "products":
        answer(**products(order["shapes"]))
        continue
    if order["do"] == "loss":
        traces, groups = order["traces"], []
        for at in range(0, len(traces), samples):
            some = traces[at : at + samples]
            count = len(some[0]["prompt"])
            old = [iter(one["old"]) for one in some]
            responses = [
                (one["completion"], one["mask"], [next(values) if m else 0.0 for m in one["mask"]], one["positions"][3 * count :])
                for one, values in zip(some, old)
            ]
            prompt = dict(ids=some[0]["prompt"], positions=some[0]["positions"][: 3 * count], images=some[0]["images"][:1])
            groups.append((prompt, responses, [dict(images=one["images"][1:]) for one in some]))
        value = loss_of(groups, torch.tensor([one["advantage"] for one in traces]), len(traces))
        optimizer.zero_grad()
        answer(loss=value)
        continue
    start, env.seconds, cpu = time.perf_counter(), 0.0, time.process_time()
    with torch.no_grad():
        traces, rewards = rollout(order["tasks"])
    rolled, asked = time.perf_counter(), env.seconds
    advantages = group_advantages(rewards, samples)
    groups = []
    for at in range(0, len(traces), samples):
        some = traces[at : at + samples]
        groups.append((some[0]["prompt"], [response(trace) for trace in some], [piece for trace in some for piece in trace["pieces"]]))
    optimizer.zero_grad()
    loss_of(groups, advantages, len(traces))
    torch.nn.utils.clip_grad_norm_(model.parameters(), SETTINGS["maxGradNorm"])
    optimizer.step()
    end = time.perf_counter()
    tokens = sum(len(turn[0]) for trace in traces for turn in trace["turns"])
    answer(
        seconds=end - start - asked, rollout=rolled - start - asked, score=0.0, update=end - rolled, tokens=tokens, rewards=rewards, peak=peak(),
        cpu=time.process_time() - cpu,
    )  # fmt: skip
