"""TRL's GRPOTrainer on transformers, with the chart environment between two turns: its own generation, log-probs, loss and optimizer step."""

import os
import tempfile
import time

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

import torch
from bench_worker import SETTINGS, Environment, answer, image_processor, orders, peak, picture
from datasets import Dataset
from models import load
from transformers import PreTrainedTokenizerFast, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

env = Environment()
directory, groups, samples = SETTINGS["directory"], SETTINGS["groups"], SETTINGS["samples"]
order_stream = orders()
current = {}


class TwoTurns(GRPOTrainer):
    """`_generate` as a tool loop of TRL's: turn, tool, turn; the tool's picture goes with the second."""

    def pictures(self, images):
        made = self.processing_class.image_processor(images=[one for some in images for one in some], return_tensors="pt")
        return dict(pixel_values=made["pixel_values"], image_grid_thw=made["image_grid_thw"])

    def _generate(self, prompts):
        start = time.perf_counter()
        tasks = current["tasks"]
        opened = dict(zip(tasks, env.ask(ask="open", tasks=tasks)))
        own = [task for task in tasks for _ in range(samples)]
        prompt_ids = [opened[task]["ids"] for task in own]
        images = [[picture(image) for image in opened[task]["images"]] for task in own]
        first, _ = self._generate_single_turn(prompt_ids, None, self.pictures(images), 1, has_tool_images=True)
        steps = env.ask(ask="step", episodes=[dict(task=task, turns=[ids]) for task, ids in zip(own, first)])
        completions = [list(ids) for ids in first]
        masks = [[1] * len(ids) for ids in first]
        rewards = [step.get("reward") for step in steps]
        tool_images = [[] for _ in own]
        going = [row for row, step in enumerate(steps) if "next" in step]
        count = sum(map(len, first))
        if going:
            for row in going:
                piece = steps[row]["next"]
                completions[row] += piece["ids"]
                masks[row] += [0] * len(piece["ids"])
                tool_images[row] = [picture(image) for image in piece["images"]]
                images[row] += tool_images[row]
            longer = [prompt_ids[row] + completions[row] for row in going]
            second, _ = self._generate_single_turn(longer, None, self.pictures([images[row] for row in going]), 1, has_tool_images=True)
            asked = [dict(task=own[row], turns=[first[row], ids]) for row, ids in zip(going, second)]
            for row, ids, done in zip(going, second, env.ask(ask="step", episodes=asked)):
                completions[row] += ids
                masks[row] += [1] * len(ids)
                rewards[row] = done["reward"]
            count += sum(map(len, second))
        current.update(rewards=rewards, tokens=count, rollout=time.perf_counter() - start - env.seconds)
        texts = [[dict(role="assistant", content=self._tokenizer.decode(ids))] for ids in completions]
        return prompt_ids, completions, masks, texts, None, {}, images, tool_images

    def _generate_and_score_completions(self, inputs):
        start = time.perf_counter()
        made = super()._generate_and_score_completions(inputs)
        current["scored"] = time.perf_counter() - start - env.seconds
        return made


def loss_of(traces):
    """TRL's loss of given traces, before any update of this step."""
    sequence = torch.nn.utils.rnn.pad_sequence

    def rows(values, dtype=torch.long):
        return sequence([torch.tensor(one, dtype=dtype) for one in values], batch_first=True)

    prompt = [torch.tensor(one["prompt"]) for one in traces]
    old = [iter(one["old"]) for one in traces]
    spread = [[next(values) if m else 0.0 for m in one["mask"]] for one, values in zip(traces, old)]
    inputs = dict(
        prompt_ids=sequence(prompt, batch_first=True, padding_side="left"),
        prompt_mask=sequence([torch.ones_like(one) for one in prompt], batch_first=True, padding_side="left"),
        completion_ids=rows([one["completion"] for one in traces]),
        completion_mask=rows([[1] * len(one["completion"]) for one in traces]),
        tool_mask=rows([one["mask"] for one in traces]),
        old_per_token_logps=rows(spread, torch.float),
        advantages=torch.tensor([one["advantage"] for one in traces]),
        num_images=[len(one["images"]) for one in traces],
    )
    inputs.update(trainer.pictures([[picture(image) for image in one["images"]] for one in traces]))
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
    inputs["mm_token_type_ids"] = (ids == model.config.image_token_id).long()
    trainer.current_gradient_accumulation_steps = 1
    with torch.no_grad():
        return trainer._compute_loss(model, inputs).item()


class Ordered(TrainerCallback):
    def on_step_begin(self, *_args, **_kwargs):
        for order in order_stream:
            if order["do"] == "loss":
                answer(loss=loss_of(order["traces"]))
                continue
            current.clear()
            current["tasks"] = order["tasks"]
            env.seconds = 0.0
            current["start"], current["cpu"] = time.perf_counter(), time.process_time()
            return
        os._exit(0)  # nothing more is ordered

    def on_step_end(self, *_args, **_kwargs):
        seconds = time.perf_counter() - current["start"] - env.seconds
        rollout, scored = current["rollout"], current["scored"]
        answer(
            seconds=seconds, rollout=rollout, score=scored - rollout, update=seconds - scored, tokens=current["tokens"],
            rewards=current["rewards"], peak=peak(), cpu=time.process_time() - current["cpu"],
        )  # fmt: skip


tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{directory}/tokenizer.json", eos_token="<|im_end|>", pad_token="<|endoftext|>")
tokenizer.chat_template = open(f"{directory}/chat_template.jinja").read()
tokenizer.image_processor = image_processor(directory)
model = load(directory)
trainer = TwoTurns(
    model=model,
    processing_class=tokenizer,
    reward_funcs=lambda prompts, **_: current["rewards"],
    train_dataset=Dataset.from_list([dict(prompt=[dict(role="user", content=f"task {i}")]) for i in range(groups * 64)]),
    args=GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        use_cpu=True, bf16=False, report_to="none", logging_strategy="no", save_strategy="no", disable_tqdm=True, gradient_checkpointing=False,
        per_device_train_batch_size=groups * samples, num_generations=samples, gradient_accumulation_steps=1, steps_per_generation=1,
        max_steps=64, learning_rate=SETTINGS["learningRate"], lr_scheduler_type="constant", adam_beta1=SETTINGS["betas"][0],
        adam_beta2=SETTINGS["betas"][1], weight_decay=0.0, max_grad_norm=SETTINGS["maxGradNorm"],
        beta=0.0, loss_type="grpo", epsilon=0.2, scale_rewards="group", temperature=1.0, top_p=1.0, top_k=0,
        max_completion_length=SETTINGS["maxTokens"], shuffle_dataset=False, mask_truncated_completions=False,
        generation_kwargs=dict(suppress_tokens=[model.config.image_token_id, model.config.video_token_id], eos_token_id=SETTINGS["stopIds"]),
    ),
    callbacks=[Ordered()],
)  # fmt: skip
# A processor of transformers would need torchvision: the tokenizer has the image processor beside it, and the trainer is told what that makes it.
trainer._is_vlm, trainer.tools = True, [TwoTurns]
trainer._image_pad_token_id, trainer._video_pad_token_id = model.config.image_token_id, model.config.video_token_id
trainer.eos_token_ids = SETTINGS["stopIds"]
trainer.train()
