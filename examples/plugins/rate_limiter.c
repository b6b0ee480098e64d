/* A rate limiter: sessions share a rate, all of them or those of one source each. What is beyond it
 * waits (the group's queue), and is dropped when too much waits. The same as rate_limiter.lua.
 *
 *   cc -shared -fPIC -O2 -I bricks/native/abi -o rate_limiter.so rate_limiter.c
 *
 *   Brick.new("Session", {plugins = {{path = "rate_limiter.so", options = {
 *     rate = 1250000, burst = 15000, per = "source", port = 443}}}}) */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "bricks_plugin.h"

enum { LIMITED, FREE };

struct limiter {
  const bricks_host *host;
  uint32_t plugin;
  uint64_t rate, burst;
  uint32_t first_group, groups;
  uint16_t port; /* big-endian; 0: all */
  int by_source;
};

/* Of the address of whoever opened the session: the same group for all its sessions. */
static uint32_t group_of(const struct limiter *l, const bricks_session *session) {
  if (!l->by_source) return l->first_group;
  uint32_t hash = 2166136261u;
  const int bytes = session->ip_version == 4 ? 4 : 16;
  for (int i = 0; i < bytes; ++i) hash = (hash ^ session->flow->address[0][i]) * 16777619u;
  return l->first_group + hash % l->groups;
}

static int handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  const struct limiter *l = state;
  for (*at = 0; *at < count; ++*at) {
    bricks_session *session = events[*at].session;
    if (l->port == 0 || session->flow->port[1] == l->port) {
      const uint32_t group = group_of(l, session);
      /* The same again is no work: every new session may ask. */
      const int made = l->host->create_group(group, l->rate, l->burst);
      if (made != BRICKS_DONE) return made;
      l->host->add_group(session, group, -1);
      l->host->add_figure(l->plugin, LIMITED, 1);
    } else {
      l->host->add_figure(l->plugin, FREE, 1);
    }
    l->host->detach_me(session);
  }
  return 0;
}

static int init(const bricks_start *start, void **plugin) {
  struct limiter l = {.host = start->host, .plugin = start->plugin};
  const double rate = start->number(start, "rate"), burst = start->number(start, "burst");
  const double port = start->number(start, "port"), groups = start->number(start, "groups");
  const double first = start->number(start, "first_group");
  const char *per = start->text(start, "per");
  l.by_source = strcmp(per, "source") == 0;
  const char *why = 0;
  if (!l.by_source && strcmp(per, "all") != 0) why = "per is to be all or source";
  if (!(rate >= 1)) why = "rate is to be 1 byte a second at least";
  if (!(burst >= 1500 && burst <= 4e9)) why = "burst is to be 1500 bytes to 4 GB";
  if (!(port >= 0 && port <= 65535)) why = "port is to be 0 to 65535";
  if (!(groups >= 1 && groups <= 4096)) why = "groups is to be 1 to 4096";
  if (!(first >= 0 && first <= 4294963200.0)) why = "first_group is to be 0 to 4294963200";
  if (why) {
    start->fail(start, why);
    return BRICKS_EINVAL;
  }
  l.rate = (uint64_t)rate;
  l.burst = (uint64_t)burst;
  l.port = htons((uint16_t)port);
  l.groups = (uint32_t)groups;
  l.first_group = (uint32_t)first;
  struct limiter *made = malloc(sizeof *made);
  if (!made) return BRICKS_ENOMEM;
  *made = l;
  *plugin = made;
  return 0;
}

static int worker_init(void *plugin, uint32_t worker, void **state) {
  (void)worker;
  *state = plugin;
  return 0;
}

static const bricks_option options[] = {
    {"rate", "bytes of IP packets a second", 'n', 0},
    {"burst", "bytes that may pass at once", 'n', "15000"},
    {"per", "who shares it: all, or those of a source", 's', "all"},
    {"port", "sessions opened to that port only; 0: all", 'n', "0"},
    {"first_group", "number of the first queue group", 'n', "1000"},
    {"groups", "per source: how many groups at most", 'n', "256"},
    {0, 0, 0, 0},
};
static const char *const figures[] = {"limited", "free", 0};

static const bricks_plugin limiter = {
    .abi = BRICKS_PLUGIN_ABI,
    .size = sizeof limiter,
    .name = "rate_limiter",
    .summary = "sessions share a rate, all together or by source",
    .events = BRICKS_ON(BRICKS_EVENT_OPENING),
    .options = options,
    .figures = figures,
    .init = init,
    .worker_init = worker_init,
    .handle = handle,
    .exit = free,
};

__attribute__((visibility("default"))) const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  return abi == BRICKS_PLUGIN_ABI ? &limiter : 0;
}
