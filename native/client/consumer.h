/* What libbricks keeps of one attached consumer, and of any end it holds. Private to
 * native/client. */
#ifndef BRICKS_CLIENT_CONSUMER_H
#define BRICKS_CLIENT_CONSUMER_H

#include "abi/bricks.h"
#include "abi/pipe_packets.h"

struct asking;

struct bricks_end { /* an end that was taken; what is not there is -1 or NULL */
  int connection, data_event, space_event;
  int poll_fd; /* readable when the watched event or the connection speaks */
  uint8_t *region;
  uint64_t region_bytes, pipe_offset;
};
static const struct bricks_end kNoEnd = {-1, -1, -1, -1, NULL, 0, 0};

/* `name` checked, the socket found. */
bricks_result bricks_ask_for(struct asking *a, const char *name, const bricks_options *options,
                             char *why, size_t why_size);
/* BRICKS_ATTACH or BRICKS_ATTACH_WRITER; what was taken before a failure is in `end`, too. */
bricks_result bricks_take_end(const struct asking *a, uint32_t operation, struct bricks_end *end);
/* The same by a request of another kind that is answered as BRICKS_ATTACH is. */
bricks_result bricks_take_asked(const struct asking *a, const void *request, size_t size,
                                struct bricks_end *end);
/* A consumer of a->name by that request; NULL: by BRICKS_ATTACH. */
bricks_result bricks_begin_consumer(const struct asking *a, const bricks_options *options,
                                    const void *request, size_t size, bricks_consumer **consumer);
bricks_result bricks_watch_end(const struct asking *a, struct bricks_end *end, int event);
void bricks_leave_end(struct bricks_end *end);
uint64_t bricks_spin_ns(const bricks_options *options);

struct bricks_consumer {
  struct bricks_end end;
  struct bricks_reader reader;
  bool armed;     /* consumer_waits is 1, as far as we know */
  bool signalled; /* data_event may hold a count: it was armed since it was last drained */
  bool hung_up;   /* the daemon has closed the connection */
  bool follow, busy_poll;
  bool by_fd;          /* sleeps where we cannot see it: on bricks_fd */
  uint64_t beat;       /* what was last stored in consumer_beat */
  uint32_t idle_calls; /* busy_poll: since the connection was last looked at */
  uint32_t give_back_slots;
  uint64_t spin_ns;
  uint64_t refilled_ns; /* when packets without a time of their own were seen */
  uint32_t vain_spins;  /* in a row, nothing came */
  char name[BRICKS_NAME_BYTES];
  uint8_t frame[BRICKS_READER_FRAME_MAX + 1]; /* packets of more than one buffer */
};

#endif
