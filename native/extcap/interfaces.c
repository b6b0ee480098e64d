/* bricks-extcap: interfaces, their link types and options, from the daemons' lists. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "extcap/extcap.h"

enum { kFoldersMax = 2 };

/* The daemons one may mean: the one named; else one's own, and the system's. */
static uint32_t folders(const char *all[kFoldersMax]) {
  const char *named = getenv("BRICKS_RUN_DIR");
  all[0] = NULL; /* libbricks knows */
  all[1] = "/run/bricks";
  return (named && *named) || geteuid() == 0 ? 1 : 2;
}

/* Names that would be taken apart by Wireshark's reader of {key=value}. */
static bool can_be_said(const char *name) {
  for (const char *c = name; *c; ++c) {
    if ((unsigned char)*c < 32 || *c == 127) return false;
    if (*c == '}' && (c[1] == '{' || c[1] == ' ' || c[1] == 0)) return false;
  }
  return true;
}

/* Calls `use` for every row of every daemon that answers until it returns false. */
static void each_row(bool (*use)(const struct extcap_row *row, void *context), void *context) {
  const char *all[kFoldersMax];
  const uint32_t count = folders(all);
  for (uint32_t f = 0; f < count; ++f) {
    const bricks_options options = {.run_dir = all[f]};
    bricks_listed *rows = NULL;
    uint32_t n = 0;
    bool more = true;
    if (bricks_list(&rows, &n, &options, NULL, 0) == BRICKS_OK) {
      for (uint32_t i = 0; i < n && more; ++i) {
        const struct extcap_row row = {rows[i], all[f]};
        more = use(&row, context);
      }
    }
    free(rows);
    if (!more) return;
  }
}

static void print_words(const char *text) {
  for (const char *c = text; *c; ++c) {
    const unsigned char byte = (unsigned char)*c;
    putchar(byte < 32 || byte == 127 ? '?' : *c == '{' ? '(' : *c == '}' ? ')' : *c);
  }
}

static bool print_row(const struct extcap_row *row, void *context) {
  (void)context;
  if (!(row->listed.flags & (BRICKS_LISTED_TAKE | BRICKS_LISTED_TAP))) return true;
  if (!can_be_said(row->listed.name)) return true;
  printf("interface {value=" EXTCAP_PREFIX "%s}{display=", row->listed.name);
  print_words(row->listed.sentence);
  puts("}");
  return true;
}

int extcap_print_interfaces(void) {
  puts("extcap {version=1.0}{display=bricks: pipes, links and inputs of a packet engine}");
  extcap_print_controls();
  each_row(print_row, NULL);
  return 0;
}

struct search {
  const char *name;
  struct extcap_row *row;
  bool found;
};

static bool look_at(const struct extcap_row *row, void *context) {
  struct search *search = context;
  search->found = strcmp(row->listed.name, search->name) == 0;
  if (search->found) *search->row = *row;
  return !search->found;
}

bool extcap_find(const char *name, struct extcap_row *row) {
  struct search search = {name, row, false};
  memset(row, 0, sizeof *row);
  each_row(look_at, &search);
  return search.found;
}

int extcap_print_dlts(const struct extcap_options *options) {
  struct extcap_row row;
  extcap_find(options->interface, &row);
  const int dlt = extcap_dlt(row.listed.link_type ? row.listed.link_type : 1);
  const char *name = pcap_datalink_val_to_name(dlt);
  const char *words = pcap_datalink_val_to_description(dlt);
  printf("dlt {number=%d}{name=%s}{display=%s}\n", dlt, name ? name : "unknown",
         words ? words : "unknown");
  return 0;
}

int extcap_print_config(const struct extcap_options *options) {
  struct extcap_row row;
  const bool found = extcap_find(options->interface, &row);
  if (!found || row.listed.recorded_ms) {
    printf(
        "arg {number=0}{call=--last}{display=Begin with the last ... seconds}{type=double}"
        "{range=0,86400}{default=0}{tooltip=What the recorder of this link has kept%s}\n",
        found ? "" : ", if there is one");
  }
  puts(
      "arg {number=1}{call=--snaplen}{display=Bytes of each packet}{type=unsigned}{range=0,65535}"
      "{default=0}{tooltip=0: all of it}");
  if (!found || row.listed.kind == BRICKS_LISTED_PIPE) {
    puts(
        "arg {number=2}{call=--take}{display=Take the pipe}{type=boolflag}{default=false}"
        "{tooltip=Be its consumer, instead of reading a copy: what this reads, nobody else gets}");
  }
  puts(
      "arg {number=3}{call=--format}{display=Format}{type=selector}"
      "{tooltip=pcapng says more: names, filter, losses}\n"
      "value {arg=3}{value=pcapng}{display=pcapng}{default=true}\n"
      "value {arg=3}{value=pcap}{display=pcap (classic)}{default=false}");
  return 0;
}
