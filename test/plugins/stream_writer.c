/* A plugin for tests: writes payload and gaps of all sessions down as they come, a line each:
 * direction, p or g, offset, length, bytes in hex or the gap's reason. */
#include <stdio.h>
#include <stdlib.h>

#include "bricks_plugin.h"

struct writer {
  const bricks_host *host;
  uint32_t number;
};

static const bricks_option options[] = {{"file", "where to", 's', ""}, {0, 0, 0, 0}};

static int writer_init(const bricks_start *start, void **plugin) {
  struct writer *made = calloc(1, sizeof *made);
  if (!made) return 1;
  made->host = start->host;
  made->number = start->plugin;
  *plugin = made;
  return 0;
}

static int writer_worker(void *plugin, uint32_t worker, void **state) {
  (void)worker;
  *state = plugin;
  return 0;
}

static void write_down(struct writer *writer, const bricks_event *event) {
  static const char digits[] = "0123456789abcdef";
  static char line[2 * 4096 + 100];
  const int is_gap = event->type == BRICKS_EVENT_GAP;
  int at = snprintf(line, sizeof line, "%u %c %llu %u ", event->direction, is_gap ? 'g' : 'p',
                    (unsigned long long)event->offset, event->length);
  if (is_gap) {
    at += snprintf(line + at, sizeof line - (size_t)at, "%u", event->reason);
  } else {
    const uint8_t *bytes = event->data;
    for (uint32_t i = 0; i < event->length && i < 4096; ++i) {
      line[at++] = digits[bytes[i] >> 4];
      line[at++] = digits[bytes[i] & 15];
    }
  }
  writer->host->emit(writer->number, line, (size_t)at);
}

static int writer_handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  for (*at = 0; *at < count; ++*at) write_down(state, &events[*at]);
  return 0;
}

static void writer_exit(void *plugin) { free(plugin); }

static const bricks_plugin writer = {
    .abi = BRICKS_PLUGIN_ABI,
    .size = sizeof(bricks_plugin),
    .name = "stream_writer",
    .summary = "writes payload and gaps down",
    .events = BRICKS_ON(BRICKS_EVENT_PAYLOAD) | BRICKS_ON(BRICKS_EVENT_GAP),
    .options = options,
    .init = writer_init,
    .worker_init = writer_worker,
    .handle = writer_handle,
    .exit = writer_exit,
};

const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  return abi == BRICKS_PLUGIN_ABI ? &writer : 0;
}
