/* A plugin for tests: counts what it is given and does what payloads say. A payload that begins
 * with D is dropped, with K its session is killed, with O1 it goes to output 1 from now on, with G7
 * it belongs to queue group 7. Ends of sessions are lines of `file`: protocol, ends, packets and
 * bytes of both, why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bricks_plugin.h"

struct probe {
  const bricks_host *host;
  uint32_t number;
  int lines;
};

static const char *const figures[] = {"opening", "active",  "packets", "payload", "gaps",
                                      "records", "closing", "bytes",   0};
static const bricks_option options[] = {
    {"lines", "a line for each session that ends", 'b', "false"},
    {"file", "where to", 's', ""},
    {0, 0, 0, 0},
};

static int probe_init(const bricks_start *start, void **plugin) {
  struct probe *made = calloc(1, sizeof *made);
  if (!made) return 1;
  made->host = start->host;
  made->number = start->plugin;
  made->lines = start->flag(start, "lines");
  *plugin = made;
  return 0;
}

static int probe_worker(void *plugin, uint32_t worker, void **state) {
  (void)worker;
  *state = plugin;
  return 0;
}

static void say(struct probe *probe, const bricks_session *s) {
  char line[300];
  int at = snprintf(line, sizeof line, "%u", s->protocol);
  const int bytes = s->ip_version == 4 ? 4 : 16;
  for (int side = 0; side < 2; ++side) {
    at += snprintf(line + at, sizeof line - (size_t)at, " ");
    for (int i = 0; i < bytes; ++i) {
      at += snprintf(line + at, sizeof line - (size_t)at, "%02x", s->flow->address[side][i]);
    }
    const unsigned port = (unsigned)(s->flow->port[side] >> 8 | (s->flow->port[side] & 255) << 8);
    at += snprintf(line + at, sizeof line - (size_t)at, ":%u", port);
  }
  at += snprintf(line + at, sizeof line - (size_t)at, " %llu %llu %llu %llu %u",
                 (unsigned long long)s->packets[0], (unsigned long long)s->packets[1],
                 (unsigned long long)s->bytes[0], (unsigned long long)s->bytes[1], s->close_reason);
  probe->host->emit(probe->number, line, (size_t)at);
}

static int probe_handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  struct probe *probe = state;
  int64_t counts[8] = {0};
  for (*at = 0; *at < count; ++*at) {
    bricks_event *event = &events[*at];
    ++counts[event->type];
    if (event->type == BRICKS_EVENT_CLOSING && probe->lines) say(probe, event->session);
    if (event->type == BRICKS_EVENT_PAYLOAD) counts[7] += event->length;
    if (event->type != BRICKS_EVENT_PACKET || event->length < 2) continue;
    const char *payload = event->data;
    if (payload[0] == 'D') probe->host->drop_packet(event->session);
    if (payload[0] == 'K') probe->host->kill(event->session);
    if (payload[0] == 'G') {
      probe->host->add_group(event->session, (uint32_t)(payload[1] - '0'), -1);
    }
    if (payload[0] == 'O') probe->host->set_output(event->session, (uint32_t)(payload[1] - '0'));
  }
  for (uint32_t i = 0; i < 8; ++i) {
    if (counts[i]) probe->host->add_figure(probe->number, i, counts[i]);
  }
  return 0;
}

static void probe_exit(void *plugin) { free(plugin); }

static const bricks_plugin probe = {
    .abi = BRICKS_PLUGIN_ABI,
    .size = sizeof(bricks_plugin),
    .name = "probe",
    .summary = "counts, and does what payloads say",
    .events = BRICKS_ON(BRICKS_EVENT_OPENING) | BRICKS_ON(BRICKS_EVENT_ACTIVE) |
              BRICKS_ON(BRICKS_EVENT_PACKET) | BRICKS_ON(BRICKS_EVENT_PAYLOAD) |
              BRICKS_ON(BRICKS_EVENT_GAP) | BRICKS_ON(BRICKS_EVENT_PROTOCOL) |
              BRICKS_ON(BRICKS_EVENT_CLOSING),
    .protocols = ~0u,
    .options = options,
    .figures = figures,
    .init = probe_init,
    .worker_init = probe_worker,
    .handle = probe_handle,
    .exit = probe_exit,
};

const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  return abi == BRICKS_PLUGIN_ABI ? &probe : 0;
}
