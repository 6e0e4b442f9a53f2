// Models from the Hugging Face hub.
export { type DownloadProgress, type ResolveModelOptions, resolveModel } from "./resolve-model.ts";
