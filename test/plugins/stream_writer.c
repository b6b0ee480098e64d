/* A plugin for tests: writes payload and gaps of all sessions down as they come, a line each:
 * direction, p or g, offset, length, bytes in hex or the gap's reason. Conflicts likewise: c,
 * offset, length, reason, both versions in hex. */
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

static int write_hex(char *to, const uint8_t *bytes, uint32_t length) {
  static const char digits[] = "0123456789abcdef";
  int at = 0;
  for (uint32_t i = 0; i < length && i < 4096; ++i) {
    to[at++] = digits[bytes[i] >> 4];
    to[at++] = digits[bytes[i] & 15];
  }
  return at;
}

static void write_down(struct writer *writer, const bricks_event *event) {
  static char line[4 * 4096 + 100];
  const char kind = event->type == BRICKS_EVENT_GAP        ? 'g'
                    : event->type == BRICKS_EVENT_CONFLICT ? 'c'
                                                           : 'p';
  int at = snprintf(line, sizeof line, "%u %c %llu %u ", event->direction, kind,
                    (unsigned long long)event->offset, event->length);
  if (kind == 'p') {
    at += write_hex(line + at, event->data, event->length);
  } else {
    at += snprintf(line + at, sizeof line - (size_t)at, "%u", event->reason);
  }
  if (kind == 'c') {
    const bricks_conflict *conflict = event->data;
    line[at++] = ' ';
    at += write_hex(line + at, conflict->before, event->length);
    line[at++] = ' ';
    at += write_hex(line + at, conflict->now, event->length);
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
    .summary = "writes payload, gaps and conflicts down",
    .events = BRICKS_ON(BRICKS_EVENT_PAYLOAD) | BRICKS_ON(BRICKS_EVENT_GAP) |
              BRICKS_ON(BRICKS_EVENT_CONFLICT),
    .options = options,
    .init = writer_init,
    .worker_init = writer_worker,
    .handle = writer_handle,
    .exit = writer_exit,
};

const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  return abi == BRICKS_PLUGIN_ABI ? &writer : 0;
}
