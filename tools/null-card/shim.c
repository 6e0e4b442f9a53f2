// A libvulkan.so.1 for drivers without hardware: it compiles every compute pipeline with the real driver, writes down what the driver says of
// it, and does nothing where work would be recorded or run. Structures are laid out as the Vulkan specification has them (chapters "Devices",
// "Pipelines", "Memory Allocation", VK_KHR_pipeline_executable_properties), so that no headers are needed.
//
// Environment: SHIM_LOADER, the real loader; SHIM_OUT, a folder: pipeline n gives n.json, its statistics, and n.isa, its machine code.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef void (*Function)(void);
typedef Function (*GetAddress)(void *owner, const char *name);
typedef struct { uint32_t type; void *next; uint32_t flags, queueCount; const void *queues; uint32_t layerCount; const char *const *layers;
                 uint32_t extensionCount; const char *const *extensions; const void *features; } DeviceInfo;
typedef struct { uint32_t type; void *next; uint32_t on; } ExecutableFeature;
typedef struct { uint32_t type; const void *next; uint32_t flags, bit; uint64_t module; const char *entry; const void *constants; } Stage;
typedef struct { uint32_t type; const void *next; uint32_t flags; Stage stage; uint64_t layout, base; int32_t baseIndex; } ComputeInfo;
typedef struct { uint32_t type; const void *next; uint64_t pipeline; uint32_t index; } Executable;
typedef struct { uint32_t type; void *next; uint32_t stages; char name[256], description[256]; uint32_t subgroupSize; } Properties;
typedef struct { uint32_t type; void *next; char name[256], description[256]; uint32_t format; union { uint64_t whole; double real; } value; } Statistic;
typedef struct { uint32_t type; void *next; char name[256], description[256]; uint32_t isText; size_t size; void *data; } Representation;
typedef struct { uint32_t typeCount; struct { uint32_t flags, heap; } types[32]; uint32_t heapCount; struct { uint64_t size; uint32_t flags; } heaps[16]; } Memory;
typedef struct { uint32_t type; void *next; Memory memory; } Memory2;
typedef struct { uint64_t size, alignment; uint32_t typeBits; } Needs;
typedef struct { uint32_t type; void *next; Needs needs; } Needs2;
typedef struct { uint32_t type; const void *next; uint64_t size; uint32_t index; } Allocation;
typedef struct { size_t size; void *mapped; } Block;

enum { EXECUTABLE = 1000269000, CAPTURE_STATISTICS = 0x40, CAPTURE_CODE = 0x80, REAL_NUMBER = 3, DEVICE_LOCAL = 1, HOST_VISIBLE = 2 | 4 | 8 };
#define EXTENSION "VK_KHR_pipeline_executable_properties"

static GetAddress instanceAddress, deviceAddress;
static int (*createDevice)(void *, const DeviceInfo *, const void *, void **);
static int (*createPipelines)(void *, uint64_t, uint32_t, const ComputeInfo *, const void *, uint64_t *);
static int (*propertiesOf)(void *, const Executable *, uint32_t *, Properties *);
static int (*statisticsOf)(void *, const Executable *, uint32_t *, Statistic *);
static int (*codeOf)(void *, const Executable *, uint32_t *, Representation *);
static void (*needsOf)(void *, uint64_t, Needs *);
static void (*needs2Of)(void *, const void *, Needs2 *);

static void load(void) {
  if (instanceAddress) return;
  void *loader = dlopen(getenv("SHIM_LOADER"), RTLD_NOW | RTLD_LOCAL);
  if (!loader) { fprintf(stderr, "shim: %s\n", dlerror()); exit(1); }
  instanceAddress = (GetAddress)dlsym(loader, "vkGetInstanceProcAddr");
  deviceAddress = (GetAddress)dlsym(loader, "vkGetDeviceProcAddr");
}

static FILE *output(int pipeline, const char *ending) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%d.%s", getenv("SHIM_OUT"), pipeline, ending);
  FILE *file = fopen(path, "w");
  if (!file) { perror(path); exit(1); }
  return file;
}

// A device with the extension that lets a driver speak of its pipelines.
static int createDeviceWithStatistics(void *physical, const DeviceInfo *asked, const void *allocator, void **device) {
  DeviceInfo info = *asked;
  const char **extensions = malloc(sizeof(char *) * (info.extensionCount + 1));
  memcpy(extensions, info.extensions, sizeof(char *) * info.extensionCount);
  extensions[info.extensionCount++] = EXTENSION;
  info.extensions = extensions;
  ExecutableFeature feature = {EXECUTABLE, info.next, 1};
  info.next = &feature;
  int result = createDevice(physical, &info, allocator, device);
  free(extensions);
  if (result) { fprintf(stderr, "shim: the driver gives no device with " EXTENSION " (%d)\n", result); return result; }
  *(Function *)&propertiesOf = deviceAddress(*device, "vkGetPipelineExecutablePropertiesKHR");
  *(Function *)&statisticsOf = deviceAddress(*device, "vkGetPipelineExecutableStatisticsKHR");
  *(Function *)&codeOf = deviceAddress(*device, "vkGetPipelineExecutableInternalRepresentationsKHR");
  return 0;
}

static void writeStatistics(void *device, const Executable *executable, uint32_t subgroupSize, int pipeline) {
  uint32_t count = 0;
  statisticsOf(device, executable, &count, NULL);
  Statistic *list = calloc(count, sizeof *list);
  for (uint32_t i = 0; i < count; i++) list[i].type = EXECUTABLE + 4;
  statisticsOf(device, executable, &count, list);
  FILE *file = output(pipeline, "json");
  fprintf(file, "{\"Subgroup size\":%u", subgroupSize);
  for (uint32_t i = 0; i < count; i++) {
    if (list[i].format == REAL_NUMBER) fprintf(file, ",\"%s\":%g", list[i].name, list[i].value.real);
    else fprintf(file, ",\"%s\":%lld", list[i].name, (long long)list[i].value.whole);
  }
  fprintf(file, "}\n");
  fclose(file);
  free(list);
}

// The last representation is the machine code; the others are steps on the way to it.
static void writeCode(void *device, const Executable *executable, int pipeline) {
  uint32_t count = 0;
  codeOf(device, executable, &count, NULL);
  if (count == 0) return;
  Representation *list = calloc(count, sizeof *list);
  for (uint32_t i = 0; i < count; i++) list[i].type = EXECUTABLE + 5;
  codeOf(device, executable, &count, list);
  for (uint32_t i = 0; i < count; i++) list[i].data = malloc(list[i].size + 1);
  codeOf(device, executable, &count, list);
  FILE *file = output(pipeline, "isa");
  fwrite(list[count - 1].data, 1, list[count - 1].size, file);
  fclose(file);
  for (uint32_t i = 0; i < count; i++) free(list[i].data);
  free(list);
}

static int createPipelinesAndTell(void *device, uint64_t cache, uint32_t count, const ComputeInfo *asked, const void *allocator, uint64_t *made) {
  static int pipelines = 0;
  ComputeInfo info = *asked; // Dawn makes one at a time
  info.flags |= CAPTURE_STATISTICS | CAPTURE_CODE;
  int result = createPipelines(device, cache, count, &info, allocator, made);
  if (result) return result;
  Executable executable = {EXECUTABLE + 1, NULL, *made, 0};
  Properties properties = {EXECUTABLE + 2};
  uint32_t one = 1;
  propertiesOf(device, &executable, &one, &properties);
  executable.type = EXECUTABLE + 3;
  writeStatistics(device, &executable, properties.subgroupSize, pipelines);
  writeCode(device, &executable, pipelines++);
  return 0;
}

static int nothing(void) { return 0; }
static int handle(void *device, const void *info, const void *allocator, uint64_t *made) {
  static uint64_t next = 1000;
  *made = ++next;
  return 0;
}

// 64 GiB that are there for buffers only as far as someone maps them.
static void memoryOf(void *physical, Memory *memory) {
  memset(memory, 0, sizeof *memory);
  memory->heapCount = 1;
  memory->heaps[0].size = 64ull << 30;
  memory->heaps[0].flags = DEVICE_LOCAL;
  memory->typeCount = 2;
  memory->types[0].flags = DEVICE_LOCAL;
  memory->types[1].flags = DEVICE_LOCAL | HOST_VISIBLE;
}
static void memory2Of(void *physical, Memory2 *memory) { memoryOf(physical, &memory->memory); }
static void needsOfBuffer(void *device, uint64_t buffer, Needs *needs) { needsOf(device, buffer, needs); needs->typeBits = 3; }
static void needs2OfBuffer(void *device, const void *info, Needs2 *needs) { needs2Of(device, info, needs); needs->needs.typeBits = 3; }
static int allocate(void *device, const Allocation *info, const void *allocator, uint64_t *made) {
  Block *block = calloc(1, sizeof *block);
  block->size = info->size;
  *made = (uint64_t)(uintptr_t)block;
  return 0;
}
static int map(void *device, uint64_t memory, uint64_t offset, uint64_t size, uint32_t flags, void **data) {
  Block *block = (Block *)(uintptr_t)memory;
  if (!block->mapped) block->mapped = mmap(NULL, block->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  *data = (char *)block->mapped + offset;
  return 0;
}
static void release(void *device, uint64_t memory, const void *allocator) {
  Block *block = (Block *)(uintptr_t)memory;
  if (!block) return;
  if (block->mapped) munmap(block->mapped, block->size);
  free(block);
}

static const char *const ignored[] = {
    "vkBeginCommandBuffer", "vkEndCommandBuffer", "vkResetCommandPool", "vkQueueSubmit", "vkQueueSubmit2", "vkQueueWaitIdle", "vkDeviceWaitIdle",
    "vkGetFenceStatus", "vkWaitForFences", "vkResetFences", "vkDestroyFence", "vkDestroySemaphore", "vkDestroyQueryPool", "vkUpdateDescriptorSets",
    "vkBindBufferMemory", "vkBindBufferMemory2", "vkBindImageMemory", "vkUnmapMemory", "vkFlushMappedMemoryRanges", "vkInvalidateMappedMemoryRanges"};
static const struct { const char *name; Function own; void *real; } replaced[] = {
    {"vkCreateDevice", (Function)createDeviceWithStatistics, &createDevice},
    {"vkCreateComputePipelines", (Function)createPipelinesAndTell, &createPipelines},
    {"vkGetBufferMemoryRequirements", (Function)needsOfBuffer, &needsOf},
    {"vkGetBufferMemoryRequirements2", (Function)needs2OfBuffer, &needs2Of},
    {"vkGetBufferMemoryRequirements2KHR", (Function)needs2OfBuffer, &needs2Of},
    {"vkGetPhysicalDeviceMemoryProperties", (Function)memoryOf, NULL},
    {"vkGetPhysicalDeviceMemoryProperties2", (Function)memory2Of, NULL},
    {"vkGetPhysicalDeviceMemoryProperties2KHR", (Function)memory2Of, NULL},
    {"vkCreateFence", (Function)handle, NULL}, {"vkCreateSemaphore", (Function)handle, NULL}, {"vkCreateQueryPool", (Function)handle, NULL},
    {"vkAllocateMemory", (Function)allocate, NULL}, {"vkMapMemory", (Function)map, NULL}, {"vkFreeMemory", (Function)release, NULL}};

static Function own(const char *name, Function real) {
  if (!real) return NULL;
  if (strncmp(name, "vkCmd", 5) == 0) return (Function)nothing;
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
    if (strcmp(name, ignored[i]) == 0) return (Function)nothing;
  for (size_t i = 0; i < sizeof replaced / sizeof *replaced; i++) {
    if (strcmp(name, replaced[i].name) != 0) continue;
    if (replaced[i].real) *(Function *)replaced[i].real = real;
    return replaced[i].own;
  }
  return real;
}

Function vkGetDeviceProcAddr(void *device, const char *name) {
  load();
  return own(name, deviceAddress(device, name));
}
Function vkGetInstanceProcAddr(void *instance, const char *name) {
  load();
  if (strcmp(name, "vkGetDeviceProcAddr") == 0) return (Function)vkGetDeviceProcAddr;
  return own(name, instanceAddress(instance, name));
}
