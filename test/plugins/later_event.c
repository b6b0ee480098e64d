/* Made with a later header of the same ABI: wants an event that this host does not know. */
#include "bricks_plugin.h"

static int nothing(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  (void)state, (void)events;
  *at = count;
  return 0;
}

const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  static const bricks_plugin plugin = {
      .abi = BRICKS_PLUGIN_ABI,
      .size = sizeof plugin,
      .name = "later_event",
      .summary = "wants what is not there yet",
      .events = BRICKS_ON(BRICKS_EVENT_CONFLICT) | BRICKS_ON(BRICKS_EVENT_CONFLICT + 1),
      .handle = nothing,
  };
  return abi == BRICKS_PLUGIN_ABI ? &plugin : 0;
}
