/* bricks-observe: what a pipe's consumer is given, without being it. Maps the pipe's memory to read
 * only, follows the engine's tail, copies each packet and then looks whether its slot was written
 * anew meanwhile, in the manner of a seqlock. Whoever is too slow says how many slots it missed.
 *
 *   bricks-observe MEMORY OFFSET SAMPLE   the pipe at OFFSET of that file (/proc/PID/fd/N)
 *   bricks-observe - PIPE SAMPLE          a consumer of PIPE, for taps: libbricks, told alike
 *
 * Writes records of 24 bytes and a frame: captured, wire length, receive time (two words), link
 * type, kind (0 packet; 1 gap: wire length is the number of slots missed), all in host order. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "abi/bricks.h"
#include "abi/pipe_packets.h"
#include "abi/sample.h"

enum {
  kOutputBytes = 64 << 20,
  kIdleSpins = 64,
  kBatch = 256,
  kSliceMs = 100,
  kHandOver = 1 << 16
};

struct record {
  uint32_t captured, wire_length;
  uint64_t timestamp;
  uint32_t link_type, kind;
};

static volatile sig_atomic_t stopped;
static uint8_t output[kOutputBytes]; /* what the reader has not taken yet: sent to used */
static size_t sent, used;
static uint64_t missed; /* since the last record: what found no room */

static void on_signal(int number) { stopped = number; }

/* As much as the reader takes now: who observes waits for nobody, or he would see nothing. */
static void flush_output(void) {
  while (sent < used) {
    const ssize_t wrote = write(STDOUT_FILENO, output + sent, used - sent);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) break;
    if (wrote < 0) exit(0); /* nobody listens any more */
    sent += (size_t)wrote;
  }
  if (sent == used || sent > sizeof output / 2) {
    memmove(output, output + sent, used - sent);
    used -= sent;
    sent = 0;
  }
}

static bool has_room(size_t bytes) {
  if (used + bytes > sizeof output) flush_output();
  return used + bytes <= sizeof output;
}

static void append(const struct record *record, const uint8_t *data) {
  memcpy(output + used, record, sizeof *record);
  memcpy(output + used + sizeof *record, data, record->captured);
  used += sizeof *record + record->captured;
}

static void put(const struct record *record, const uint8_t *data) {
  const size_t bytes = sizeof *record + record->captured;
  if (!has_room(bytes + sizeof *record)) {
    missed += record->kind ? record->wire_length : 1;
    return;
  }
  if (missed) {
    const struct record gap = {.wire_length = missed > UINT32_MAX ? UINT32_MAX : (uint32_t)missed,
                               .kind = 1};
    append(&gap, data);
    missed = 0;
  }
  append(record, data);
}

/* The end: the reader takes all of it, or goes. */
static int finish_output(int code) {
  while (sent < used) {
    struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};
    poll(&room, 1, -1);
    flush_output();
  }
  return code;
}

static void say_gap(uint64_t slots) {
  const struct record gap = {.wire_length = slots > UINT32_MAX ? UINT32_MAX : (uint32_t)slots,
                             .kind = 1};
  put(&gap, output);
}

static void idle(uint32_t *spins) {
  if (++*spins < kIdleSpins) return;
  *spins = 0;
  flush_output();
  const struct timespec moment = {.tv_nsec = 50000};
  nanosleep(&moment, NULL);
}

/* Copies the packet at slot `*at` into `frame`; false when it cannot be one (it was written over).
 */
static bool copy_packet(struct bricks_reader *r, uint64_t *at, uint64_t end, struct record *record,
                        uint8_t *frame) {
  struct bricks_view view;
  record->captured = 0;
  for (bool first = true;; first = false) {
    if (*at == end || !bricks_reader_slot(r, (uint32_t)(*at % r->slots), &view)) break;
    if (view.length > BRICKS_READER_FRAME_MAX - record->captured) break;
    memcpy(frame + record->captured, view.data, view.length);
    record->captured += view.length;
    if (first) {
      record->wire_length = view.wire_length;
      record->timestamp = view.timestamp;
      record->link_type = view.link_type;
    }
    ++*at;
    if (view.more) continue;
    if (record->wire_length < record->captured) record->wire_length = record->captured;
    return true;
  }
  r->broken = false; /* a slot in the middle of being written says anything */
  return false;
}

static int observe(const char *path, uint64_t offset, uint32_t sample) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) {
    fprintf(stderr, "bricks-observe: cannot open %s: %s\n", path, strerror(errno));
    return errno == EACCES || errno == EPERM ? 5 : 1;
  }
  uint8_t *base = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
  struct bricks_reader r;
  const char *fault = base == MAP_FAILED
                          ? strerror(errno)
                          : bricks_reader_open(&r, base, (uint64_t)status.st_size, offset);
  if (fault) {
    fprintf(stderr, "bricks-observe: %s cannot be observed: %s\n", path, fault);
    return 1;
  }
  static uint8_t frame[BRICKS_READER_FRAME_MAX + 1];
  uint64_t at = __atomic_load_n(&r.pipe->slots_published, __ATOMIC_ACQUIRE);
  fputs("ready\n", stderr);
  for (uint32_t spins = 0; !stopped;) {
    const uint64_t end = __atomic_load_n(&r.pipe->slots_published, __ATOMIC_ACQUIRE);
    if (at == end) {
      if (__atomic_load_n(&r.pipe->producer_state, __ATOMIC_ACQUIRE) == BRICKS_PRODUCER_CLOSED)
        break;
      idle(&spins);
      continue;
    }
    spins = 0;
    if (used - sent > kHandOver) flush_output();
    r.link_type = __atomic_load_n(&r.pipe->link_type, __ATOMIC_RELAXED) & 0xffffu;
    while (at != end) {
      const uint64_t begin = at;
      struct record record = {.kind = 0};
      const bool whole = end - at <= r.slots && copy_packet(&r, &at, end, &record, frame);
      __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the copy, then the look */
      const uint64_t begun = __atomic_load_n(&r.pipe->slots_begun, __ATOMIC_RELAXED);
      if (!whole || begun > begin + r.slots) {
        say_gap(end - begin);
        at = end;
      } else if (bricks_sampled(frame, record.captured, record.link_type, sample)) {
        put(&record, frame);
      }
    }
  }
  return finish_output(0);
}

static int consume(const char *name, uint32_t sample) {
  char why[512];
  bricks_consumer *consumer;
  const bricks_options options = {.busy_poll = 1};
  const bricks_result attached = bricks_attach(&consumer, name, &options, why, sizeof why);
  if (attached != BRICKS_OK) {
    fprintf(stderr, "bricks-observe: %s\n", why);
    return (int)attached;
  }
  fputs("ready\n", stderr);
  bricks_packet packets[kBatch];
  bricks_result result = BRICKS_OK;
  while (!stopped) {
    uint32_t count = 0;
    result = bricks_next_batch(consumer, packets, kBatch, &count);
    for (uint32_t i = 0; i < count; ++i) {
      const bricks_packet *p = &packets[i];
      const struct record record = {p->captured, p->wire_length, p->timestamp_ns, p->link_type, 0};
      if (bricks_sampled(p->data, p->captured, p->link_type, sample)) put(&record, p->data);
    }
    if (result == BRICKS_EMPTY) {
      flush_output();
      bricks_wait(consumer, kSliceMs);
    } else if (result != BRICKS_OK) {
      break;
    }
  }
  bricks_detach(consumer);
  return finish_output(result == BRICKS_FAILED ? 1 : 0);
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fputs("usage: bricks-observe MEMORY OFFSET SAMPLE | - PIPE SAMPLE\n", stderr);
    return 2;
  }
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
  const uint32_t sample = (uint32_t)strtoul(argv[3], NULL, 10);
  if (strcmp(argv[1], "-") == 0) return consume(argv[2], sample);
  return observe(argv[1], strtoull(argv[2], NULL, 10), sample);
}
