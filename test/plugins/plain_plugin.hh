// What plugins of tests have in common: one state for all workers, and an entry.
#pragma once

#include <cstdlib>

#include "bricks_plugin.h"

inline int plain_worker_init(void *plugin, uint32_t, void **state) {
  *state = plugin;
  return 0;
}

// The rest is 0 until it is set.
inline bricks_plugin plain_plugin(const char *name, const char *summary, uint32_t events) {
  bricks_plugin made = {};
  made.abi = BRICKS_PLUGIN_ABI;
  made.size = sizeof(bricks_plugin);
  made.name = name;
  made.summary = summary;
  made.events = events;
  made.worker_init = plain_worker_init;
  return made;
}

// Where init makes the plugin with new, and contexts come from malloc.
template <typename Plugin>
void free_at_the_end(bricks_plugin *made) {
  made->free_context = [](void *, void *context) { std::free(context); };
  made->exit = [](void *plugin) { delete static_cast<Plugin *>(plugin); };
}

#define BRICKS_PLUGIN_ENTRY(plugin)                        \
  const bricks_plugin *bricks_plugin_entry(uint32_t abi) { \
    return abi == BRICKS_PLUGIN_ABI ? &(plugin) : nullptr; \
  }
