/** Chart and table question answering tasks: loaders, renderers with exact boxes, scoring, and a two-turn environment over visual-tools. */
export {};
