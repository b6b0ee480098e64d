/* Stellar's names for what bricks_host has: for plugins that are written to its design text. All
 * return 0 or a negative bricks_error; the sessions are those of the current call. One file of a
 * plugin includes this, and its init says bricks_stellar_begin(start) first. */
#ifndef BRICKS_STELLAR_H
#define BRICKS_STELLAR_H

#include "bricks_plugin.h"

static const bricks_host *bricks_stellar_host;
static uint32_t bricks_stellar_plugin; /* the plug_id of session_lock */

static inline void bricks_stellar_begin(const bricks_start *start) {
  bricks_stellar_host = start->host;
  bricks_stellar_plugin = start->plugin;
}

/* The plugin has released what it kept of the session; from the return of its callback on it is not
 * called for it any more, not for CLOSING either. */
static inline int pm_session_detach_me(bricks_session *session) {
  return bricks_stellar_host->detach_me(session);
}
static inline int pm_session_dettach_me(bricks_session *session) { /* as the text spells it */
  return pm_session_detach_me(session);
}
/* No other plugin is called for the session, but those that have been, for CLOSING. */
static inline int pm_session_take_over(bricks_session *session) {
  return bricks_stellar_host->take_over(session);
}

/* The packet of the current event goes nowhere. */
static inline int session_drop_current_packet(bricks_session *session) {
  return bricks_stellar_host->drop_packet(session);
}
/* From this packet on, both directions; up to four groups, which add up. */
static inline int session_set_ratelimit_group(bricks_session *session, uint32_t group) {
  return bricks_stellar_host->add_group(session, group, -1);
}
static inline int session_clear_ratelimit_group(bricks_session *session, uint32_t group) {
  return bricks_stellar_host->remove_group(session, group);
}

/* key: 1 to 63 bytes. free_value may be 0: the value stays the caller's. */
static inline int session_set_metadata(bricks_session *session, const char *key, void *value,
                                       size_t value_size, bricks_free *free_value) {
  return bricks_stellar_host->set_metadata(session, key, BRICKS_OPAQUE, value, value_size,
                                           free_value);
}
/* Borrowed until the key is set or removed, or the callback returns. */
static inline int session_get_metadata(bricks_session *session, const char *key, void **value,
                                       size_t *value_size) {
  return bricks_stellar_host->get_metadata(session, key, 0, value, value_size);
}
static inline int session_del_metadata(bricks_session *session, const char *key) {
  return bricks_stellar_host->del_metadata(session, key);
}

/* Never waits. plug_id: bricks_stellar_plugin. */
static inline int session_lock(bricks_session *session, uint32_t plug_id) {
  return bricks_stellar_host->lock(session, plug_id);
}
static inline int session_unlock(bricks_session *session, uint32_t plug_id) {
  return bricks_stellar_host->unlock(session, plug_id);
}
static inline int session_kill(bricks_session *session) {
  return bricks_stellar_host->kill(session);
}

/* cir: bytes of IP packets a second; cbs: bytes, one packet at least. There already: 0, with these
 * numbers from now on. The text has both spellings. */
static inline int aqm_group_create(uint32_t group, uint64_t cir, uint64_t cbs) {
  return bricks_stellar_host->create_group(group, cir, cbs);
}
static inline int amq_group_create(uint32_t group, uint64_t cir, uint64_t cbs) {
  return aqm_group_create(group, cir, cbs);
}
static inline int aqm_group_delete(uint32_t group) {
  return bricks_stellar_host->delete_group(group);
}
static inline int amq_group_delete(uint32_t group) { return aqm_group_delete(group); }

#endif
