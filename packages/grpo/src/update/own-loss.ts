// The user's own loss: what it throws or gives instead of a number is said with its file.
import * as ops from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import type { TensorLoss } from "../losses/define.ts";
import { faultOf, sourceOf } from "../run/module.ts";

/** The device's own faults, which a smaller step or a resume mends, stay as they are. */
const ofDevice: readonly string[] = ["out_of_memory", "device_lost"] satisfies ops.TensorErrorCode[];

/** @throws GrpoError `module` where the loss throws, or gives anything but a tensor of one number */
export function ownLoss(loss: TensorLoss): TensorLoss {
  return (tensors, handed) => {
    const given = attempt(() => loss(tensors, handed), loss);
    if (given instanceof ops.Tensor && given.size === 1) return given;
    const what = given instanceof ops.Tensor ? `a tensor of shape [${given.shape.join(", ")}]` : String(given);
    throw new GrpoError("module", `${sourceOf(loss, "loss")}: it gives ${what}; give a tensor of one number`);
  };
}

function attempt(work: () => unknown, loss: TensorLoss): unknown {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof ops.TensorError && ofDevice.includes(cause.code)) throw cause;
    throw faultOf(loss, "loss", cause);
  }
}
