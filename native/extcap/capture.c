/* bricks-extcap: packets of a pipe, or of a copy of it, into Wireshark's FIFO. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cat.h"
#include "extcap/extcap.h"

enum { kBatch = 256, kWhyBytes = 768, kSliceMs = 200 };

static const char kProgram[] = "bricks-extcap";
static volatile sig_atomic_t stopped;

static void on_signal(int number) { stopped = number; }

struct session {
  const struct extcap_options *options;
  struct extcap_control control;
  struct extcap_filter *filter; /* ours; NULL: the engine's, or none */
  struct cat_capture capture;
  bricks_consumer *consumer;
  bool paused;
  uint64_t packets, left_out, lost_before;
};

static int attach(struct session *s, const struct extcap_row *row) {
  const struct extcap_options *o = s->options;
  char why[kWhyBytes] = "";
  const bricks_options options = {.run_dir = row->run_dir};
  const bricks_tap_options tap = {.filter = o->filter, .last_ms = o->last_ms};
  const bricks_result result =
      o->take ? bricks_attach(&s->consumer, o->interface, &options, why, sizeof why)
              : bricks_tap(&s->consumer, o->interface, &tap, &options, why, sizeof why);
  if (result != BRICKS_OK) {
    fprintf(stderr, "%s: %s\n", kProgram, why);
    return (int)result;
  }
  if (o->take && o->filter && *o->filter) {
    s->filter = extcap_filter_compile(o->filter, bricks_link_type(s->consumer), why);
    if (!s->filter) {
      fprintf(stderr, "%s: '%s' is no capture filter: %s\n", kProgram, o->filter, why);
      return BRICKS_INVALID;
    }
  }
  s->lost_before = bricks_dropped(s->consumer);
  return 0;
}

/* Those that are to be written, cut to size, in place; returns how many. */
static uint32_t choose(struct session *s, bricks_packet *packets, uint32_t count) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (s->paused || (s->filter && !extcap_filter_matches(s->filter, &packets[i]))) continue;
    packets[kept] = packets[i];
    if (s->options->snap_length && packets[kept].captured > s->options->snap_length) {
      packets[kept].captured = s->options->snap_length;
    }
    ++kept;
  }
  s->left_out += s->paused ? count : 0;
  s->packets += kept;
  return kept;
}

/* The toolbar's new filter: the engine's, or, where we are the pipe's consumer, our own. */
static void change_filter(struct session *s, const char *text) {
  char why[kWhyBytes] = "", said[kWhyBytes + 64];
  bool good;
  if (s->options->take) {
    struct extcap_filter *made = NULL;
    if (*text) made = extcap_filter_compile(text, bricks_link_type(s->consumer), why);
    good = made || !*text;
    if (good) {
      extcap_filter_free(s->filter);
      s->filter = made;
    }
  } else {
    good = bricks_tap_filter(s->consumer, text, why, sizeof why) == BRICKS_OK;
  }
  if (good) {
    snprintf(said, sizeof said, *text ? "filter: %.500s" : "no filter", text);
  } else {
    snprintf(said, sizeof said, "the filter stays as it was: %s", why);
  }
  extcap_control_status(&s->control, said);
  extcap_control_log(&s->control, said);
}

static void obey(struct session *s) {
  struct extcap_wish wish = {.paused = s->paused};
  extcap_control_read(&s->control, &wish);
  if (wish.pause_changed && wish.paused != s->paused) {
    char said[96] = "paused: packets are left out";
    s->paused = wish.paused;
    if (!s->paused) {
      snprintf(said, sizeof said, "goes on; left out so far: %llu packets",
               (unsigned long long)s->left_out);
    }
    extcap_control_status(&s->control, said);
    extcap_control_log(&s->control, said);
  }
  if (wish.filter_changed) change_filter(s, wish.filter);
}

/* Until there is something to do. CAT_READER_LEFT: Wireshark has closed its end. */
static int rest(struct session *s, int fifo) {
  struct pollfd fds[3] = {{.fd = bricks_fd(s->consumer), .events = POLLIN},
                          {.fd = fifo, .events = 0},
                          {.fd = s->control.in, .events = POLLIN}};
  poll(fds, 3, kSliceMs);
  if (fds[2].revents) obey(s);
  return fds[1].revents & (POLLERR | POLLNVAL) ? CAT_READER_LEFT : 0;
}

static int copy(struct session *s, int fifo) {
  bricks_packet packets[kBatch];
  for (uint32_t turn = 0; !stopped; ++turn) {
    uint32_t count = 0;
    const bricks_result result = bricks_next_batch(s->consumer, packets, kBatch, &count);
    int fault = 0;
    if (result == BRICKS_OK) {
      fault = capture_packets(&s->capture, packets, choose(s, packets, count));
      if (!fault && turn % kBatch == 0 && s->control.in >= 0) obey(s);
    } else if (result == BRICKS_EMPTY) {
      fault = capture_flush(&s->capture);
      if (!fault) fault = rest(s, fifo);
    } else if (result == BRICKS_FAILED) {
      fprintf(stderr, "%s: the ring of %s holds what cannot be\n", kProgram, s->options->interface);
      return CAT_FAILED;
    } else {
      const bool orderly = result == BRICKS_END || bricks_closed(s->consumer);
      if (!orderly) fprintf(stderr, "%s: the daemon has vanished\n", kProgram);
      return orderly ? 0 : CAT_UNREACHABLE;
    }
    if (fault) return fault;
  }
  return 0;
}

static int run(struct session *s, const struct extcap_row *row) {
  const struct extcap_options *o = s->options;
  char comment[160];
  int fault = attach(s, row);
  if (fault) return fault;
  const int fifo = open(o->fifo, O_WRONLY | O_CLOEXEC | O_CREAT, 0600);
  if (fifo < 0) {
    fprintf(stderr, "%s: cannot write to %s: %s\n", kProgram, o->fifo, strerror(errno));
    return CAT_FAILED;
  }
  fault = capture_open_fd(&s->capture, kProgram, fifo, o->fifo, o->interface, !o->classic);
  if (fault) {
    close(fifo);
    return fault;
  }
  snprintf(comment, sizeof comment, "%s%s", o->take ? "taken from its pipe" : "a copy",
           o->last_ms ? ", begun with what a recorder had kept" : "");
  s->capture.description = row->listed.sentence;
  s->capture.comment = comment;
  s->capture.filter = o->filter;
  s->capture.snap_length = o->snap_length;
  fault = copy(s, fifo);
  if (fault == CAT_READER_LEFT) {
    close(fifo);
    return 0;
  }
  const uint64_t lost = bricks_dropped(s->consumer) - s->lost_before;
  const int finished = capture_finish(&s->capture, bricks_link_type(s->consumer), s->packets, lost);
  return fault ? fault : finished > 0 ? finished : 0;
}

int extcap_capture(const struct extcap_options *options) {
  if (!options->interface || !options->fifo) {
    fprintf(stderr, "%s: --capture takes --extcap-interface and --fifo\n", kProgram);
    return CAT_USAGE;
  }
  const struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  struct session *s = calloc(1, sizeof *s);
  struct extcap_row row;
  if (!s) return CAT_FAILED;
  s->options = options;
  extcap_find(options->interface, &row);
  int code = extcap_control_open(&s->control, options);
  if (code == 0) code = run(s, &row);
  extcap_control_close(&s->control);
  extcap_filter_free(s->filter);
  bricks_detach(s->consumer);
  free(s->capture.buffer);
  free(s);
  return code;
}
