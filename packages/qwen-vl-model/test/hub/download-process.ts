// A process of its own that resolves a model: hub, cache. Prints the directory.
import { resolveModel } from "../../src/hub/index.ts";

const [hubUrl = "", cacheDirectory = ""] = process.argv.slice(2);
console.log(await resolveModel("test-owner/test-model", { hubUrl, cacheDirectory, offline: false }));
