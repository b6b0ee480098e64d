/* libbricks-pcap: the calls that open, read, filter, write down and close. Each knows our handles
 * and passes all others on. Behaviour as in pcap(3PCAP) of libpcap 1.10. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "preload/pcap_handle.h"

#define EXPORT __attribute__((visibility("default")))

enum { kDispatchMax = 4096 }; /* packets of one dispatch "of all there are": it must end */

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

EXPORT pcap_t *pcap_create(const char *device, char *errbuf) {
  const char *pipe = pcap_pipe_name(device);
  if (!pipe) return REAL(pcap_create)(device, errbuf);
  struct pcap_handle *h = pcap_handle_new(pipe, errbuf);
  return h ? h->outside : NULL;
}

EXPORT int pcap_activate(pcap_t *p) {
  struct pcap_handle *h = pcap_handle_of(p);
  return h ? pcap_handle_activate(h) : REAL(pcap_activate)(p);
}

EXPORT pcap_t *pcap_open_live(const char *device, int snaplen, int promisc, int to_ms,
                              char *errbuf) {
  const char *pipe = pcap_pipe_name(device);
  if (!pipe) return REAL(pcap_open_live)(device, snaplen, promisc, to_ms, errbuf);
  struct pcap_handle *h = pcap_handle_new(pipe, errbuf);
  if (!h) return NULL;
  h->snaplen = snaplen;
  h->timeout_ms = to_ms;
  const int state = pcap_handle_activate(h);
  if (state != 0) memcpy(errbuf, h->error, PCAP_ERRBUF_SIZE); /* a warning, too */
  if (state >= 0) return h->outside;
  pcap_handle_free(h);
  return NULL;
}

EXPORT void pcap_close(pcap_t *p) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (h)
    pcap_handle_free(h);
  else
    REAL(pcap_close)(p);
}

EXPORT void pcap_breakloop(pcap_t *p) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_breakloop)(p);
  const int error = errno; /* this is called from signal handlers */
  const uint64_t one = 1;
  h->stop = 1;
  const ssize_t n = write(h->stop_event, &one, sizeof one);
  (void)n;
  errno = error;
}

static int stopped(struct pcap_handle *h) {
  eventfd_t count;
  h->stop = 0;
  (void)eventfd_read(h->stop_event, &count);
  return PCAP_ERROR_BREAK;
}

static int not_activated(struct pcap_handle *h) {
  return pcap_handle_fail(h, PCAP_ERROR_NOT_ACTIVATED, "bricks:%s has not been activated", h->name);
}

/* Until the first packet, at most for the handle's timeout. As pcap_handle_next. */
static int first_packet(struct pcap_handle *h, bool patient, struct pcap_pkthdr *header,
                        const u_char **data) {
  const int64_t end = h->timeout_ms > 0 && !patient ? now_ms() + h->timeout_ms : INT64_MAX;
  for (;;) {
    if (h->stop) return stopped(h);
    const int got = pcap_handle_next(h, header, data);
    if (got != 0 || (h->nonblocking && !patient)) return got;
    const int64_t left = end == INT64_MAX ? -1 : end - now_ms();
    if (end != INT64_MAX && left <= 0) return 0;
    pcap_handle_wait(h, left > INT32_MAX ? -1 : (int)left);
  }
}

EXPORT int pcap_loop(pcap_t *p, int count, pcap_handler callback, u_char *user) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_loop)(p, count, callback, user);
  if (!h->consumer) return not_activated(h);
  for (int n = 0;;) {
    struct pcap_pkthdr header;
    const u_char *data;
    const int got = first_packet(h, true, &header, &data);
    if (got < 0) return got == PCAP_ERROR_BREAK && h->ended ? 0 : got;
    callback(user, &header, data);
    if (count > 0 && ++n >= count) return pcap_handle_more(h, true), 0;
  }
}

EXPORT int pcap_dispatch(pcap_t *p, int count, pcap_handler callback, u_char *user) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_dispatch)(p, count, callback, user);
  if (!h->consumer) return not_activated(h);
  struct pcap_pkthdr header;
  const u_char *data;
  const int most = count > 0 && count < kDispatchMax ? count : kDispatchMax;
  int got = first_packet(h, false, &header, &data);
  if (got <= 0) return got;
  for (int n = 0;;) {
    callback(user, &header, data);
    if (++n == most) return pcap_handle_more(h, true), n;
    if (h->stop) return pcap_handle_more(h, true), n; /* the next call says so */
    got = pcap_handle_next(h, &header, &data);
    if (got <= 0) return n; /* and so does that of an error */
  }
}

EXPORT int pcap_next_ex(pcap_t *p, struct pcap_pkthdr **header, const u_char **data) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_next_ex)(p, header, data);
  if (!h->consumer) return not_activated(h);
  *header = &h->last_header;
  const int got = first_packet(h, false, &h->last_header, data);
  if (got > 0) pcap_handle_more(h, true);
  return got;
}

EXPORT const u_char *pcap_next(pcap_t *p, struct pcap_pkthdr *header) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_next)(p, header);
  const u_char *data;
  if (!h->consumer || first_packet(h, false, header, &data) != 1) return NULL;
  pcap_handle_more(h, true);
  return data;
}

EXPORT int pcap_compile(pcap_t *p, struct bpf_program *program, const char *text, int optimise,
                        bpf_u_int32 netmask) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_compile)(p, program, text, optimise, netmask);
  if (!h->dead) return not_activated(h);
  const int result = REAL(pcap_compile)(h->dead, program, text, optimise, netmask);
  if (result != 0) pcap_handle_fail(h, result, "%s", REAL(pcap_geterr)(h->dead));
  return result;
}

EXPORT int pcap_setfilter(pcap_t *p, struct bpf_program *program) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_setfilter)(p, program);
  if (!h->consumer) return not_activated(h);
  if (!program || !program->bf_insns) return pcap_handle_fail(h, PCAP_ERROR, "no filter given");
  if (!REAL(bpf_validate)(program->bf_insns, (int)program->bf_len)) {
    return pcap_handle_fail(h, PCAP_ERROR, "the filter's program is not valid");
  }
  const size_t bytes = program->bf_len * sizeof *program->bf_insns;
  struct bpf_insn *copy = malloc(bytes);
  if (!copy) return pcap_handle_fail(h, PCAP_ERROR, "no memory for a filter");
  memcpy(copy, program->bf_insns, bytes);
  free(h->filter.bf_insns);
  h->filter = (struct bpf_program){.bf_len = program->bf_len, .bf_insns = copy};
  return 0;
}

EXPORT int pcap_stats(pcap_t *p, struct pcap_stat *stats) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_stats)(p, stats);
  if (!h->consumer) return not_activated(h);
  stats->ps_recv = (u_int)h->received;
  stats->ps_drop = (u_int)(bricks_dropped(h->consumer) - h->lost_before);
  stats->ps_ifdrop = (u_int)h->foreign;
  return 0;
}

static pcap_dumper_t *dumped(struct pcap_handle *h, pcap_dumper_t *dumper) {
  if (!dumper) pcap_handle_fail(h, PCAP_ERROR, "%s", REAL(pcap_geterr)(h->dead));
  return dumper;
}

EXPORT pcap_dumper_t *pcap_dump_open(pcap_t *p, const char *path) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_dump_open)(p, path);
  if (!h->dead) return not_activated(h), NULL;
  return dumped(h, REAL(pcap_dump_open)(h->dead, path));
}

EXPORT pcap_dumper_t *pcap_dump_open_append(pcap_t *p, const char *path) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_dump_open_append)(p, path);
  if (!h->dead) return not_activated(h), NULL;
  return dumped(h, REAL(pcap_dump_open_append)(h->dead, path));
}

EXPORT pcap_dumper_t *pcap_dump_fopen(pcap_t *p, FILE *file) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_dump_fopen)(p, file);
  if (!h->dead) return not_activated(h), NULL;
  return dumped(h, REAL(pcap_dump_fopen)(h->dead, file));
}
