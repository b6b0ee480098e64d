/* A library, and no plugin. */
#include "bricks_plugin.h"

__attribute__((visibility("default"))) int something_else(void);
int something_else(void) { return BRICKS_DONE; }
