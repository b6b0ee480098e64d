/* libbricks: asking the daemon for a pipe's end, and giving it back (abi/pipe.h). The reply is
 * checked like everything else that comes from outside. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/consumer.h"

enum { kReplyFds = 3, kReplyFdsMax = 16, kRetryMs = 20, kAnswerMs = 5000 };

struct asking {
  const char *name;
  int64_t deadline_ms; /* monotonic; -1: none */
  bool patient;        /* a timeout was given: wait for what is not there yet */
  char *why;
  size_t why_size;
  struct sockaddr_un address;
};

__attribute__((format(printf, 3, 4))) static bricks_result refuse(const struct asking *a,
                                                                  bricks_result result,
                                                                  const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (a->why && a->why_size) vsnprintf(a->why, a->why_size, format, arguments);
  va_end(arguments);
  return result;
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t left_ms(const struct asking *a) {
  if (a->deadline_ms < 0) return INT32_MAX;
  const int64_t left = a->deadline_ms - now_ms();
  return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : left;
}

static bricks_result check_name(struct asking *a, const char *name) {
  if (!name) return refuse(a, BRICKS_INVALID, "no pipe is named; name one such as 'eth3}0'");
  if (strncmp(name, "netmap:", 7) == 0) name += 7;
  const size_t length = strnlen(name, BRICKS_NAME_BYTES);
  if (length == BRICKS_NAME_BYTES) {
    return refuse(a, BRICKS_INVALID, "the pipe's name is longer than %u bytes",
                  BRICKS_NAME_BYTES - 1);
  }
  const char *open_brace = strrchr(name, '{'), *brace = strrchr(name, '}');
  const char *last = open_brace > brace ? open_brace : brace;
  if (!last || last == name || !last[1] || strspn(last + 1, "0123456789") != strlen(last + 1)) {
    return refuse(a, BRICKS_INVALID, "'%s' names no pipe; a consumer's end looks like 'eth3}0'",
                  name);
  }
  if (*last == '{') {
    return refuse(a, BRICKS_INVALID,
                  "'%s' is the engine's end of the pipe; consumers read '%.*s}%s'", name,
                  (int)(last - name), name, last + 1);
  }
  a->name = name;
  return BRICKS_OK;
}

static bricks_result find_socket(struct asking *a, const char *run_dir) {
  const char *middle = "";
  if (!run_dir || !*run_dir) run_dir = getenv("BRICKS_RUN_DIR");
  if (!run_dir || !*run_dir) {
    run_dir = "/run/bricks";
    if (geteuid() != 0) {
      run_dir = getenv("XDG_RUNTIME_DIR");
      middle = "/bricks";
      if (!run_dir || !*run_dir) {
        return refuse(
            a, BRICKS_UNREACHABLE,
            "where the daemon lives is unknown: neither "
            "BRICKS_RUN_DIR nor XDG_RUNTIME_DIR is set; set BRICKS_RUN_DIR to its folder");
      }
    }
  }
  a->address.sun_family = AF_UNIX;
  const int n =
      snprintf(a->address.sun_path, sizeof a->address.sun_path, "%s%s/ports.sock", run_dir, middle);
  if (n < 0 || (size_t)n >= sizeof a->address.sun_path) {
    return refuse(a, BRICKS_INVALID,
                  "the folder %s%s is too long for a socket's path (%zu bytes); "
                  "set BRICKS_RUN_DIR to a shorter one",
                  run_dir, middle, sizeof a->address.sun_path - 1);
  }
  return BRICKS_OK;
}

/* Connects, trying again while the daemon is not there yet and time is left. */
static bricks_result reach(const struct asking *a, int *connection) {
  for (;;) {
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return refuse(a, BRICKS_FAILED, "cannot make a socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&a->address, sizeof a->address) == 0) {
      *connection = fd;
      return BRICKS_OK;
    }
    const int error = errno;
    close(fd);
    if (error == EACCES || error == EPERM) {
      return refuse(a, BRICKS_PERMISSION,
                    "%s may not be opened: %s; run as the daemon's user or "
                    "root",
                    a->address.sun_path, strerror(error));
    }
    const int64_t left = left_ms(a);
    if (!a->patient) {
      return refuse(a, BRICKS_UNREACHABLE,
                    "no daemon answers at %s: %s; start bricks-server, or set "
                    "BRICKS_RUN_DIR to its folder",
                    a->address.sun_path, strerror(error));
    }
    if (left == 0) {
      return refuse(a, BRICKS_TIMEOUT,
                    "no daemon came to %s in time: %s; start bricks-server, or set "
                    "BRICKS_RUN_DIR to its folder",
                    a->address.sun_path, strerror(error));
    }
    if (poll(NULL, 0, left < kRetryMs ? (int)left : kRetryMs) < 0 && errno == EINTR) {
      return refuse(a, BRICKS_INTERRUPTED, "interrupted while waiting for the daemon");
    }
  }
}

static bricks_result send_request(const struct asking *a, int connection) {
  struct bricks_attach_request request = {.magic = BRICKS_PIPE_MAGIC,
                                          .version = BRICKS_PIPE_VERSION,
                                          .operation = BRICKS_ATTACH,
                                          .flags = a->patient ? BRICKS_ATTACH_WAIT : 0};
  memcpy(request.name, a->name, strlen(a->name));
  ssize_t sent;
  do sent = send(connection, &request, sizeof request, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent == (ssize_t)sizeof request) return BRICKS_OK;
  return refuse(a, BRICKS_UNREACHABLE, "the daemon at %s went away; try again",
                a->address.sun_path);
}

/* Takes every descriptor out of `message`; those beyond the expected are closed. Returns how many.
 */
static uint32_t take_fds(struct msghdr *message, int fds[kReplyFds]) {
  uint32_t count = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < here; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      if (count < kReplyFds)
        fds[count] = fd;
      else
        close(fd);
      ++count;
    }
  }
  return count;
}

static bricks_result receive_reply(const struct asking *a, int connection,
                                   struct bricks_attach_reply *reply, int fds[kReplyFds]) {
  const int64_t left = a->patient ? left_ms(a) : kAnswerMs;
  struct pollfd ready = {.fd = connection, .events = POLLIN};
  const int n = poll(&ready, 1, left >= INT32_MAX ? -1 : (int)left);
  if (n < 0) {
    return refuse(a, errno == EINTR ? BRICKS_INTERRUPTED : BRICKS_FAILED, "waiting for %s: %s",
                  a->name, strerror(errno));
  }
  if (n == 0 && !a->patient) {
    return refuse(a, BRICKS_UNREACHABLE, "the daemon at %s does not answer; is it stopped?",
                  a->address.sun_path);
  }
  if (n == 0) {
    return refuse(a, BRICKS_TIMEOUT,
                  "no pipe '%s' came in time; `bricks status` lists those there "
                  "are",
                  a->name);
  }
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(kReplyFdsMax * sizeof(int))];
  } control;
  struct iovec part = {.iov_base = reply, .iov_len = sizeof *reply};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  ssize_t got;
  do got = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got <= 0) {
    return refuse(a, BRICKS_UNREACHABLE, "the daemon at %s went away; try again",
                  a->address.sun_path);
  }
  uint32_t count = take_fds(&message, fds);
  const bool whole =
      got == (ssize_t)sizeof *reply && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
  const bool sane = whole && reply->magic == BRICKS_PIPE_MAGIC &&
                    reply->version == BRICKS_PIPE_VERSION &&
                    count == (reply->code == 0 ? kReplyFds : 0);
  if (sane) {
    reply->message[sizeof reply->message - 1] = 0;
    return BRICKS_OK;
  }
  for (uint32_t i = 0; i < count && i < kReplyFds; ++i) close(fds[i]);
  for (uint32_t i = 0; i < kReplyFds; ++i) fds[i] = -1;
  return refuse(a, BRICKS_FAILED,
                "what answers at %s speaks another protocol; are daemon and "
                "libbricks of one version?",
                a->address.sun_path);
}

/* Maps and checks what the daemon handed over; the fds are the consumer's already. */
static bricks_result map_pipe(const struct asking *a, bricks_consumer *c, int memory,
                              const struct bricks_attach_reply *reply) {
  struct stat status;
  const int seals = fcntl(memory, F_GET_SEALS);
  if (fstat(memory, &status) != 0 || seals < 0 || !(seals & F_SEAL_SHRINK) ||
      reply->region_bytes == 0 || reply->region_bytes > (uint64_t)status.st_size) {
    return refuse(a, BRICKS_FAILED,
                  "the memory of %s is not as large, or as firm, as the daemon "
                  "says; are daemon and libbricks of one version?",
                  a->name);
  }
  void *region = mmap(NULL, reply->region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (region == MAP_FAILED) {
    return refuse(a, BRICKS_FAILED, "cannot map the memory of %s: %s", a->name, strerror(errno));
  }
  c->region = region;
  c->region_bytes = reply->region_bytes;
  const char *fault =
      bricks_reader_open(&c->reader, c->region, c->region_bytes, reply->pipe_offset);
  if (fault) return refuse(a, BRICKS_FAILED, "%s cannot be read: %s", a->name, fault);
  return BRICKS_OK;
}

static bricks_result make_pollable(const struct asking *a, bricks_consumer *c) {
  const int flags = fcntl(c->data_event, F_GETFL);
  const int space = fcntl(c->space_event, F_GETFL);
  fcntl(c->data_event, F_SETFL, flags | O_NONBLOCK);
  fcntl(c->space_event, F_SETFL, space | O_NONBLOCK);
  struct epoll_event data = {.events = EPOLLIN, .data.fd = c->data_event};
  struct epoll_event connection = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = c->connection};
  c->poll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (flags < 0 || space < 0 || c->poll_fd < 0 ||
      epoll_ctl(c->poll_fd, EPOLL_CTL_ADD, c->data_event, &data) != 0 ||
      epoll_ctl(c->poll_fd, EPOLL_CTL_ADD, c->connection, &connection) != 0) {
    return refuse(a, BRICKS_FAILED, "cannot watch %s: %s", a->name, strerror(errno));
  }
  return BRICKS_OK;
}

static bricks_result take_end(const struct asking *a, bricks_consumer *c) {
  struct bricks_attach_reply reply;
  int fds[kReplyFds] = {-1, -1, -1};
  bricks_result result = reach(a, &c->connection);
  if (result == BRICKS_OK) result = send_request(a, c->connection);
  if (result == BRICKS_OK) result = receive_reply(a, c->connection, &reply, fds);
  if (result == BRICKS_OK && reply.code != 0) {
    const bool known = reply.code == BRICKS_PERMISSION || reply.code == BRICKS_NOT_FOUND ||
                       reply.code == BRICKS_BUSY || reply.code == BRICKS_INVALID;
    return refuse(a, known ? (bricks_result)reply.code : BRICKS_FAILED, "%s", reply.message);
  }
  if (result != BRICKS_OK) return result;
  c->data_event = fds[1];
  c->space_event = fds[2];
  result = map_pipe(a, c, fds[0], &reply);
  close(fds[0]);
  if (result == BRICKS_OK) result = make_pollable(a, c);
  return result;
}

bricks_result bricks_attach(bricks_consumer **consumer, const char *name,
                            const bricks_options *options, char *why, size_t why_size) {
  static const bricks_options kDefaults;
  if (!options) options = &kDefaults;
  struct asking a = {.why = why, .why_size = why_size, .patient = options->timeout_ms != 0};
  a.deadline_ms = options->timeout_ms < 0 ? -1 : now_ms() + options->timeout_ms;
  *consumer = NULL;
  bricks_result result = check_name(&a, name);
  if (result == BRICKS_OK) result = find_socket(&a, options->run_dir);
  if (result != BRICKS_OK) return result;

  bricks_consumer *c = calloc(1, sizeof *c);
  if (!c) return refuse(&a, BRICKS_FAILED, "no memory for a consumer of %s", a.name);
  c->connection = c->data_event = c->space_event = c->poll_fd = -1;
  c->follow = options->follow != 0;
  c->busy_poll = options->busy_poll != 0;
  const uint32_t spin_us = options->spin_us ? options->spin_us : 50;
  /* with one processor, spinning only keeps the engine from running */
  c->spin_ns = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? (uint64_t)spin_us * 1000 : 0;
  memcpy(c->name, a.name, strlen(a.name));
  result = take_end(&a, c);
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

void bricks_detach(bricks_consumer *consumer) {
  bricks_consumer *c = consumer;
  if (!c) return;
  if (c->reader.ring) {
    bricks_reader_disarm(&c->reader);
    __atomic_store_n(&c->reader.pipe->consumer_beat, 0, __ATOMIC_RELAXED);
    if (!c->reader.broken && bricks_reader_give_back(&c->reader)) {
      const uint64_t one = 1;
      const ssize_t written = write(c->space_event, &one, sizeof one);
      (void)written; /* a full counter has told the engine often enough */
    }
  }
  if (c->region) munmap(c->region, c->region_bytes);
  const int fds[] = {c->poll_fd, c->data_event, c->space_event, c->connection};
  for (size_t i = 0; i < sizeof fds / sizeof fds[0]; ++i) {
    if (fds[i] >= 0) close(fds[i]);
  }
  free(c);
}
