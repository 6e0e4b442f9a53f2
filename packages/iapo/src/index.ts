/** Input-attribution policy optimization: GRPO with a teacher's attribution in the reward, its schedules, baselines and case study. */
export {};
