/* libbricks: taking a pipe's end from the daemon, and giving it back (abi/pipe.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/ask.h"
#include "client/consumer.h"

enum { kReplyFds = 3 };

/* a->name becomes the name without its prefix. */
static bricks_result check_name(struct asking *a, const char *name) {
  if (!name) return bricks_refuse(a, BRICKS_INVALID, "no pipe is named; name one such as 'eth3}0'");
  if (strncmp(name, "netmap:", 7) == 0) name += 7;
  const size_t length = strnlen(name, BRICKS_NAME_BYTES);
  if (length == BRICKS_NAME_BYTES) {
    return bricks_refuse(a, BRICKS_INVALID, "the pipe's name is longer than %u bytes",
                         BRICKS_NAME_BYTES - 1);
  }
  const char *open_brace = strrchr(name, '{'), *brace = strrchr(name, '}');
  const char *last = open_brace > brace ? open_brace : brace;
  if (!last || last == name || !last[1] || strspn(last + 1, "0123456789") != strlen(last + 1)) {
    return bricks_refuse(a, BRICKS_INVALID, "'%s' names no pipe's end; one looks like 'eth3}0'",
                         name);
  }
  a->name = name;
  return BRICKS_OK;
}

bricks_result bricks_take_end(const struct asking *a, uint32_t operation, struct bricks_end *end) {
  struct bricks_attach_request request = {.magic = BRICKS_PIPE_MAGIC,
                                          .version = BRICKS_PIPE_VERSION,
                                          .operation = operation,
                                          .flags = a->patient ? BRICKS_ATTACH_WAIT : 0};
  memcpy(request.name, a->name, strlen(a->name));
  return bricks_take_asked(a, &request, sizeof request, end);
}

bricks_result bricks_take_asked(const struct asking *a, const void *request, size_t size,
                                struct bricks_end *end) {
  struct bricks_attach_reply reply;
  int fds[kReplyFds];
  bricks_result result =
      bricks_ask(a, request, size, &reply, sizeof reply, fds, kReplyFds, &end->connection);
  if (result == BRICKS_OK) {
    reply.message[sizeof reply.message - 1] = 0;
    result = bricks_ask_verdict(a, reply.code, reply.message);
  }
  if (result != BRICKS_OK) return result;
  end->data_event = fds[1];
  end->space_event = fds[2];
  for (int i = 1; i < kReplyFds; ++i) {
    fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK);
  }
  end->region = bricks_ask_map(a, fds[0], reply.region_bytes);
  end->region_bytes = reply.region_bytes;
  end->pipe_offset = reply.pipe_offset;
  close(fds[0]);
  return end->region ? BRICKS_OK : BRICKS_FAILED;
}

bricks_result bricks_watch_end(const struct asking *a, struct bricks_end *end, int event) {
  struct epoll_event news = {.events = EPOLLIN, .data.fd = event};
  struct epoll_event connection = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = end->connection};
  end->poll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (end->poll_fd < 0 || epoll_ctl(end->poll_fd, EPOLL_CTL_ADD, event, &news) != 0 ||
      epoll_ctl(end->poll_fd, EPOLL_CTL_ADD, end->connection, &connection) != 0) {
    return bricks_refuse(a, BRICKS_FAILED, "cannot watch %s: %s", a->name, strerror(errno));
  }
  return BRICKS_OK;
}

void bricks_leave_end(struct bricks_end *end) {
  if (end->region) munmap(end->region, end->region_bytes);
  const int fds[] = {end->poll_fd, end->data_event, end->space_event, end->connection};
  for (size_t i = 0; i < sizeof fds / sizeof fds[0]; ++i) {
    if (fds[i] >= 0) close(fds[i]);
  }
}

bricks_result bricks_ask_for(struct asking *a, const char *name, const bricks_options *options,
                             char *why, size_t why_size) {
  *a = (struct asking){.why = why, .why_size = why_size};
  const bricks_result named = check_name(a, name);
  if (named != BRICKS_OK) return named;
  const char *short_name = a->name;
  const bricks_result found =
      bricks_ask_prepare(a, options->run_dir, options->timeout_ms, why, why_size);
  a->name = short_name;
  return found;
}

uint64_t bricks_spin_ns(const bricks_options *options) {
  const uint32_t spin_us = options->spin_us ? options->spin_us : 50;
  /* with one processor, spinning only keeps the other side from running */
  return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? (uint64_t)spin_us * 1000 : 0;
}

bricks_result bricks_begin_consumer(const struct asking *a, const bricks_options *options,
                                    const void *request, size_t size, bricks_consumer **consumer) {
  bricks_consumer *c = calloc(1, sizeof *c);
  if (!c) return bricks_refuse(a, BRICKS_FAILED, "no memory for a consumer of %s", a->name);
  c->end = kNoEnd;
  c->follow = options->follow != 0;
  c->busy_poll = options->busy_poll != 0;
  c->spin_ns = bricks_spin_ns(options);
  memcpy(c->name, a->name, strnlen(a->name, sizeof c->name - 1));
  bricks_result result = request ? bricks_take_asked(a, request, size, &c->end)
                                 : bricks_take_end(a, BRICKS_ATTACH, &c->end);
  if (result == BRICKS_OK) {
    const char *fault =
        bricks_reader_open(&c->reader, c->end.region, c->end.region_bytes, c->end.pipe_offset);
    if (fault) {
      result = bricks_refuse(a, BRICKS_FAILED, "%s cannot be read: %s", a->name, fault);
    }
  }
  if (result == BRICKS_OK) result = bricks_watch_end(a, &c->end, c->end.data_event);
  if (result != BRICKS_OK) {
    bricks_detach(c);
    return result;
  }
  c->give_back_slots = c->reader.slots / 4 < 64 ? c->reader.slots / 4 : 64;
  c->signalled = true; /* the consumer before us may have left a count */
  bricks_reader_disarm(&c->reader);
  *consumer = c;
  return BRICKS_OK;
}

bricks_result bricks_attach(bricks_consumer **consumer, const char *name,
                            const bricks_options *options, char *why, size_t why_size) {
  static const bricks_options kDefaults;
  struct asking a;
  if (!options) options = &kDefaults;
  *consumer = NULL;
  const bricks_result result = bricks_ask_for(&a, name, options, why, why_size);
  return result == BRICKS_OK ? bricks_begin_consumer(&a, options, NULL, 0, consumer) : result;
}

void bricks_detach(bricks_consumer *consumer) {
  bricks_consumer *c = consumer;
  if (!c) return;
  if (c->reader.ring) {
    bricks_reader_disarm(&c->reader);
    __atomic_store_n(&c->reader.pipe->consumer_beat, 0, __ATOMIC_RELAXED);
    if (!c->reader.broken && bricks_reader_give_back(&c->reader)) {
      const uint64_t one = 1;
      const ssize_t written = write(c->end.space_event, &one, sizeof one);
      (void)written; /* a full counter has told the producer often enough */
    }
  }
  bricks_leave_end(&c->end);
  free(c);
}
