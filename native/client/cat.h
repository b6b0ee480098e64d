/* bricks-cat: a pipe as a capture, or a line per packet. Private to native/client. */
#ifndef BRICKS_CLIENT_CAT_H
#define BRICKS_CLIENT_CAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/bricks_list.h"

enum {
  CAT_OK = 0,
  CAT_FAILED = 1,
  CAT_USAGE = 2,
  CAT_CONFIGURATION = 3,
  CAT_UNREACHABLE = 4,
  CAT_TIMEOUT = 124
};
/* Not exit codes: attach again; who read our output is gone. */
enum { CAT_SIGNAL = 128, CAT_AGAIN = -1, CAT_READER_LEFT = -2 };

enum { CAT_ABOUT_MAX = 4096 };

/* cat_options.c */
struct cat_options {
  const char *pipe;
  const char *file;   /* -w; NULL: stdout */
  uint64_t count;     /* -c; 0: no end */
  int64_t timeout_ms; /* --timeout; -1: none */
  bool tap;           /* a copy, whoever reads it */
  const char *filter; /* of the copy; NULL: none */
  uint32_t last_ms;   /* begin with what a recorder has kept; 0: now */
  bool follow, ng, quiet;
};
/* -1: go on with *options; else the exit code: everything to say has been said. */
int cat_parse(int argc, char **argv, struct cat_options *options);

/* cat_capture.c: output through a buffer of its own. Functions return 0, or an exit code after
 * saying why on stderr; CAT_READER_LEFT when who read the output is gone, which is nobody's fault.
 */
struct cat_capture {
  int fd;
  const char *program; /* for messages: "bricks cat" */
  const char *path;    /* likewise */
  const char *pipe;    /* pcapng: the interface's name */
  /* pcapng: more of the interface; NULL: nothing is said. Texts of at most CAT_ABOUT_MAX bytes. */
  const char *description, *filter, *comment;
  uint32_t snap_length; /* 0: packets are whole */
  bool ng, started, created;
  bool nanoseconds;
  uint32_t link_type;  /* classic: of the whole file */
  uint32_t interfaces; /* pcapng: how many have been described */
  uint32_t interface_links[64];
  size_t used;
  uint8_t *buffer; /* from malloc; main frees it */
};
int capture_open(struct cat_capture *capture, const struct cat_options *options);
/* Writes to `fd`, which is the caller's; `path` is what messages call it. */
int capture_open_fd(struct cat_capture *capture, const char *program, int fd, const char *path,
                    const char *pipe, bool ng);
/* Empties the file: the pipe is ours, so what was there before may go. */
int capture_begin(struct cat_capture *capture);
int capture_packets(struct cat_capture *capture, const bricks_packet *packets, uint32_t count);
int capture_flush(struct cat_capture *capture);
/* Completes the file: a header where no packet came. `link_type`: of the pipe;
 * pcapng says how many packets it has, and how many the pipe lost. */
int capture_finish(struct cat_capture *capture, uint32_t link_type, uint64_t packets,
                   uint64_t lost);
/* Nothing was ever begun: takes away a file that capture_open made. */
void capture_abandon(struct cat_capture *capture);
/* For lines of text, through the same buffer. */
int capture_text(struct cat_capture *capture, const char *text, size_t length);

/* cat_line.c: one line for a packet, newline included, into `line`; returns its length (< size). */
size_t format_line(char *line, size_t size, const bricks_packet *packet);

#endif
