/* A plugin in C: a shared library that exports bricks_plugin_entry and includes nothing but this.
 *
 *   static int handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
 *     for (*at = 0; *at < count; ++*at) use(&events[*at]);
 *     return 0;
 *   }
 *
 * All callbacks but init and exit run on the thread of one engine (a worker). They must not block.
 * An exception of C++ is caught, counted, and the plugin detached from that session; a crash in C
 * takes the process with it, and is said to be yours. */
#ifndef BRICKS_PLUGIN_H
#define BRICKS_PLUGIN_H
#include <stddef.h>

#include "bricks_error.h"
#include "bricks_event.h"

#define BRICKS_PLUGIN_ABI 2 /* grows with a struct's change; not with events behind the last */
#define BRICKS_ON(event) (1u << (event)) /* of bricks_event_type, for bricks_plugin.events */

/* cdef begin */
typedef void bricks_free(void *value, size_t size);
typedef enum {                     /* what metadata is, for other languages */
               BRICKS_OPAQUE = 0,  /* a pointer; only C reads what is behind it */
               BRICKS_BYTES = 1,   /* copied by the host */
               BRICKS_INTEGER = 2, /* int64_t, copied */
               BRICKS_NUMBER = 3,  /* double, copied */
               BRICKS_BOOLEAN = 4  /* uint8_t, copied */
} bricks_value_type;

/* What a plugin may ask for. The sessions are those of the current call: else BRICKS_ENOCTX. All
 * but figure, emit and the groups' are for the worker's thread. */
typedef struct bricks_host {
  uint32_t abi, size; /* size: of this struct as the host has it */
  /* No more calls for this session, not even CLOSING, from the return of this one on. What is in
   * context then is given to free_context and counted as a leak. */
  int (*detach_me)(bricks_session *);
  /* From the next plugin on nobody else gets this session's events, but for CLOSING, which goes to
   * whoever has been called before. BRICKS_EBUSY; BRICKS_ESTATE: it is closing, or you have left.
   */
  int (*take_over)(bricks_session *);
  /* The packet of this event goes nowhere; other plugins still see it. BRICKS_ESTATE: no packet. */
  int (*drop_packet)(bricks_session *);
  /* The packet and all that follow belong to that group, too (four at most). direction: 0, 1, or -1
   * for both. BRICKS_ENOENT: no such group. */
  int (*add_group)(bricks_session *, uint32_t group, int direction);
  int (*remove_group)(bricks_session *, uint32_t group);
  /* key: 1 to 63 bytes. type BRICKS_OPAQUE: value and free stay the session's until the value is
   * replaced, removed or the session is closed (after all CLOSING; the newest key is freed first);
   * free may be 0. The same pointer again: only size and free are replaced. Other types are copied,
   * free is not used. BRICKS_EBUSY, BRICKS_ENOMEM; BRICKS_EPERM: from within a free. */
  int (*set_metadata)(bricks_session *, const char *key, bricks_value_type, void *value,
                      size_t size, bricks_free *);
  /* Borrowed until the next change of that key, or the end of this call. */
  int (*get_metadata)(bricks_session *, const char *key, bricks_value_type *, void **value,
                      size_t *size);
  int (*del_metadata)(bricks_session *, const char *key);
  /* Others may not change this session until unlock, the plugin's detachment, an error of it, the
   * session's end, or the lock's time-out. plugin: your own number. Never waits. */
  int (*lock)(bricks_session *, uint32_t plugin);
  int (*unlock)(bricks_session *, uint32_t plugin);
  /* Packets from this one on go to that output of the brick. */
  int (*set_output)(bricks_session *, uint32_t output);
  int (*kill)(bricks_session *); /* CLOSING once this packet's events are through */
  /* It ends before its parent, and has no packets: OPENING and CLOSING for all, after this call.
   * type: yours, 1 to 65535. BRICKS_ESTATE, BRICKS_ENOMEM; BRICKS_ENOTSUP: children have none. */
  int (*open_child)(bricks_session *parent, uint32_t type, bricks_session **child);
  int (*close_child)(bricks_session *child);
  /* Process-wide; bytes of IP packets. The same again: 0; other parameters: in place. */
  int (*create_group)(uint32_t group, uint64_t bytes_per_second, uint64_t burst_bytes);
  int (*delete_group)(uint32_t group);
  /* A line for the plugin's `file` option, written by a thread of the host's. BRICKS_ENOMEM: it
   * does not keep up; counted. BRICKS_ENOENT: no file. */
  int (*emit)(uint32_t plugin, const char *line, size_t length);
  int (*add_figure)(uint32_t plugin, uint32_t figure, int64_t value); /* of bricks_plugin.figures */
  /* Of the event's session, ICMP's of its packet: 30 characters and a 0. */
  int (*community_id)(const bricks_event *, char *text);
} bricks_host;

typedef struct bricks_option {
  const char *name, *summary; /* one line each */
  char type;                  /* 's' text (of a list: a line each), 'n' number, 'b' true or false */
  const char *preset;         /* as text; 0: must be given */
} bricks_option;

typedef struct bricks_start { /* the functions: of a declared option; a wrong name: 0 */
  const bricks_host *host;
  uint32_t plugin; /* your number */
  const char *name;
  const char *(*text)(const struct bricks_start *, const char *option);
  double (*number)(const struct bricks_start *, const char *option);
  int (*flag)(const struct bricks_start *, const char *option);
  void (*fail)(const struct bricks_start *, const char *why); /* what a failing init says */
} bricks_start;

typedef struct bricks_plugin {
  uint32_t abi, size; /* BRICKS_PLUGIN_ABI, sizeof(bricks_plugin) */
  const char *name, *summary;
  uint32_t events;              /* BRICKS_ON(...) | ... */
  uint32_t protocols;           /* whose records: 1 << bricks_protocol */
  const bricks_option *options; /* ends with a name of 0; 0: none */
  const char *const *figures;   /* a-z, 0-9 and _; ends with 0; 0: none. For bricks status */
  int (*init)(const bricks_start *, void **plugin); /* once; 0: well. May be 0, like the rest */
  int (*worker_init)(void *plugin, uint32_t worker, void **state);
  /* `*at`: the event being dealt with. On an error (not 0, or an exception) that one's session has
   * failed, and the call is made again for those behind it. */
  int (*handle)(void *state, bricks_event *events, uint32_t count, uint32_t *at);
  void (*free_context)(void *state, void *context); /* of a session that is over with it */
  void (*worker_exit)(void *state);
  void (*exit)(void *plugin);
} bricks_plugin;

/* cdef end */
/* The one symbol; `abi`: the host's. 0: cannot work with it. */
#ifdef __cplusplus
extern "C"
#endif
    __attribute__((visibility("default"))) const bricks_plugin *
    bricks_plugin_entry(uint32_t abi);
#endif
