// Configurations: YAML files and recipes that extend one another, and settings of the command line, held to one schema.
export { type Config, type ConfigDefinition, defineConfig, type LoadedConfig } from "./config.ts";
export { ConfigError, type ConfigErrorCode } from "./error.ts";
export { keysOf, type SchemaNode } from "./json-schema.ts";
export { editDistance, nearest } from "./nearest.ts";
export type { PathKey } from "./paths.ts";
export type { Renamed } from "./renamed.ts";
