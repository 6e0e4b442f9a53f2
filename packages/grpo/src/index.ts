/** Group-relative policy optimization: group rollouts, advantages, losses, packed update steps, checkpoints. */
export {};
