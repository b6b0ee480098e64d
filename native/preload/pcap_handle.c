/* libbricks-pcap: handles, the pipe behind them, and waiting. */
#include "preload/pcap_handle.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { kHandlesMax = 1024, kSliceMs = 500, kSnapMax = 262144 };
/* LINKTYPE_RAW in files; DLT_RAW has another value on Linux. */
enum { kLinktypeRaw = 101, kDltRaw = 12 };

static _Atomic(struct pcap_handle *) handles[kHandlesMax];
static atomic_uint handles_used; /* entries ever used */

void *pcap_real(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found) return found;
  /* The program has it from a dlopen() of its own, or none at all. */
  void *library = dlopen("libpcap.so.0.8", RTLD_LAZY | RTLD_GLOBAL);
  if (!library) library = dlopen("libpcap.so.1", RTLD_LAZY | RTLD_GLOBAL);
  found = library ? dlsym(library, name) : NULL;
  if (found) return found;
  fprintf(stderr, "libbricks-pcap: there is no %s in this machine's libpcap\n", name);
  abort();
}

struct pcap_handle *pcap_handle_of(const pcap_t *outside) {
  const unsigned used = atomic_load_explicit(&handles_used, memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    struct pcap_handle *each = atomic_load_explicit(&handles[i], memory_order_acquire);
    if (each && each->outside == outside) return each;
  }
  return NULL;
}

static bool enter(struct pcap_handle *handle) {
  for (unsigned i = 0; i < kHandlesMax; ++i) {
    struct pcap_handle *none = NULL;
    if (!atomic_compare_exchange_strong(&handles[i], &none, handle)) continue;
    unsigned used = atomic_load(&handles_used);
    while (used <= i && !atomic_compare_exchange_weak(&handles_used, &used, i + 1)) continue;
    return true;
  }
  return false;
}

const char *pcap_pipe_name(const char *device) {
  if (!device) return NULL;
  if (strncmp(device, "bricks:", 7) == 0) return device + 7;
  if (strncmp(device, "netmap:", 7) == 0 && strpbrk(device, "{}")) return device + 7;
  return NULL;
}

int pcap_handle_fail(struct pcap_handle *handle, int code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(handle->error, sizeof handle->error, format, arguments);
  va_end(arguments);
  return code;
}

struct pcap_handle *pcap_handle_new(const char *pipe, char *errbuf) {
  if (strlen(pipe) >= sizeof((struct pcap_handle *)0)->name) {
    snprintf(errbuf, PCAP_ERRBUF_SIZE, "the pipe's name has more than 255 bytes");
    return NULL;
  }
  struct pcap_handle *handle = calloc(1, sizeof *handle);
  if (!handle) {
    snprintf(errbuf, PCAP_ERRBUF_SIZE, "no memory for a handle");
    return NULL;
  }
  snprintf(handle->name, sizeof handle->name, "%s", pipe);
  handle->snaplen = kSnapMax;
  handle->precision = PCAP_TSTAMP_PRECISION_MICRO;
  handle->selectable = handle->more = -1;
  handle->stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (handle->stop_event < 0) {
    snprintf(errbuf, PCAP_ERRBUF_SIZE, "cannot make an event for bricks:%s: %s", pipe,
             strerror(errno));
    free(handle);
    return NULL;
  }
  handle->outside = REAL(pcap_create)("any", errbuf);
  if (handle->outside && enter(handle)) return handle;
  if (handle->outside) {
    REAL(pcap_close)(handle->outside);
    snprintf(errbuf, PCAP_ERRBUF_SIZE, "more than %d bricks: handles in one process", kHandlesMax);
  }
  close(handle->stop_event);
  free(handle);
  return NULL;
}

void pcap_handle_free(struct pcap_handle *handle) {
  for (unsigned i = 0; i < kHandlesMax; ++i) {
    struct pcap_handle *expected = handle;
    if (atomic_compare_exchange_strong(&handles[i], &expected, NULL)) break;
  }
  bricks_detach(handle->consumer);
  bricks_writer_detach(handle->writer);
  if (handle->dead) REAL(pcap_close)(handle->dead);
  REAL(pcap_close)(handle->outside);
  const int fds[] = {handle->stop_event, handle->selectable, handle->more};
  for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; ++i) {
    if (fds[i] >= 0) close(fds[i]);
  }
  free(handle->filter.bf_insns);
  free(handle);
}

/* The pipe of that name; where there is none, a copy of what passes the link of that name. */
static int open_end(struct pcap_handle *handle) {
  char why[PCAP_ERRBUF_SIZE], of_tap[PCAP_ERRBUF_SIZE];
  bricks_result result = bricks_attach(&handle->consumer, handle->name, NULL, why, sizeof why);
  if (result == BRICKS_INVALID || result == BRICKS_NOT_FOUND) {
    const bool is_pipe = result == BRICKS_NOT_FOUND;
    const bricks_result tapped =
        bricks_tap(&handle->consumer, handle->name, NULL, NULL, of_tap, sizeof of_tap);
    handle->copy = tapped == BRICKS_OK;
    if (tapped == BRICKS_OK || !is_pipe) result = tapped;
    if (tapped != BRICKS_OK && !is_pipe) memcpy(why, of_tap, sizeof why);
  }
  switch (result) {
    case BRICKS_OK:
      return 0;
    case BRICKS_PERMISSION:
      return pcap_handle_fail(handle, PCAP_ERROR_PERM_DENIED, "%s", why);
    case BRICKS_NOT_FOUND:
    case BRICKS_UNREACHABLE:
    case BRICKS_INVALID:
      return pcap_handle_fail(handle, PCAP_ERROR_NO_SUCH_DEVICE, "%s", why);
    default:
      return pcap_handle_fail(handle, PCAP_ERROR, "%s", why);
  }
}

int pcap_handle_activate(struct pcap_handle *handle) {
  if (handle->consumer) {
    return pcap_handle_fail(handle, PCAP_ERROR_ACTIVATED, "bricks:%s is open already",
                            handle->name);
  }
  if (handle->snaplen <= 0 || handle->snaplen > kSnapMax) handle->snaplen = kSnapMax;
  const int fault = open_end(handle);
  if (fault != 0) return fault;
  handle->linktype = bricks_link_type(handle->consumer);
  handle->dlt = handle->linktype == kLinktypeRaw ? kDltRaw : (int)handle->linktype;
  handle->dead = REAL(pcap_open_dead_with_tstamp_precision)(handle->dlt, handle->snaplen,
                                                            (u_int)handle->precision);
  if (!handle->dead) {
    bricks_detach(handle->consumer);
    handle->consumer = NULL;
    return pcap_handle_fail(handle, PCAP_ERROR, "no memory for bricks:%s", handle->name);
  }
  handle->lost_before = bricks_dropped(handle->consumer);
  if (!handle->copy) return 0;
  return pcap_handle_fail(handle, PCAP_WARNING,
                          "bricks:%s is no pipe: this is a copy of what passes that link, and "
                          "nobody waits for it",
                          handle->name);
}

void pcap_handle_more(struct pcap_handle *handle, bool more) {
  if (handle->more < 0 || handle->more_raised == more) return;
  handle->more_raised = more;
  uint64_t count = 1;
  const ssize_t n =
      more ? write(handle->more, &count, sizeof count) : read(handle->more, &count, sizeof count);
  (void)n; /* it is as we want it */
}

int pcap_handle_selectable(struct pcap_handle *handle) {
  if (handle->selectable >= 0) return handle->selectable;
  const int more = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), all = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  if (more < 0 || all < 0 ||
      epoll_ctl(all, EPOLL_CTL_ADD, bricks_fd(handle->consumer), &event) != 0 ||
      epoll_ctl(all, EPOLL_CTL_ADD, more, &event) != 0) {
    pcap_handle_fail(handle, -1, "cannot watch bricks:%s: %s", handle->name, strerror(errno));
    if (more >= 0) close(more);
    if (all >= 0) close(all);
    return -1;
  }
  handle->more = more;
  handle->more_raised = true; /* until somebody has looked and found nothing */
  handle->selectable = all;
  return all;
}

static int ended(struct pcap_handle *handle, bricks_result result) {
  pcap_handle_more(handle, true); /* whoever selects is to come and hear of it */
  handle->ended =
      result == BRICKS_END || (result == BRICKS_GONE && bricks_closed(handle->consumer));
  if (handle->ended) return PCAP_ERROR_BREAK;
  if (result == BRICKS_GONE) {
    return pcap_handle_fail(handle, PCAP_ERROR, "the daemon behind bricks:%s has vanished",
                            handle->name);
  }
  return pcap_handle_fail(handle, PCAP_ERROR,
                          "the ring of bricks:%s holds what cannot be; some program has written "
                          "over it",
                          handle->name);
}

int pcap_handle_next(struct pcap_handle *handle, struct pcap_pkthdr *header, const u_char **data) {
  bricks_packet packet;
  for (;;) {
    const bricks_result result = bricks_next(handle->consumer, &packet);
    if (result == BRICKS_EMPTY) return pcap_handle_more(handle, false), 0;
    if (result != BRICKS_OK) return ended(handle, result);
    if (packet.link_type != handle->linktype) {
      if (handle->received == 0 && handle->foreign == 0) {
        return pcap_handle_fail(handle, PCAP_ERROR,
                                "bricks:%s was opened as link type %u, before its first packet "
                                "came, which has link type %u; open it again",
                                handle->name, handle->linktype, packet.link_type);
      }
      handle->foreign++;
      continue;
    }
    uint32_t keep = UINT32_MAX;
    if (handle->filter.bf_insns) {
      keep = REAL(bpf_filter)(handle->filter.bf_insns, packet.data, packet.wire_length,
                              packet.captured);
      if (keep == 0) continue;
    }
    if (keep > (uint32_t)handle->snaplen) keep = (uint32_t)handle->snaplen;
    const uint64_t rest = packet.timestamp_ns % 1000000000u;
    const bool nanos = handle->precision == PCAP_TSTAMP_PRECISION_NANO;
    header->ts.tv_sec = (time_t)(packet.timestamp_ns / 1000000000u);
    header->ts.tv_usec = (suseconds_t)(nanos ? rest : rest / 1000);
    header->caplen = packet.captured < keep ? packet.captured : keep;
    header->len = packet.wire_length;
    *data = packet.data;
    handle->received++;
    return 1;
  }
}

void pcap_handle_wait(struct pcap_handle *handle, int timeout_ms) {
  struct pollfd fds[2] = {{.fd = bricks_fd(handle->consumer), .events = POLLIN},
                          {.fd = handle->stop_event, .events = POLLIN}};
  /* In slices: whoever looks for packets is seen to be alive. */
  const int slice = timeout_ms < 0 || timeout_ms > kSliceMs ? kSliceMs : timeout_ms;
  if (!handle->stop) (void)poll(fds, 2, slice);
}
