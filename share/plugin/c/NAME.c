/* NAME: counts sessions and their packets. Docs: docs/plugins.md, bricks_plugin.h. */
#include <stdio.h>
#include <stdlib.h>

#include "bricks_plugin.h"

enum { SESSIONS, PACKETS, DROPPED }; /* figures */

typedef struct {
  const bricks_host *host;
  uint32_t number;
  double longest;
} plugin_state;

/* What is kept of a session. */
typedef struct {
  uint64_t packets;
} session_state;

static void on_packet(plugin_state *plugin, const bricks_event *event) {
  session_state *mine = *event->context;
  const bricks_host *host = plugin->host;
  if (mine) mine->packets += 1;
  host->add_figure(plugin->number, PACKETS, 1);
  if (event->packet->wire_length > plugin->longest) {
    host->drop_packet(event->session);
    host->add_figure(plugin->number, DROPPED, 1);
  }
}

static void on_closing(plugin_state *plugin, const bricks_event *event) {
  session_state *mine = *event->context;
  char line[80];
  const int length = snprintf(line, sizeof line, "session %llu: %llu packets, reason %d",
                              (unsigned long long)event->session->flow->id,
                              mine ? (unsigned long long)mine->packets : 0ull, event->reason);
  plugin->host->emit(plugin->number, line, (size_t)length);
  free(mine);
  *event->context = NULL; /* what is left there counts as a leak */
}

static int handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  plugin_state *plugin = state;
  for (*at = 0; *at < count; ++*at) {
    bricks_event *event = &events[*at];
    if (event->type == BRICKS_EVENT_OPENING) {
      *event->context = calloc(1, sizeof(session_state));
      plugin->host->add_figure(plugin->number, SESSIONS, 1);
    } else if (event->type == BRICKS_EVENT_PACKET) {
      on_packet(plugin, event);
    } else if (event->type == BRICKS_EVENT_CLOSING) {
      on_closing(plugin, event);
    }
  }
  return 0;
}

static int init(const bricks_start *start, void **plugin) {
  plugin_state *made = calloc(1, sizeof *made);
  if (!made) return -1;
  made->host = start->host;
  made->number = start->plugin;
  made->longest = start->number(start, "longest");
  *plugin = made;
  return 0;
}
/* Every worker uses the same: nothing in it changes. */
static int worker_init(void *plugin, uint32_t worker, void **state) {
  (void)worker;
  *state = plugin;
  return 0;
}
static void free_context(void *state, void *context) {
  (void)state;
  free(context);
}
static void finish(void *plugin) { free(plugin); }

static const bricks_option options[] = {
    {"longest", "bytes; longer packets are dropped", 'n', "65535"},
    {"file", "where a line for each session goes", 's', ""},
    {NULL, NULL, 0, NULL},
};
static const char *const figures[] = {"sessions", "packets", "dropped", NULL};

static const bricks_plugin plugin = {
    .abi = BRICKS_PLUGIN_ABI,
    .size = sizeof(bricks_plugin),
    .name = "NAME",
    .summary = "counts sessions and their packets",
    .events = BRICKS_ON(BRICKS_EVENT_OPENING) | BRICKS_ON(BRICKS_EVENT_PACKET) |
              BRICKS_ON(BRICKS_EVENT_CLOSING),
    .options = options,
    .figures = figures,
    .init = init,
    .worker_init = worker_init,
    .handle = handle,
    .free_context = free_context,
    .exit = finish,
};

const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  return abi == BRICKS_PLUGIN_ABI ? &plugin : NULL;
}
