/* Made for another ABI, and says so although it is asked for this one. */
#include "bricks_plugin.h"

const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  static const bricks_plugin plugin = {.abi = BRICKS_PLUGIN_ABI + 1, .size = sizeof plugin};
  (void)abi;
  return &plugin;
}
