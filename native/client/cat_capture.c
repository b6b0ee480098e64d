/* bricks-cat: classic pcap and pcapng, in this machine's byte order, through a buffer of our own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/cat.h"

enum { kBufferBytes = 512 * 1024, kSnapLength = 262144, kRecordMax = 65535 + 4 * CAT_ABOUT_MAX };

#define PCAP_MICROSECONDS 0xa1b2c3d4u
#define PCAP_NANOSECONDS 0xa1b23c4du

int capture_open_fd(struct cat_capture *capture, const char *program, int fd, const char *path,
                    const char *pipe, bool ng) {
  *capture =
      (struct cat_capture){.fd = fd, .program = program, .path = path, .pipe = pipe, .ng = ng};
  capture->buffer = malloc(kBufferBytes);
  if (capture->buffer) return 0;
  fprintf(stderr, "%s: no memory for a buffer of %d bytes\n", program, kBufferBytes);
  return CAT_FAILED;
}

int capture_open(struct cat_capture *capture, const struct cat_options *options) {
  const int fault =
      capture_open_fd(capture, "bricks cat", STDOUT_FILENO, "stdout", options->pipe, options->ng);
  if (fault) return fault;
  if (!options->file || strcmp(options->file, "-") == 0) return 0;
  capture->path = options->file;
  capture->fd = open(options->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  capture->created = capture->fd >= 0;
  if (capture->fd < 0 && errno == EEXIST) capture->fd = open(options->file, O_WRONLY | O_CLOEXEC);
  if (capture->fd >= 0) return 0;
  const int error = errno;
  fprintf(stderr, "bricks cat: cannot write %s: %s; name another file after -w\n", options->file,
          strerror(error));
  return error == EACCES || error == EPERM ? BRICKS_PERMISSION
         : error == ENOENT                 ? BRICKS_NOT_FOUND
                                           : CAT_FAILED;
}

int capture_begin(struct cat_capture *capture) {
  struct stat status;
  capture->created = false; /* from here on it is a capture and stays */
  if (capture->fd == STDOUT_FILENO || fstat(capture->fd, &status) != 0) return 0;
  if (!S_ISREG(status.st_mode) || ftruncate(capture->fd, 0) == 0) return 0;
  fprintf(stderr, "%s: cannot empty %s: %s\n", capture->program, capture->path, strerror(errno));
  return CAT_FAILED;
}

void capture_abandon(struct cat_capture *capture) {
  if (capture->created) unlink(capture->path);
}

int capture_flush(struct cat_capture *capture) {
  size_t at = 0;
  while (at < capture->used) {
    const ssize_t n = write(capture->fd, capture->buffer + at, capture->used - at);
    if (n >= 0) {
      at += (size_t)n;
    } else if (errno != EINTR) {
      capture->used = 0;
      if (errno == EPIPE) return CAT_READER_LEFT;
      fprintf(stderr, "%s: cannot write to %s: %s\n", capture->program, capture->path,
              strerror(errno));
      return CAT_FAILED;
    }
  }
  capture->used = 0;
  return 0;
}

/* Room for `bytes` (<= kBufferBytes). */
static int make_room(struct cat_capture *capture, size_t bytes) {
  return kBufferBytes - capture->used < bytes ? capture_flush(capture) : 0;
}

static void put(struct cat_capture *capture, const void *bytes, size_t length) {
  memcpy(capture->buffer + capture->used, bytes, length);
  capture->used += length;
}

int capture_text(struct cat_capture *capture, const char *text, size_t length) {
  const int fault = make_room(capture, length);
  if (!fault) put(capture, text, length);
  return fault;
}

static int start(struct cat_capture *capture, uint32_t link_type) {
  const int fault = make_room(capture, 64);
  if (fault) return fault;
  capture->started = true;
  capture->link_type = link_type;
  if (capture->ng) {
    const uint32_t section[7] = {0x0a0d0d0a, 28, 0x1a2b3c4d, 1 /* version 1.0 */, ~0u, ~0u, 28};
    put(capture, section, sizeof section);
  } else {
    const uint32_t header[6] = {capture->nanoseconds ? PCAP_NANOSECONDS : PCAP_MICROSECONDS,
                                2 | 4 << 16 /* version 2.4 */,
                                0,
                                0,
                                kSnapLength,
                                link_type};
    put(capture, header, sizeof header);
  }
  return 0;
}

/* An option whose value is `zeros` bytes of 0 and the text; nothing for NULL. */
static void put_option(struct cat_capture *capture, uint32_t code, const char *text, size_t zeros) {
  if (!text) return;
  const size_t length = strnlen(text, CAT_ABOUT_MAX) + zeros;
  const uint32_t head = code | (uint32_t)length << 16;
  put(capture, &head, sizeof head);
  put(capture, "\0\0\0", zeros);
  put(capture, text, length - zeros);
  put(capture, "\0\0\0", -length & 3);
}

/* pcapng: the number of the interface for that link type, described where it is new; -1: too many.
 */
static int64_t interface_for(struct cat_capture *capture, uint32_t link_type) {
  for (uint32_t i = 0; i < capture->interfaces; ++i) {
    if (capture->interface_links[i] == link_type) return i;
  }
  if (capture->interfaces == sizeof capture->interface_links / sizeof(uint32_t)) return -1;
  const size_t begin = capture->used;
  const uint32_t snap = capture->snap_length ? capture->snap_length : kSnapLength;
  const uint32_t head[4] = {1, 0 /* its length, below */, link_type, snap};
  put(capture, head, sizeof head);
  put_option(capture, 2 /* if_name */, capture->pipe, 0);
  put_option(capture, 3 /* if_description */, capture->description, 0);
  put_option(capture, 1 /* opt_comment */, capture->comment, 0);
  if (capture->filter && *capture->filter)
    put_option(capture, 11 /* if_filter */, capture->filter, 1);
  /* 9, if_tsresol: 10^-9 seconds; the end of options */
  const uint32_t tail[3] = {9 | 1 << 16, 9, 0};
  put(capture, tail, sizeof tail);
  const uint32_t total = (uint32_t)(capture->used - begin + sizeof(uint32_t));
  put(capture, &total, sizeof total);
  memcpy(capture->buffer + begin + sizeof(uint32_t), &total, sizeof total);
  capture->interface_links[capture->interfaces] = link_type;
  return capture->interfaces++;
}

static int put_ng(struct cat_capture *capture, const bricks_packet *packet) {
  const int64_t interface = interface_for(capture, packet->link_type);
  if (interface < 0) {
    fprintf(stderr, "%s: more than %zu link types in one capture\n", capture->program,
            sizeof capture->interface_links / sizeof(uint32_t));
    return CAT_FAILED;
  }
  const uint32_t padded = (packet->captured + 3) & ~3u;
  const uint32_t total = 32 + padded;
  const uint32_t head[7] = {6,
                            total,
                            (uint32_t)interface,
                            (uint32_t)(packet->timestamp_ns >> 32),
                            (uint32_t)packet->timestamp_ns,
                            packet->captured,
                            packet->wire_length};
  put(capture, head, sizeof head);
  put(capture, packet->data, packet->captured);
  put(capture, "\0\0\0", padded - packet->captured);
  put(capture, &total, sizeof total);
  return 0;
}

static int put_classic(struct cat_capture *capture, const bricks_packet *packet) {
  if (packet->link_type != capture->link_type) {
    fprintf(stderr,
            "%s: a packet of link type %u in a capture of link type %u: classic pcap holds one; "
            "choose pcapng (--ng)\n",
            capture->program, packet->link_type, capture->link_type);
    return CAT_FAILED;
  }
  const uint64_t rest = packet->timestamp_ns % 1000000000u;
  const uint32_t head[4] = {(uint32_t)(packet->timestamp_ns / 1000000000u),
                            (uint32_t)(capture->nanoseconds ? rest : rest / 1000), packet->captured,
                            packet->wire_length};
  put(capture, head, sizeof head);
  put(capture, packet->data, packet->captured);
  return 0;
}

int capture_packets(struct cat_capture *capture, const bricks_packet *packets, uint32_t count) {
  int fault = 0;
  if (!capture->started && count) {
    /* microseconds, as most captures have, unless the first packets say more */
    for (uint32_t i = 0; i < count; ++i) {
      if (packets[i].timestamp_ns % 1000) capture->nanoseconds = true;
    }
    fault = start(capture, packets[0].link_type);
  }
  for (uint32_t i = 0; i < count && !fault; ++i) {
    fault = make_room(capture, kRecordMax);
    if (!fault) {
      fault = capture->ng ? put_ng(capture, &packets[i]) : put_classic(capture, &packets[i]);
    }
  }
  return fault;
}

/* Interface statistics: options 4, isb_ifrecv, and 5, isb_ifdrop. */
static int put_statistics(struct cat_capture *capture, uint64_t packets, uint64_t lost) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  const uint64_t now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
  const uint64_t all = packets + lost;
  const uint32_t block[13] = {5,
                              52,
                              0,
                              (uint32_t)(now >> 32),
                              (uint32_t)now,
                              4 | 8 << 16,
                              (uint32_t)all,
                              (uint32_t)(all >> 32),
                              5 | 8 << 16,
                              (uint32_t)lost,
                              (uint32_t)(lost >> 32),
                              0,
                              52};
  const int fault = make_room(capture, sizeof block);
  if (!fault) put(capture, block, sizeof block);
  return fault;
}

int capture_finish(struct cat_capture *capture, uint32_t link_type, uint64_t packets,
                   uint64_t lost) {
  int fault = 0;
  if (!capture->started) {
    fault = start(capture, link_type);
    if (!fault) fault = make_room(capture, kRecordMax);
    if (!fault && capture->ng) interface_for(capture, link_type);
  }
  if (!fault && capture->ng) fault = put_statistics(capture, packets, lost);
  if (!fault) fault = capture_flush(capture);
  if (capture->fd != STDOUT_FILENO && close(capture->fd) != 0 && !fault) {
    fprintf(stderr, "%s: cannot complete %s: %s\n", capture->program, capture->path,
            strerror(errno));
    fault = CAT_FAILED;
  }
  return fault;
}
