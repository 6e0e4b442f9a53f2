/** Which input tokens and prompt blocks a generated span rests on. */
export {};
