// The policy gradient with a bonus for entropy. The ops are handed in, so that the file imports nothing but a type.
import type { TensorLoss } from "@iapo/grpo";

const loss: TensorLoss = ({ logProb, entropy, advantages, tokenWeights }, { add, multiply, negate, sum }) => {
  const gain = add(multiply(advantages, logProb), multiply(entropy, 0.01)); // of each token
  return negate(sum(multiply(gain, tokenWeights)));
};
export default loss;
