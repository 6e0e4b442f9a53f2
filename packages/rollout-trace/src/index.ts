/** The plain types and schemas of an episode: write, read, verify and replay what a rollout did. */
export {};
