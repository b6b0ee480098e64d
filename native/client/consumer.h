/* What libbricks keeps of one attached consumer. Private to native/client. */
#ifndef BRICKS_CLIENT_CONSUMER_H
#define BRICKS_CLIENT_CONSUMER_H

#include "abi/bricks.h"
#include "abi/pipe_packets.h"

struct bricks_consumer {
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
  uint32_t vain_spins; /* in a row, nothing came */
  int connection, data_event, space_event, poll_fd;
  uint8_t *region;
  uint64_t region_bytes;
  char name[BRICKS_NAME_BYTES];
  uint8_t frame[BRICKS_READER_FRAME_MAX + 1]; /* packets of more than one buffer */
};

#endif
