"""Losses, advantages and estimators of KL as the installed TRL and verl compute them, on given batches, with gradients by the new log-probs."""

import json
import sys
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import torch
from trl.trainer.grpo_trainer import GRPOTrainer
from verl.trainer.ppo import core_algos as verl
from verl.workers.config import ActorConfig


class Accelerator:
    num_processes = 1
    sync_gradients = False

    def gather(self, value):
        return value

    def reduce(self, value, reduction):
        return value


class Trainer:
    """What `GRPOTrainer._compute_loss` reads of a trainer; its log-probs are those of the batch, not of a model."""

    get_off_policy_mask = staticmethod(GRPOTrainer.get_off_policy_mask)
    get_gamma_weights = staticmethod(GRPOTrainer.get_gamma_weights)

    def __init__(self, log_probs, **options):
        args = dict(
            delta=None, use_bias_correction_kl=False, steps_per_generation=1, sapo_temperature_pos=1.0, sapo_temperature_neg=1.05,
            vespo_k_pos=2.0, vespo_lambda_pos=3.0, vespo_k_neg=3.0, vespo_lambda_neg=2.0,
        )  # fmt: skip
        own = dict(
            loss_type="grpo", beta=0.0, epsilon_low=0.2, epsilon_high=0.2, importance_sampling_level="token", max_completion_length=32,
            off_policy_mask_threshold=None, use_vllm=False, vllm_importance_sampling_correction=False,
        )  # fmt: skip
        for name, value in options.items():
            (args if name in args else own)[name] = value
        self.__dict__.update(own)
        self.args = SimpleNamespace(**args)
        self.log_probs = log_probs
        self.top_entropy_quantile = 1.0
        self.aux_loss_enabled = self._entropy_bonus_enabled = self.use_adaptive_entropy = False
        self.current_gradient_accumulation_steps = 1
        self.accelerator = Accelerator()
        self.model = SimpleNamespace(training=True)
        self._metrics = {"train": defaultdict(list)}

    def _get_per_token_logps_and_entropies(self, *_args, **_kwargs):
        return self.log_probs, torch.zeros_like(self.log_probs), None


TRL = {
    "trl.grpo.clip_.2_.2": dict(),
    "trl.grpo.delta_2.5": dict(delta=2.5),
    "trl.bnpo": dict(loss_type="bnpo"),
    "trl.dapo.clip_.2_.28": dict(loss_type="dapo", epsilon_high=0.28),
    "trl.dr_grpo.maxlen_32.scale_none": dict(loss_type="dr_grpo"),
    "trl.grpo.sequence_level.clip_3e-4_4e-4 (GSPO)": dict(importance_sampling_level="sequence", epsilon_low=3e-4, epsilon_high=4e-4),
    "trl.grpo.sequence_level.clip_.2_.28": dict(importance_sampling_level="sequence", epsilon_high=0.28),
    "trl.cispo.eps_high_5": dict(loss_type="cispo", epsilon_high=5.0),
    "trl.cispo.eps_high_1.1": dict(loss_type="cispo", epsilon_high=1.1),
    "trl.sapo": dict(loss_type="sapo"),
    "trl.luspo.sequence_level": dict(loss_type="luspo", importance_sampling_level="sequence"),
    "trl.grpo.off_policy_mask_.05": dict(off_policy_mask_threshold=0.05),
    "trl.grpo.beta_.04": dict(beta=0.04),
    "trl.grpo.beta_.04.bias_corrected_kl": dict(beta=0.04, use_bias_correction_kl=True),
}
VERL = {
    "verl.vanilla.token-mean.clip_.2_.2.dual_3": ("vanilla", "token-mean", dict()),
    "verl.vanilla.seq-mean-token-mean.clip_.2_.2.dual_3": ("vanilla", "seq-mean-token-mean", dict()),
    "verl.vanilla.seq-mean-token-sum.clip_.2_.2.dual_3": ("vanilla", "seq-mean-token-sum", dict()),
    "verl.vanilla.seq-mean-token-sum-norm.clip_.2_.2.dual_3": ("vanilla", "seq-mean-token-sum-norm", dict()),
    "verl.vanilla.token-mean.clip_.2_.28.dual_3 (DAPO)": ("vanilla", "token-mean", dict(clip_ratio_high=0.28)),
    "verl.vanilla.token-mean.clip_.2_.2.dual_1.5": ("vanilla", "token-mean", dict(clip_ratio_c=1.5)),
    "verl.gspo.clip_3e-4_4e-4": ("gspo", "seq-mean-token-mean", dict(clip_ratio_low=3e-4, clip_ratio_high=4e-4)),
    "verl.gspo.clip_.2_.28": ("gspo", "seq-mean-token-mean", dict(clip_ratio_high=0.28)),
    "verl.cispo.clip_10_.2": ("cispo", "token-mean", dict(clip_ratio_low=10.0)),
    "verl.cispo.clip_.2_.28": ("cispo", "token-mean", dict(clip_ratio_high=0.28)),
    "verl.sapo.tau_1_1.05": ("sapo", "seq-mean-token-mean", dict()),
    "verl.geo_mean.clip_.2_.2": ("geo_mean", "token-mean", dict()),
}
KL = {"verl.k1": "k1", "verl.abs": "abs", "verl.k2": "k2", "verl.k3": "k3", "verl.k1+": "k1+", "verl.k3+": "k3+"}


def double(rows):
    return torch.tensor(rows, dtype=torch.float64)


def with_gradient(loss, log_probs):
    (gradient,) = torch.autograd.grad(loss, log_probs)
    return dict(loss=loss.item(), gradient=gradient.flatten().tolist())


def trl_loss(case, options, advantages):
    log_probs = double(case["logProbs"]).requires_grad_()
    mask = double(case["mask"])
    inputs = dict(
        prompt_ids=torch.zeros(len(mask), 1), prompt_mask=torch.ones(len(mask), 1),
        completion_ids=torch.zeros_like(mask), completion_mask=mask, advantages=advantages,
        old_per_token_logps=double(case["oldLogProbs"]), ref_per_token_logps=double(case["reference"]),
        sampling_per_token_logps=double(case["rollout"]), num_items_in_batch=mask.sum(),
    )  # fmt: skip
    return with_gradient(GRPOTrainer._compute_loss(Trainer(log_probs, **options), None, inputs), log_probs)


def verl_loss(case, kind, aggregation, options, advantages):
    log_probs = double(case["logProbs"]).requires_grad_()
    mask = double(case["mask"])
    config = ActorConfig(
        strategy="fsdp", rollout_n=1, ppo_micro_batch_size_per_gpu=1, use_dynamic_bsz=True,
        **{"clip_ratio": 0.2, "clip_ratio_low": 0.2, "clip_ratio_high": 0.2, "clip_ratio_c": 3.0, **options},
    )  # fmt: skip
    function = getattr(verl, f"compute_policy_loss_{kind}")
    loss, _ = function(double(case["oldLogProbs"]), log_probs, advantages, mask, loss_agg_mode=aggregation, config=config)
    return with_gradient(loss, log_probs)


def main():
    answers = []
    for case in json.load(sys.stdin):
        mask = double(case["mask"])
        scores = torch.zeros_like(mask)
        scores[:, 0] = double(case["rewards"])  # an outcome's reward is the sum of a row
        group = np.array(case["groups"])
        ones = torch.ones_like(mask)
        of = {
            "verl.grpo": verl.compute_grpo_outcome_advantage(scores, ones, group)[0][:, 0],
            "verl.grpo.no_std": verl.compute_grpo_outcome_advantage(scores, ones, group, norm_adv_by_std_in_grpo=False)[0][:, 0],
            "verl.rloo": verl.compute_rloo_outcome_advantage(scores, ones, group)[0][:, 0],
        }
        given = {name: double(values) for name, values in case["trl"].items()}
        losses = {}
        for name, options in TRL.items():
            losses[name] = trl_loss(case, options, given["trl.none" if name.endswith("scale_none") else "trl.group"])
        for name, (kind, aggregation, options) in VERL.items():
            losses[name] = verl_loss(case, kind, aggregation, options, (of["verl.grpo"][:, None] * ones))
        kl = {}
        for name, estimator in KL.items():
            log_probs = double(case["logProbs"]).requires_grad_()
            terms = verl.kl_penalty(log_probs, double(case["reference"]), estimator)
            kl[name] = with_gradient((terms * mask).sum() / mask.sum(), log_probs)
        answers.append(dict(advantages={name: value.tolist() for name, value in of.items()}, losses=losses, kl=kl))
    print(json.dumps(answers))


main()
