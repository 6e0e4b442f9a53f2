/** The page the trainer serves: curves, every turn's image, attribution. */
export {};
