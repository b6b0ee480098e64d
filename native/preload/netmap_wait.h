/* libbricks-netmap: what poll and epoll have in common, and what others need of them. */
#ifndef BRICKS_PRELOAD_NETMAP_WAIT_H
#define BRICKS_PRELOAD_NETMAP_WAIT_H

#include "preload/netmap_port.h"

/* Looks for BRICKS_SPIN_US at most; true when a port may have news. */
struct netmap_waiting {
  struct netmap_port *port;
  short events; /* POLLIN, POLLOUT */
};
bool netmap_spin(const struct netmap_waiting *waiting, uint32_t count, uint64_t until_ns);
uint64_t netmap_clock_ns(void);

/* netmap_epoll.c */
bool netmap_epoll_known(int fd);
void netmap_epoll_forget(int fd); /* a set, or a member of sets */

#endif
