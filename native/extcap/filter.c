/* bricks-extcap: filters that are not the engine's: those of pipes that are taken, and the check
 * that colours Wireshark's filter field. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extcap/extcap.h"

enum { kSnapLength = 65535 };

struct extcap_filter {
  struct bpf_program program;
  uint32_t link_type;
};

int extcap_dlt(uint32_t link_type) {
  switch (link_type) { /* pcap-linktype(7): raw IP is all that differs of what the engine reads */
    case 101:
    case 14:
      return DLT_RAW;
    default:
      return (int)link_type;
  }
}

struct extcap_filter *extcap_filter_compile(const char *text, uint32_t link_type, char *why) {
  struct extcap_filter *filter = calloc(1, sizeof *filter);
  pcap_t *dead = filter ? pcap_open_dead(extcap_dlt(link_type), kSnapLength) : NULL;
  bool good = false;
  snprintf(why, PCAP_ERRBUF_SIZE, "no memory for a filter");
  if (dead) {
    good = pcap_compile(dead, &filter->program, text, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (!good) snprintf(why, PCAP_ERRBUF_SIZE, "%s", pcap_geterr(dead));
    pcap_close(dead);
    filter->link_type = link_type;
  }
  if (good) return filter;
  free(filter);
  return NULL;
}

bool extcap_filter_matches(const struct extcap_filter *filter, const bricks_packet *packet) {
  if (packet->link_type != filter->link_type) return false;
  const struct pcap_pkthdr head = {.caplen = packet->captured, .len = packet->wire_length};
  return pcap_offline_filter(&filter->program, &head, packet->data) != 0;
}

void extcap_filter_free(struct extcap_filter *filter) {
  if (!filter) return;
  pcap_freecode(&filter->program);
  free(filter);
}

/* Wireshark takes any output for the reason why the filter will not do. */
int extcap_check_filter(const struct extcap_options *options) {
  struct extcap_row row;
  char why[PCAP_ERRBUF_SIZE];
  extcap_find(options->interface, &row);
  struct extcap_filter *filter =
      extcap_filter_compile(options->filter, row.listed.link_type ? row.listed.link_type : 1, why);
  if (!filter) printf("'%s' is no capture filter: %s; see pcap-filter(7)\n", options->filter, why);
  extcap_filter_free(filter);
  return 0;
}
