/* The example of Stellar's design text, with Stellar's names: a plugin that asks what the firewall
 * has decided, and takes over or limits what it says. */
#include <string.h>

#include "bricks_stellar.h"

enum { GROUP = 4711 };

/* By whom the session is opened to: 1 intercepts, 2 limits, 3 sets the firewall's word. */
static int check_security_policy(const bricks_session *session) {
  return session->flow->address[1][3];
}

static int plugin_entry(bricks_session *session) {
  static char intercept[] = "INTERCEPT";
  void *value = 0;
  size_t size = 0;
  if (session_get_metadata(session, "fw_action", &value, &size) == 0 && size == sizeof intercept &&
      memcmp(value, intercept, size) == 0)
    return pm_session_dettach_me(session);
  switch (check_security_policy(session)) {
    case 1:
      return pm_session_take_over(session);
    case 2:
      if (amq_group_create(GROUP, 1000000, 100000)) return 1;
      return session_set_ratelimit_group(session, GROUP);
    case 3:
      if (session_lock(session, bricks_stellar_plugin)) return 1;
      if (session_set_metadata(session, "fw_action", intercept, sizeof intercept, 0)) return 1;
      return session_unlock(session, bricks_stellar_plugin);
    case 4:
      return session_drop_current_packet(session);
    case 5:
      return session_kill(session);
    default:
      return 0;
  }
}

static int handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  (void)state;
  for (*at = 0; *at < count; ++*at) {
    bricks_session *session = events[*at].session;
    if (events[*at].type != BRICKS_EVENT_CLOSING) {
      if (plugin_entry(session)) return 1;
    } else if (check_security_policy(session) == 2) {
      session_del_metadata(session, "fw_action");
      amq_group_delete(GROUP);
    }
  }
  return 0;
}

static int init(const bricks_start *start, void **plugin) {
  (void)plugin;
  bricks_stellar_begin(start);
  return 0;
}

const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  static const bricks_plugin plugin = {
      .abi = BRICKS_PLUGIN_ABI,
      .size = sizeof(bricks_plugin),
      .name = "stellar_example",
      .summary = "the design text's example",
      .events = BRICKS_ON(BRICKS_EVENT_OPENING) | BRICKS_ON(BRICKS_EVENT_PACKET) |
                BRICKS_ON(BRICKS_EVENT_CLOSING),
      .init = init,
      .handle = handle,
  };
  return abi == BRICKS_PLUGIN_ABI ? &plugin : 0;
}
