// Models from the Hugging Face hub, and to it.
export { type PushedModel, type PushModelOptions, pushModel } from "./push-model.ts";
export { type DownloadProgress, type ResolveModelOptions, resolveModel } from "./resolve-model.ts";
