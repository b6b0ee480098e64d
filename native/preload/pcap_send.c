/* libbricks-pcap: packets into the pipe. What a program sends at x}0 is read at x{0, by an engine's
 * input or by another program. */
#include <stdio.h>

#include "preload/pcap_handle.h"

#define EXPORT __attribute__((visibility("default")))

enum { kSliceMs = 100, kFrameMax = 65535 };

/* Takes the right to write at the first packet: most programs never send one. */
static int attach(struct pcap_handle *h) {
  char why[PCAP_ERRBUF_SIZE];
  if (h->writer) return 0;
  if (bricks_attach_writer(&h->writer, h->name, NULL, why, sizeof why) == BRICKS_OK) return 0;
  return pcap_handle_fail(h, PCAP_ERROR, "%s", why);
}

/* Until the pipe takes the packet; not when the handle is nonblocking, nor after breakloop. */
static bricks_result send_patiently(struct pcap_handle *h, const bricks_packet *packet) {
  for (;;) {
    const bricks_result result = bricks_send(h->writer, packet);
    if (result != BRICKS_FULL || h->nonblocking) return result;
    if (h->stop) return BRICKS_INTERRUPTED; /* the next call that reads says so and clears it */
    const bricks_result waited = bricks_writer_wait(h->writer, kSliceMs);
    if (waited != BRICKS_OK && waited != BRICKS_TIMEOUT && waited != BRICKS_INTERRUPTED) {
      return waited;
    }
  }
}

static int inject(struct pcap_handle *h, const void *data, size_t size) {
  if (!h->consumer) {
    return pcap_handle_fail(h, PCAP_ERROR_NOT_ACTIVATED, "bricks:%s has not been activated",
                            h->name);
  }
  if (h->copy) {
    return pcap_handle_fail(h, PCAP_ERROR,
                            "bricks:%s is a copy of what passes a link; nothing can be sent into "
                            "it",
                            h->name);
  }
  if (size > kFrameMax) {
    return pcap_handle_fail(h, PCAP_ERROR, "bricks:%s takes packets of %d bytes, not of %zu",
                            h->name, kFrameMax, size);
  }
  if (attach(h) != 0) return PCAP_ERROR;
  const bricks_packet packet = {.data = data,
                                .captured = (uint32_t)size,
                                .wire_length = (uint32_t)size,
                                .link_type = h->linktype};
  const bricks_result result = send_patiently(h, &packet);
  if (result == BRICKS_OK) {
    bricks_flush(h->writer);
    return (int)size;
  }
  const char *why = result == BRICKS_FULL          ? "its pipe is full; read it, or wait"
                    : result == BRICKS_INTERRUPTED ? "interrupted by pcap_breakloop"
                    : result == BRICKS_GONE        ? "the daemon, or this direction of the pipe, "
                                                     "has gone"
                                                   : bricks_result_text(result);
  return pcap_handle_fail(h, PCAP_ERROR, "cannot send into bricks:%s: %s", h->name, why);
}

EXPORT int pcap_inject(pcap_t *p, const void *data, size_t size) {
  struct pcap_handle *h = pcap_handle_of(p);
  return h ? inject(h, data, size) : REAL(pcap_inject)(p, data, size);
}

EXPORT int pcap_sendpacket(pcap_t *p, const u_char *data, int size) {
  struct pcap_handle *h = pcap_handle_of(p);
  if (!h) return REAL(pcap_sendpacket)(p, data, size);
  if (size < 0) return pcap_handle_fail(h, -1, "a packet of %d bytes cannot be sent", size);
  return inject(h, data, (size_t)size) < 0 ? -1 : 0;
}
