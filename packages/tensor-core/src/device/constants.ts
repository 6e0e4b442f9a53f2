// WebGPU's flag values (WebGPU specification, "Buffer Usages" and "Map Mode"), so that no global needs to be defined in Node.

export const BufferUsage = {
  MAP_READ: 0x1,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  UNIFORM: 0x40,
  STORAGE: 0x80,
  QUERY_RESOLVE: 0x200,
} as const;

export const MAP_READ = 0x1;
export const STAGE_COMPUTE = 0x4;

/**
 * Operations of one submission, and of one dispatch, at most: drivers end what runs for seconds (Windows after 2, others after 5 to 10), and slow
 * cards do half a TFLOP a second.
 */
export const MOST_FLOPS_AT_ONCE = 1e11;
