/* libbricks-pcap: libpcap's capture calls, served from a bricks pipe. A program that is started
 * with it in LD_PRELOAD opens `bricks:eth3}0` as it would open an interface; every other handle
 * goes to libpcap untouched.
 *
 * Our handle is a pcap_t of libpcap's own that is never activated, so that a call which nobody here
 * knows still finds what it expects. What is known of it is in a table by its address. */
#ifndef BRICKS_PRELOAD_PCAP_HANDLE_H
#define BRICKS_PRELOAD_PCAP_HANDLE_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/bricks.h"
#include "abi/bricks_list.h"
#include "abi/bricks_writer.h"

struct pcap_handle {
  pcap_t *outside;           /* what the program has */
  pcap_t *dead;              /* from pcap_open_dead: compiles, dumps, names link types; NULL: not
                                activated */
  bricks_consumer *consumer; /* NULL: not activated */
  bricks_writer *writer;     /* NULL: nothing was sent yet */
  char name[256];            /* of the pipe or link, without "bricks:" */
  bool copy;                 /* a tap: a copy of what passes a link */
  char error[PCAP_ERRBUF_SIZE];
  int snaplen, timeout_ms, precision, dlt;
  bool nonblocking;
  uint32_t linktype; /* of the packets the program gets; dlt is its DLT_ value */

  struct bpf_program filter; /* ours; bf_insns NULL: all packets */
  _Atomic int stop;          /* pcap_breakloop, of any thread or signal handler */
  int stop_event;            /* wakes a wait for it */
  int selectable;            /* epoll of the pipe and `more`; -1: nobody has asked */
  int more;                  /* eventfd, readable while packets may be left */
  bool more_raised, ended;   /* ended: the pipe has, in order */

  uint64_t received;    /* packets given to the program */
  uint64_t foreign;     /* packets of another link type */
  uint64_t lost_before; /* bricks_dropped() when it began */
  struct pcap_pkthdr last_header;
};

/* The function behind ours, in the libpcap that the program has loaded. */
#define REAL(name) ((__typeof__(&name))pcap_real(#name))
void *pcap_real(const char *name);

/* NULL: not ours. Any thread, and from a signal handler. */
struct pcap_handle *pcap_handle_of(const pcap_t *outside);

/* "bricks:eth3}0" -> "eth3}0", also netmap:eth3}0; NULL: not our kind of name. */
const char *pcap_pipe_name(const char *device);

/* A handle that is not activated; NULL: `errbuf` says why. */
struct pcap_handle *pcap_handle_new(const char *pipe, char *errbuf);
/* 0, a PCAP_WARNING_ or a PCAP_ERROR_; handle->error says why. */
int pcap_handle_activate(struct pcap_handle *handle);
void pcap_handle_free(struct pcap_handle *handle);

/* Says what went wrong; returns `code`. */
int pcap_handle_fail(struct pcap_handle *handle, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The next packet that passes filter and snaplen. 1; 0: none now; PCAP_ERROR; PCAP_ERROR_BREAK: the
 * pipe has ended. Never waits. */
int pcap_handle_next(struct pcap_handle *handle, struct pcap_pkthdr *header, const u_char **data);
/* After 0: until there may be a packet, `timeout_ms` (-1: ever) is over, or breakloop. */
void pcap_handle_wait(struct pcap_handle *handle, int timeout_ms);
/* Keeps the selectable descriptor readable for as long as packets may be left. */
void pcap_handle_more(struct pcap_handle *handle, bool more);
/* That descriptor; -1: handle->error says why there is none. */
int pcap_handle_selectable(struct pcap_handle *handle);

#endif
