/* libbricks: read the packets of a bricks pipe from your own program.
 *
 *   bricks_consumer *c;
 *   bricks_packet p;
 *   bricks_result r;
 *   char why[512];
 *   if (bricks_attach(&c, "eth3}0", NULL, why, sizeof why) != BRICKS_OK) { puts(why); return 1; }
 *   do {
 *     while ((r = bricks_next(c, &p)) == BRICKS_OK) use(p.data, p.captured);
 *   } while (r == BRICKS_EMPTY && bricks_wait(c, -1) == BRICKS_OK);
 *   bricks_detach(c);
 *
 * One consumer holds one end of one pipe; a pipe has at most one consumer at a time. Not
 * thread-safe per consumer; different consumers are independent. Nothing allocates after
 * attach.
 *
 * Heartbeat: the calls that read and wait tell the engine, unasked, that the program is alive. One
 * that calls none of them for longer than the pipe's `heartbeat` (5 s unless configured) counts as
 * hung until it calls again: it loses nothing that is in its pipe, but may be given nothing new. */
#ifndef BRICKS_H
#define BRICKS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct bricks_consumer bricks_consumer;

typedef enum { /* the values of errors are the exit codes of the command line */
               BRICKS_OK = 0,
               BRICKS_FAILED = 1, /* the system refused; or the ring holds what cannot be: detach */
               BRICKS_INVALID = 2,       /* an argument makes no sense */
               BRICKS_UNREACHABLE = 4,   /* no daemon answers at that folder */
               BRICKS_PERMISSION = 5,    /* the pipe is not yours to read */
               BRICKS_NOT_FOUND = 6,     /* no such pipe */
               BRICKS_BUSY = 7,          /* somebody else holds this end */
               BRICKS_TIMEOUT = 124,     /* bricks_wait, bricks_attach: the time is up */
               BRICKS_INTERRUPTED = 130, /* bricks_wait: a signal came */
               BRICKS_EMPTY = 200,       /* bricks_next: nothing right now */
               BRICKS_END = 201,         /* the input has ended and everything was read */
               BRICKS_GONE = 202, /* the daemon has vanished and everything was read; or the pipe
                                     was taken down, and what was left in it counts as unread */
               BRICKS_FULL = 203  /* bricks_send, bricks_reserve: the pipe has no room right now */
} bricks_result;

typedef struct {
  const uint8_t *data;   /* valid until the next call on this consumer but bricks_fd */
  uint32_t captured;     /* bytes at data */
  uint32_t wire_length;  /* bytes on the wire; larger when the capture cut the packet */
  uint64_t timestamp_ns; /* receive time, nanoseconds since 1970 */
  uint32_t link_type;    /* LINKTYPE_ value; 1 is Ethernet */
} bricks_packet;

typedef struct {
  const char *run_dir; /* NULL: $BRICKS_RUN_DIR, /run/bricks for root, $XDG_RUNTIME_DIR/bricks */
  int64_t timeout_ms;  /* attach: wait this long for daemon and pipe; 0 not at all, -1 for ever */
  uint32_t spin_us;    /* bricks_wait: look up to this long before sleeping; 0: the default, 50 */
  uint32_t follow;     /* 1: an input that ends may begin anew: EMPTY, never END */
  uint32_t busy_poll;  /* 1: EMPTY does not arm bricks_fd, which spares the engine the signal; for
                          loops over many pipes that sleep in bricks_wait or bricks_wait_any only */
} bricks_options;

/* Takes the consumer's end of `name`. On success *consumer is yours until bricks_detach; else it is
 * NULL and `why` (of `why_size` bytes, may be NULL) says what, where and what to do. */
bricks_result bricks_attach(bricks_consumer **consumer, const char *name,
                            const bricks_options *options, char *why, size_t why_size);

/* The next packet: BRICKS_OK, BRICKS_EMPTY, BRICKS_END, BRICKS_GONE or BRICKS_FAILED. Never blocks.
 * Ends the life of what the call before handed out; slots go back to the engine some at a time. */
bricks_result bricks_next(bricks_consumer *consumer, bricks_packet *packet);

/* Up to `capacity` packets at once, *count of them; results as bricks_next. A packet of more than
 * one buffer is always the last of its batch. */
bricks_result bricks_next_batch(bricks_consumer *consumer, bricks_packet *packets,
                                uint32_t capacity, uint32_t *count);

/* Blocks until bricks_next has something to say (OK, also at the end), or TIMEOUT, INTERRUPTED.
 * timeout_ms -1 waits for ever. */
bricks_result bricks_wait(bricks_consumer *consumer, int64_t timeout_ms);

/* The same for `count` (1 to BRICKS_WAIT_MAX) consumers: until one of them has something to say.
 * Leave out those that have said END, GONE or FAILED: they would say so again at once. */
#define BRICKS_WAIT_MAX 256
bricks_result bricks_wait_any(bricks_consumer *const *consumers, uint32_t count,
                              int64_t timeout_ms);

/* Readable (POLLIN) when there may be news; for poll, epoll, select. Call bricks_next until it says
 * BRICKS_EMPTY before sleeping on it: that arms it. The consumer's own: never read or close.
 * From the first call on the heartbeat pauses with each EMPTY: how long a program sleeps elsewhere
 * is its own affair, and only while it has packets to read can it be taken for hung. */
int bricks_fd(bricks_consumer *consumer);

/* LINKTYPE_ value of the pipe's packets (those that have no other), and its name. */
uint32_t bricks_link_type(const bricks_consumer *consumer);
const char *bricks_name(const bricks_consumer *consumer);

/* Packets for this pipe that were dropped before they got into it, since it was opened: it was
 * full. The ledger has the reasons. */
uint64_t bricks_dropped(const bricks_consumer *consumer);

/* After BRICKS_GONE: 1 when the engine took the pipe down in order, 0 when the daemon vanished. */
int bricks_closed(const bricks_consumer *consumer);

/* Gives back what was read, and the end. Unread packets stay for the next. NULL is fine. */
void bricks_detach(bricks_consumer *consumer);

const char *bricks_result_text(bricks_result result);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
