/* bricks-extcap: pipes and links as interfaces of Wireshark, tshark and dumpcap. Private to
 * native/extcap. The protocol: Wireshark's developer's guide, doc/extcap.4. */
#ifndef BRICKS_EXTCAP_EXTCAP_H
#define BRICKS_EXTCAP_EXTCAP_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/bricks_list.h"

#define EXTCAP_PREFIX "bricks:" /* of an interface's name; a pipe's or link's own follows */

struct extcap_options {
  bool interfaces, dlts, config, capture;
  const char *interface; /* without the prefix */
  const char *fifo;
  const char *filter; /* libpcap's language; NULL: none */
  const char *control_in, *control_out;
  bool take; /* be the pipe's consumer, instead of reading a copy */
  bool classic;
  uint32_t snap_length; /* 0: whole packets */
  uint32_t last_ms;
};

/* options.c: 0, or the exit code after saying why. */
int extcap_parse(int argc, char **argv, struct extcap_options *options);

/* interfaces.c: what Wireshark asks for lists. Where no daemon answers they are empty. */
int extcap_print_interfaces(void);
int extcap_print_dlts(const struct extcap_options *options);
int extcap_print_config(const struct extcap_options *options);

/* A row of the lists, and the daemon's folder it came from (NULL: the usual one). */
struct extcap_row {
  bricks_listed listed;
  const char *run_dir;
};
bool extcap_find(const char *name, struct extcap_row *row);

/* filter.c: for where the engine does not filter. NULL: `why`, of PCAP_ERRBUF_SIZE bytes, has
 * libpcap's words. */
struct extcap_filter;
struct extcap_filter *extcap_filter_compile(const char *text, uint32_t link_type, char *why);
bool extcap_filter_matches(const struct extcap_filter *filter, const bricks_packet *packet);
void extcap_filter_free(struct extcap_filter *filter);
int extcap_dlt(uint32_t link_type); /* libpcap's number for it */
int extcap_check_filter(const struct extcap_options *options);

/* control.c: the toolbar. */
enum { EXTCAP_PAUSE = 0, EXTCAP_FILTER = 1, EXTCAP_LOG = 2 }; /* its controls */
struct extcap_control {
  int in, out; /* -1: no toolbar */
  uint8_t message[4096 + 6];
  uint32_t used;
};
struct extcap_wish {
  bool paused, pause_changed;
  bool filter_changed;
  char filter[4096];
};
void extcap_print_controls(void);
int extcap_control_open(struct extcap_control *control, const struct extcap_options *options);
/* Takes in what the toolbar has said. */
void extcap_control_read(struct extcap_control *control, struct extcap_wish *wish);
void extcap_control_status(struct extcap_control *control, const char *text);
void extcap_control_log(struct extcap_control *control, const char *text);
void extcap_control_close(struct extcap_control *control);

/* capture.c */
int extcap_capture(const struct extcap_options *options);

#endif
