/* A plugin for benchmarks: counts packets and bytes by session, in its context, and what opens and
 * closes. */
#include "bricks_plugin.h"

static const bricks_host *host;
static uint32_t number;
static const char *const figures[] = {"opening", "closing", "packets", 0};

static int counter_init(const bricks_start *start, void **plugin) {
  (void)plugin;
  host = start->host;
  number = start->plugin;
  return 0;
}

/* The context is the count itself. */
static int counter_handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  (void)state;
  int64_t opened = 0, closed = 0, packets = 0;
  for (uint32_t i = 0; i < count; ++i) {
    bricks_event *event = &events[i];
    if (event->type == BRICKS_EVENT_PACKET) {
      *event->context = (char *)*event->context + event->packet->wire_length;
      ++packets;
    } else if (event->type == BRICKS_EVENT_OPENING) {
      ++opened;
    } else {
      *event->context = 0;
      ++closed;
    }
  }
  *at = count;
  if (opened) host->add_figure(number, 0, opened);
  if (closed) host->add_figure(number, 1, closed);
  if (packets) host->add_figure(number, 2, packets);
  return 0;
}

static const bricks_plugin counter = {
    .abi = BRICKS_PLUGIN_ABI,
    .size = sizeof(bricks_plugin),
    .name = "counter",
    .summary = "counts packets and bytes of each session",
    .events = BRICKS_ON(BRICKS_EVENT_OPENING) | BRICKS_ON(BRICKS_EVENT_PACKET) |
              BRICKS_ON(BRICKS_EVENT_CLOSING),
    .figures = figures,
    .init = counter_init,
    .handle = counter_handle,
};

const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  return abi == BRICKS_PLUGIN_ABI ? &counter : 0;
}
