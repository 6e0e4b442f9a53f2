/** The iapo command line: set up, train, evaluate and report. */
export {};
