/* Asking the daemon for an end of a pipe over ports.sock (abi/pipe.h, abi/pipe_end.h): a request, a
 * reply with descriptors, and a connection that stays open as long as the end is held. Private to
 * native/client and native/preload. */
#ifndef BRICKS_CLIENT_ASK_H
#define BRICKS_CLIENT_ASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "abi/bricks.h"

enum { BRICKS_ASK_FDS_MAX = 5 };

struct asking {
  const char *name;
  int64_t deadline_ms; /* monotonic; -1: none */
  bool patient;        /* a timeout was given: wait for what is not there yet */
  char *why;
  size_t why_size;
  struct sockaddr_un address;
};

/* Writes into a->why and returns `result`. */
__attribute__((format(printf, 3, 4))) bricks_result bricks_refuse(const struct asking *a,
                                                                  bricks_result result,
                                                                  const char *format, ...);

/* `timeout_ms` as in bricks_options; finds the socket below `run_dir` or the environment's. */
bricks_result bricks_ask_prepare(struct asking *a, const char *run_dir, int64_t timeout_ms,
                                 char *why, size_t why_size);

/* Connects, sends `request` and takes `reply` (whose first fields are those of a
 * bricks_attach_reply) with `fd_count` descriptors, which, like *connection, are the caller's on
 * BRICKS_OK and all -1 otherwise. A reply with a code other than 0 has none and is BRICKS_OK, too:
 * see bricks_ask_verdict. */
bricks_result bricks_ask(const struct asking *a, const void *request, size_t request_size,
                         void *reply, size_t reply_size, int *fds, uint32_t fd_count,
                         int *connection);

/* The same on a connection that is there, and stays whatever becomes of it. */
bricks_result bricks_ask_again(const struct asking *a, int connection, const void *request,
                               size_t request_size, void *reply, size_t reply_size);

/* What the daemon's code and message mean for the caller. */
bricks_result bricks_ask_verdict(const struct asking *a, uint32_t code, const char *message);

/* Maps `bytes` of `memory` after a look whether it is as large, and as firm, as was said; NULL and
 * a message when it cannot be. */
uint8_t *bricks_ask_map(const struct asking *a, int memory, uint64_t bytes);

#endif
