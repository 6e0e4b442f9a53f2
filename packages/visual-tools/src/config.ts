/** Visual tools for vision-language models: define a tool, run the six focus tools, interpret tool programs safely, write their prompt blocks. */
export {};
