/* Stellar's work loop for C programs, without an engine or a daemon (libbricks-worker.so, which has
 * bricks_packet_io.h's calls, too): sessions, plugins, and queues of groups, for packets of a
 * packet_io. examples/stellar/worker.c is such a loop.
 *
 * A worker and its packet_io belong to one thread at a time. Queue groups are the process's: any
 * thread may create and delete them. Calls that return int give a number, or one of bricks_error
 * (negative); packet_io_error() then says what, where, why, and what to do. */
#ifndef BRICKS_WORKER_H
#define BRICKS_WORKER_H

#include "bricks_packet_io.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bricks_worker bricks_worker;

/* A plugin's file (.so, .lua) and its options, "name=value;name=value", or 0: none. Values are
 * numbers, true, false, or text. */
typedef struct bricks_worker_plugin {
  const char *path;
  const char *options;
} bricks_worker_plugin;

typedef struct bricks_worker_settings {
  uint32_t sessions;   /* most at a time; 0: 1,048,576 */
  uint32_t queued;     /* packets that may wait in queues; 0: 65,536 */
  uint8_t packet_time; /* 1: time is the packets' own, as for captures; 0: the wall clock */
  uint8_t midstream;   /* TCP sessions may begin with any segment */
} bricks_worker_settings;

/* What is to become of a packet. */
typedef struct bricks_verdict {
  uint32_t session;     /* 0: of none; valid until the next worker_ingress */
  uint16_t output;      /* as plugins have set it, 0 at first */
  uint8_t direction;    /* 0: from whoever opened the session */
  uint8_t dropped;      /* by a plugin: to be freed and not sent */
  uint32_t groups[4];   /* queue groups that it belongs to, */
  uint32_t group_count; /* so many */
} bricks_verdict;

/* Plugins in the order they are to be called. settings: 0: all 0. 0 on failure, the reason in
 * *error: ENOENT, EINVAL, ENOTSUP, ENOMEM, EIO. */
BRICKS_IO_API bricks_worker *worker_create(packet_io *io, const bricks_worker_plugin *plugins,
                                           int plugin_count, const bricks_worker_settings *settings,
                                           int *error);
/* Ends all sessions first (CLOSING), then the plugins; packets that wait in its queues are freed.
 * Before the packet_io goes. */
BRICKS_IO_API void worker_destroy(bricks_worker *worker);

/* Session manager and plugin manager: what the packets, up to 256 of the caller's, do to their
 * sessions, every event of that to every plugin in its order, and what the plugins say. Packets
 * stay the caller's. Events of a packet are dealt with before those of the next one of its session.
 * Returns n; EINVAL: one is not the caller's. Fragments without ports are sessions of their
 * addresses. */
BRICKS_IO_API int worker_ingress(bricks_worker *worker, struct packet **packets, int n,
                                 bricks_verdict *verdicts);
/* Time goes on without packets: sessions' time-outs. As often as one likes; not with packet_time.
 */
BRICKS_IO_API int worker_idle(bricks_worker *worker);
/* No packet will come any more: sessions end (CLOSING), and with packet_time all that waits is due,
 * each packet at its time. */
BRICKS_IO_API int worker_finish(bricks_worker *worker);

/* Active queue management. A packet is either sent or enqueued, never both. */
typedef enum {
  AQM_PASS = 0,   /* the caller's: may be sent */
  AQM_STOLEN = 1, /* the queue's: comes back by aqm_dequeue */
  AQM_DROP = 2    /* freed: too much waits, or it is beyond its rate */
} aqm_verdict;
/* To its verdict's groups. All packets go this way, those of no group, too: they must not overtake
 * those of their session that wait. EINVAL: not the caller's. */
BRICKS_IO_API int aqm_enqueue(bricks_worker *worker, struct packet *packet,
                              const bricks_verdict *verdict);
/* Packets whose time has come, up to n: they are the caller's, to be sent. Before each
 * packet_io_rx, and when aqm_next says so. */
BRICKS_IO_API int aqm_dequeue(bricks_worker *worker, struct packet **packets, int n);
/* Wall-clock time, in nanoseconds, at which aqm_dequeue will have something; 0: not by itself. */
BRICKS_IO_API uint64_t aqm_next(bricks_worker *worker);

/* A shaper of the process: bytes of IP packets a second, bytes that may pass at once (1,500 at
 * least). The same again: nothing happens; others: in place. EINVAL, ENOMEM. */
BRICKS_IO_API int aqm_group_create(uint32_t group, uint64_t cir, uint64_t cbs);
BRICKS_IO_API int aqm_group_delete(uint32_t group); /* ENOENT */
typedef struct aqm_counts {
  uint64_t enqueued, dequeued, dropped, marked, moved, backlog; /* packets */
  uint64_t enqueued_bytes, dequeued_bytes, dropped_bytes, backlog_bytes;
} aqm_counts;
BRICKS_IO_API int aqm_group_stats(uint32_t group, aqm_counts *counts); /* ENOENT */
/* As the design text spells them. */
#define amq_group_create aqm_group_create
#define AMQ_enqueue aqm_enqueue
#define AQM_enqueue aqm_enqueue

#ifdef __cplusplus
}
#endif

#endif
