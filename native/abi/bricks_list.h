/* libbricks: what of a daemon can be read, and copies of what passes any link of its graphs.
 *
 *   bricks_listed *rows;
 *   uint32_t count;
 *   if (bricks_list(&rows, &count, NULL, why, sizeof why) != BRICKS_OK) { puts(why); return 1; }
 *   for (uint32_t i = 0; i < count; ++i) printf("%s: %s\n", rows[i].name, rows[i].sentence);
 *   free(rows);
 *
 * Over the socket (abi/pipe.h): BRICKS_LIST is a bricks_attach_request without a name, answered by
 * a bricks_attach_reply with one descriptor: a memfd of region_bytes that holds nothing but rows.
 * BRICKS_TAP is a bricks_tap_request, answered as BRICKS_ATTACH is; sent again on that connection
 * it is answered without descriptors and changes the filter. */
#ifndef BRICKS_LIST_H
#define BRICKS_LIST_H

#include "bricks.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BRICKS_EXPRESSION_BYTES 4096u /* a tap's filter and its NUL */

enum {                          /* bricks_listed.kind */
       BRICKS_LISTED_PIPE = 1,  /* "eth3}0": the end that a consumer reads */
       BRICKS_LISTED_INPUT = 2, /* an engine's input: "eth3", "pcap:in.pcap" */
       BRICKS_LISTED_LINK = 3,  /* between two bricks: what the second of them gets */
       BRICKS_LISTED_OUTPUT = 4 /* an output that is no pipe: "fifo:/run/x", "null:" */
};
enum {                          /* bricks_listed.flags: what you, who asked, may do now */
       BRICKS_LISTED_TAKE = 1u, /* bricks_attach: nobody holds it, and you may */
       BRICKS_LISTED_TAP = 2u   /* bricks_tap */
};

typedef struct {
  char name[256];     /* for bricks_attach, bricks_tap */
  char sentence[256]; /* what it is and who reads it, in UTF-8, for people */
  uint32_t kind, flags;
  uint32_t link_type;   /* LINKTYPE_ value of its packets; 0: not known before the first */
  int32_t holder;       /* process that reads this pipe; 0: nobody, -1: one without a number here */
  uint32_t recorded_ms; /* how far back a tap of it can begin; 0: nothing is recorded */
  uint32_t zero[3];
} bricks_listed;

struct bricks_tap_request { /* begins as a bricks_attach_request does */
  uint64_t magic;
  uint32_t version;
  uint32_t operation; /* BRICKS_TAP */
  uint32_t flags;     /* 0 */
  uint32_t last_ms;
  char name[256];
  char expression[BRICKS_EXPRESSION_BYTES];
};

#pragma GCC visibility push(default)

/* All that you may read, in the order of the names. *rows is yours to free(); NULL when there is
 * nothing. Of `options`, run_dir and timeout_ms count. UNREACHABLE: no daemon; PERMISSION: it has
 * nothing for your user; else as bricks_attach. */
bricks_result bricks_list(bricks_listed **rows, uint32_t *count, const bricks_options *options,
                          char *why, size_t why_size);

typedef struct {
  const char *filter; /* libpcap's language; the engine evaluates it. NULL or "": all packets */
  uint32_t last_ms;   /* begin with what the link's recorder has of the last so many ms; 0: now */
} bricks_tap_options;

/* A consumer of a copy of what passes `link`, a name of the list, whoever else reads it. Nobody
 * waits for this copy: what its pipe cannot take is lost to it alone (bricks_dropped). It goes with
 * bricks_detach. Errors as bricks_attach; INVALID: the filter, or last_ms where nothing records. */
bricks_result bricks_tap(bricks_consumer **consumer, const char *link,
                         const bricks_tap_options *tap, const bricks_options *options, char *why,
                         size_t why_size);

/* From now on the tap behind this consumer lets pass what matches `filter`; packets that are in its
 * pipe already stay. INVALID: the filter; the old one goes on. NULL or "": all packets. */
bricks_result bricks_tap_filter(bricks_consumer *consumer, const char *filter, char *why,
                                size_t why_size);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
