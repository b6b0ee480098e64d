/* bricks-cat: reads a pipe and writes a capture, or a line per packet to a terminal. */
#include "client/cat.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { kBatch = 256, kWhyBytes = 768 };
/* Waits are cut into slices: a signal that comes just before one starts is seen after it. */
enum { kSliceMs = 200, kQuietMs = 1, kFlushMs = 20 };

static volatile sig_atomic_t stop_signal;

static void on_signal(int number) { stop_signal = number; }

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct cat {
  struct cat_options options;
  struct cat_capture capture;
  bricks_consumer *consumer;
  bool lines;        /* to a terminal */
  bool said_waiting; /* that we wait was said */
  int64_t last_ms;   /* when the last packet came, or the start */
  int64_t flush_ms;  /* when the output was last flushed */
  uint64_t packets, bytes;
  uint64_t lost_before, lost; /* packets that the pipe could not take: until we came, since */
  uint32_t link_type;
};

/* Until --timeout; -1: for ever. */
static int64_t left_ms(const struct cat *cat) {
  if (cat->options.timeout_ms < 0) return -1;
  const int64_t left = cat->last_ms + cat->options.timeout_ms - now_ms();
  return left > 0 ? left : 0;
}

static void say_waiting(struct cat *cat, const char *why) {
  if (cat->said_waiting || cat->options.quiet || cat->options.timeout_ms >= 0) return;
  cat->said_waiting = true;
  fprintf(stderr, "bricks cat: waiting for %s (%s); Ctrl-C stops\n", cat->options.pipe, why);
}

/* A copy of a link: there is nothing to wait for. */
static bricks_result take_copy(struct cat *cat, char *why) {
  const bricks_options options = {.follow = cat->options.follow, .busy_poll = 1};
  const bricks_tap_options tap = {.filter = cat->options.filter, .last_ms = cat->options.last_ms};
  return bricks_tap(&cat->consumer, cat->options.pipe, &tap, &options, why, kWhyBytes);
}

/* 0, or the exit code. */
static int attach_copy(struct cat *cat) {
  char why[kWhyBytes];
  const bricks_result result = take_copy(cat, why);
  if (result == BRICKS_OK) return 0;
  fprintf(stderr, "bricks cat: %s\n", why);
  return result == BRICKS_INVALID ? CAT_CONFIGURATION : (int)result;
}

/* The name is that of a link, or a pipe that somebody reads: true when a copy of it is to be had,
 * which will do as well. */
static bool copy_instead(struct cat *cat, const char *why) {
  char whyever[kWhyBytes];
  if (take_copy(cat, whyever) != BRICKS_OK) return false;
  if (!cat->options.quiet) fprintf(stderr, "bricks cat: %s: reading a copy\n", why);
  cat->options.tap = true;
  return true;
}

/* The daemon knows that name, and it is no pipe that will come. */
static bool is_link(const char *name) {
  bricks_listed *rows;
  uint32_t count;
  bool found = false;
  bricks_list(&rows, &count, NULL, NULL, 0);
  for (uint32_t i = 0; i < count && !found; ++i) {
    found = rows[i].flags & BRICKS_LISTED_TAP && strcmp(rows[i].name, name) == 0;
  }
  free(rows);
  return found;
}

/* Attaches, waiting for daemon and pipe. 0, or the exit code. */
static int attach(struct cat *cat) {
  char why[kWhyBytes];
  for (int64_t slice = 0;; slice = kSliceMs) { /* the first try only tells what is awaited */
    if (stop_signal) return CAT_SIGNAL + stop_signal;
    if (cat->options.tap) return attach_copy(cat);
    const int64_t left = left_ms(cat);
    const bricks_options options = {
        .timeout_ms = left >= 0 && left < slice ? left : slice,
        .follow = cat->options.follow,
        .busy_poll = 1,
    };
    const bricks_result result =
        bricks_attach(&cat->consumer, cat->options.pipe, &options, why, sizeof why);
    if (result == BRICKS_OK) return 0;
    const bool unknown = result == BRICKS_NOT_FOUND && slice == 0;
    if ((result == BRICKS_INVALID || result == BRICKS_BUSY ||
         (unknown && is_link(cat->options.pipe))) &&
        copy_instead(cat, why)) {
      return 0;
    }
    const bool not_yet = result == BRICKS_TIMEOUT || result == BRICKS_INTERRUPTED ||
                         result == BRICKS_UNREACHABLE || result == BRICKS_NOT_FOUND;
    if (not_yet && left != 0) {
      if (result != BRICKS_INTERRUPTED) say_waiting(cat, why);
      continue;
    }
    fprintf(stderr, "bricks cat: %s\n", why);
    return not_yet ? CAT_TIMEOUT : (int)result;
  }
}

static int write_packets(struct cat *cat, const bricks_packet *packets, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) cat->bytes += packets[i].captured;
  cat->packets += count;
  if (!cat->lines) return capture_packets(&cat->capture, packets, count);
  int fault = 0;
  for (uint32_t i = 0; i < count && !fault; ++i) {
    char line[512];
    fault = capture_text(&cat->capture, line, format_line(line, sizeof line, &packets[i]));
  }
  return fault;
}

/* Nothing is there now. After a moment's quiet, or when it has been kept long enough, what is
 * written goes out; then we sleep. 0, or the exit code. */
static int wait_for_news(struct cat *cat) {
  if (now_ms() - cat->flush_ms < kFlushMs &&
      bricks_wait(cat->consumer, kQuietMs) != BRICKS_TIMEOUT) {
    return 0;
  }
  const int fault = capture_flush(&cat->capture);
  cat->flush_ms = now_ms();
  if (fault) return fault;
  const int64_t left = left_ms(cat);
  if (left == 0) {
    fprintf(stderr, "bricks cat: no packet came to %s for %g s\n", bricks_name(cat->consumer),
            (double)cat->options.timeout_ms / 1000);
    return CAT_TIMEOUT;
  }
  bricks_wait(cat->consumer, left < 0 || left > kSliceMs ? kSliceMs : left);
  return 0;
}

/* What the end of a pipe means for us: CAT_AGAIN or the exit code. */
static int ended(struct cat *cat, bricks_result result) {
  if (result == BRICKS_END) return CAT_OK;
  if (result == BRICKS_FAILED) {
    fprintf(stderr,
            "bricks cat: the ring of %s holds what cannot be; some program has written over "
            "it\n",
            bricks_name(cat->consumer));
    return CAT_FAILED;
  }
  const bool closed = bricks_closed(cat->consumer);
  if (cat->options.follow) return CAT_AGAIN;
  if (closed) return CAT_OK;
  fprintf(stderr, "bricks cat: the daemon behind %s has vanished; what it had sent is written\n",
          bricks_name(cat->consumer));
  return CAT_UNREACHABLE;
}

/* Reads until the pipe ends: CAT_AGAIN, CAT_READER_LEFT or the exit code. */
static int read_pipe(struct cat *cat) {
  bricks_packet packets[kBatch];
  for (;;) {
    if (stop_signal) return CAT_SIGNAL + stop_signal;
    uint32_t count, most = kBatch;
    if (cat->options.count && cat->options.count - cat->packets < kBatch) {
      most = (uint32_t)(cat->options.count - cat->packets);
    }
    const bricks_result result = bricks_next_batch(cat->consumer, packets, most, &count);
    int fault = 0;
    if (result == BRICKS_OK) {
      if (cat->options.timeout_ms >= 0) cat->last_ms = now_ms();
      fault = write_packets(cat, packets, count);
      if (!fault && cat->options.count && cat->packets >= cat->options.count) return CAT_OK;
    } else if (result == BRICKS_EMPTY) {
      fault = wait_for_news(cat);
    } else {
      return ended(cat, result);
    }
    if (fault) return fault;
  }
}

static void watch_signals(void) {
  /* once: a second Ctrl-C ends us even where writing is stuck */
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
}

/* Completes the output; what `code` becomes. */
static int finish(struct cat *cat, int code) {
  if (cat->consumer) cat->link_type = bricks_link_type(cat->consumer);
  int fault = 0;
  if (code != CAT_READER_LEFT) {
    fault = cat->lines ? capture_flush(&cat->capture)
                       : capture_finish(&cat->capture, cat->link_type, cat->packets, cat->lost);
  }
  if (!cat->options.quiet) {
    fprintf(stderr, "%llu packets, %llu bytes\n", (unsigned long long)cat->packets,
            (unsigned long long)cat->bytes);
  }
  if (code == CAT_READER_LEFT) return CAT_OK;
  return fault > 0 && code == CAT_OK ? fault : code;
}

/* From the first attach to the end: the exit code. */
static int follow_pipe(struct cat *cat) {
  for (bool begun = false;;) {
    int code = attach(cat);
    if (!begun && code != CAT_OK && code < CAT_TIMEOUT) {
      capture_abandon(&cat->capture);
      return code;
    }
    if (!begun) {
      const int fault = capture_begin(&cat->capture);
      if (fault) return fault;
      begun = true;
    }
    if (code == CAT_OK) {
      cat->lost_before = bricks_dropped(cat->consumer);
      code = read_pipe(cat);
      cat->lost += bricks_dropped(cat->consumer) - cat->lost_before;
    }
    if (code == CAT_AGAIN) {
      cat->link_type = bricks_link_type(cat->consumer);
      bricks_detach(cat->consumer);
      cat->consumer = NULL;
      code = capture_flush(&cat->capture);
      if (code == 0) continue;
    }
    return finish(cat, code);
  }
}

int main(int argc, char **argv) {
  struct cat cat = {.last_ms = now_ms(), .link_type = 1};
  const int parsed = cat_parse(argc, argv, &cat.options);
  if (parsed >= 0) return parsed;
  watch_signals();
  cat.lines = !cat.options.file && isatty(STDOUT_FILENO);
  int code = capture_open(&cat.capture, &cat.options);
  if (code == 0) code = follow_pipe(&cat);
  bricks_detach(cat.consumer); /* last: what is given back now is written */
  free(cat.capture.buffer);
  return code;
}
