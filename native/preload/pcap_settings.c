/* libbricks-pcap: what is set before a handle is activated, and what it can be asked. */
#include <stdio.h>
#include <string.h>

#include "preload/pcap_handle.h"

#define EXPORT __attribute__((visibility("default")))

/* Settings that mean nothing to a pipe are taken and have no effect, as by libpcap on devices that
 * do not know them; all are refused once the handle is active. */
static int may_set(struct pcap_handle *h) {
  if (!h->consumer) return 0;
  return pcap_handle_fail(h, PCAP_ERROR_ACTIVATED, "bricks:%s is active: too late to set that",
                          h->name);
}

#define SETTING(function, effect)              \
  EXPORT int function(pcap_t *p, int value) {  \
    struct pcap_handle *h = pcap_handle_of(p); \
    if (!h) return REAL(function)(p, value);   \
    const int fault = may_set(h);              \
    if (fault != 0) return fault;              \
    effect;                                    \
    return 0;                                  \
  }

SETTING(pcap_set_snaplen, h->snaplen = value)
SETTING(pcap_set_timeout, h->timeout_ms = value)
SETTING(pcap_set_promisc, (void)value)
SETTING(pcap_set_immediate_mode, (void)value)
SETTING(pcap_set_buffer_size, (void)value)
SETTING(pcap_set_protocol_linux, (void)value)
SETTING(pcap_set_rfmon,
        if (value) return pcap_handle_fail(h, PCAP_ERROR_RFMON_NOTSUP,
                                           "bricks:%s is a pipe: it has no monitor mode", h->name))
SETTING(pcap_set_tstamp_type, if (value != PCAP_TSTAMP_HOST) return PCAP_WARNING_TSTAMP_TYPE_NOTSUP)
SETTING(
    pcap_set_tstamp_precision,
    if (value != PCAP_TSTAMP_PRECISION_MICRO &&
        value !=
            PCAP_TSTAMP_PRECISION_NANO) return pcap_handle_fail(h,
                                                                PCAP_ERROR_TSTAMP_PRECISION_NOTSUP,
                                                                "there are microseconds and "
                                                                "nanoseconds");
    h->precision = value)

EXPORT int pcap_can_set_rfmon(pcap_t *p) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_can_set_rfmon)(p);
  const int fault = may_set(h);
  return fault != 0 ? fault : 0;
}

EXPORT int pcap_list_tstamp_types(pcap_t *p, int **types) {
  if (!pcap_handle_of(p)) return REAL(pcap_list_tstamp_types)(p, types);
  *types = NULL;
  return 0; /* there is no choice */
}

/* Questions that a dead handle of the same link type and snaplen answers. */
#define ASKED(type, function, before)                    \
  EXPORT type function(pcap_t *p) {                      \
    struct pcap_handle *h = pcap_handle_of(p);           \
    if (!h) return REAL(function)(p);                    \
    return h->dead ? REAL(function)(h->dead) : (before); \
  }

ASKED(int, pcap_datalink, PCAP_ERROR_NOT_ACTIVATED)
ASKED(int, pcap_datalink_ext, PCAP_ERROR_NOT_ACTIVATED)
ASKED(int, pcap_snapshot, PCAP_ERROR_NOT_ACTIVATED)
ASKED(int, pcap_is_swapped, PCAP_ERROR_NOT_ACTIVATED)
ASKED(int, pcap_major_version, PCAP_ERROR_NOT_ACTIVATED)
ASKED(int, pcap_minor_version, PCAP_ERROR_NOT_ACTIVATED)
ASKED(int, pcap_bufsize, PCAP_ERROR_NOT_ACTIVATED)

EXPORT int pcap_get_tstamp_precision(pcap_t *p) {
  struct pcap_handle *h = pcap_handle_of(p);
  return h ? h->precision : REAL(pcap_get_tstamp_precision)(p);
}

EXPORT int pcap_list_datalinks(pcap_t *p, int **list) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_list_datalinks)(p, list);
  if (h->dead) return REAL(pcap_list_datalinks)(h->dead, list);
  return pcap_handle_fail(h, PCAP_ERROR_NOT_ACTIVATED, "bricks:%.200s has not been activated",
                          h->name);
}

EXPORT int pcap_set_datalink(pcap_t *p, int dlt) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_set_datalink)(p, dlt);
  if (!h->consumer) {
    return pcap_handle_fail(h, PCAP_ERROR_NOT_ACTIVATED, "bricks:%s has not been activated",
                            h->name);
  }
  if (dlt == h->dlt) return 0;
  return pcap_handle_fail(h, PCAP_ERROR, "bricks:%s has link type %d and no other", h->name,
                          h->dlt);
}

EXPORT int pcap_setdirection(pcap_t *p, pcap_direction_t direction) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_setdirection)(p, direction);
  if (direction != PCAP_D_OUT) return 0; /* all that comes out of a pipe came in somewhere */
  return pcap_handle_fail(h, PCAP_ERROR, "bricks:%s is a pipe: its packets have no direction",
                          h->name);
}

EXPORT int pcap_setnonblock(pcap_t *p, int nonblock, char *errbuf) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_setnonblock)(p, nonblock, errbuf);
  h->nonblocking = nonblock != 0; /* also before activation, as libpcap 1.10 has it */
  return 0;
}

EXPORT int pcap_getnonblock(pcap_t *p, char *errbuf) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_getnonblock)(p, errbuf);
  if (h->consumer) return h->nonblocking;
  snprintf(errbuf, PCAP_ERRBUF_SIZE, "bricks:%.200s has not been activated", h->name);
  return PCAP_ERROR_NOT_ACTIVATED;
}

EXPORT int pcap_get_selectable_fd(pcap_t *p) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_get_selectable_fd)(p);
  return h->consumer ? pcap_handle_selectable(h) : PCAP_ERROR;
}

EXPORT int pcap_fileno(pcap_t *p) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_fileno)(p);
  return h->consumer ? pcap_handle_selectable(h) : PCAP_ERROR_NOT_ACTIVATED;
}

EXPORT const struct timeval *pcap_get_required_select_timeout(pcap_t *p) {
  return pcap_handle_of(p) ? NULL : REAL(pcap_get_required_select_timeout)(p);
}

EXPORT FILE *pcap_file(pcap_t *p) { return pcap_handle_of(p) ? NULL : REAL(pcap_file)(p); }

EXPORT char *pcap_geterr(pcap_t *p) {
  struct pcap_handle *h = pcap_handle_of(p);
  return h ? h->error : REAL(pcap_geterr)(p);
}

EXPORT void pcap_perror(pcap_t *p, const char *prefix) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (h)
    fprintf(stderr, "%s: %s\n", prefix, h->error);
  else
    REAL(pcap_perror)(p, prefix);
}
