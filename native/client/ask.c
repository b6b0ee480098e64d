/* libbricks: one question to the daemon, and its answer, which is checked like everything else that
 * comes from outside. */
#include "client/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "abi/pipe.h"

enum { kReplyFdsMax = 16, kRetryMs = 20, kAnswerMs = 5000 };

bricks_result bricks_refuse(const struct asking *a, bricks_result result, const char *format, ...) {
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

static bricks_result find_socket(struct asking *a, const char *run_dir) {
  const char *middle = "";
  if (!run_dir || !*run_dir) run_dir = getenv("BRICKS_RUN_DIR");
  if (!run_dir || !*run_dir) {
    run_dir = "/run/bricks";
    if (geteuid() != 0) {
      run_dir = getenv("XDG_RUNTIME_DIR");
      middle = "/bricks";
      if (!run_dir || !*run_dir) {
        return bricks_refuse(
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
    return bricks_refuse(a, BRICKS_INVALID,
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
    if (fd < 0) return bricks_refuse(a, BRICKS_FAILED, "cannot make a socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&a->address, sizeof a->address) == 0) {
      *connection = fd;
      return BRICKS_OK;
    }
    const int error = errno;
    close(fd);
    if (error == EACCES || error == EPERM) {
      return bricks_refuse(a, BRICKS_PERMISSION,
                           "%s may not be opened: %s; run as the daemon's user or "
                           "root",
                           a->address.sun_path, strerror(error));
    }
    const int64_t left = left_ms(a);
    if (!a->patient) {
      return bricks_refuse(a, BRICKS_UNREACHABLE,
                           "no daemon answers at %s: %s; start bricks-server, or set "
                           "BRICKS_RUN_DIR to its folder",
                           a->address.sun_path, strerror(error));
    }
    if (left == 0) {
      return bricks_refuse(a, BRICKS_TIMEOUT,
                           "no daemon came to %s in time: %s; start bricks-server, or set "
                           "BRICKS_RUN_DIR to its folder",
                           a->address.sun_path, strerror(error));
    }
    if (poll(NULL, 0, left < kRetryMs ? (int)left : kRetryMs) < 0 && errno == EINTR) {
      return bricks_refuse(a, BRICKS_INTERRUPTED, "interrupted while waiting for the daemon");
    }
  }
}

static bricks_result send_request(const struct asking *a, int connection, const void *request,
                                  size_t size) {
  ssize_t sent;
  do sent = send(connection, request, size, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent == (ssize_t)size) return BRICKS_OK;
  return bricks_refuse(a, BRICKS_UNREACHABLE, "the daemon at %s went away; try again",
                       a->address.sun_path);
}

/* Takes every descriptor out of `message`; those beyond the expected are closed. Returns how many.
 */
static uint32_t take_fds(struct msghdr *message, int *fds, uint32_t expected) {
  uint32_t count = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < here; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      if (count < expected)
        fds[count] = fd;
      else
        close(fd);
      ++count;
    }
  }
  return count;
}

static bricks_result wait_for_reply(const struct asking *a, int connection) {
  const int64_t left = a->patient ? left_ms(a) : kAnswerMs;
  struct pollfd ready = {.fd = connection, .events = POLLIN};
  const int n = poll(&ready, 1, left >= INT32_MAX ? -1 : (int)left);
  if (n < 0) {
    return bricks_refuse(a, errno == EINTR ? BRICKS_INTERRUPTED : BRICKS_FAILED,
                         "waiting for %s: %s", a->name, strerror(errno));
  }
  if (n == 0 && !a->patient) {
    return bricks_refuse(a, BRICKS_UNREACHABLE, "the daemon at %s does not answer; is it stopped?",
                         a->address.sun_path);
  }
  if (n == 0) {
    return bricks_refuse(a, BRICKS_TIMEOUT,
                         "no pipe '%s' came in time; `bricks status` lists those there are",
                         a->name);
  }
  return BRICKS_OK;
}

static bricks_result receive_reply(const struct asking *a, int connection, void *reply, size_t size,
                                   int *fds, uint32_t fd_count) {
  const bricks_result waited = wait_for_reply(a, connection);
  if (waited != BRICKS_OK) return waited;
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(kReplyFdsMax * sizeof(int))];
  } control;
  struct iovec part = {.iov_base = reply, .iov_len = size};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  ssize_t got;
  do got = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got <= 0) {
    return bricks_refuse(a, BRICKS_UNREACHABLE, "the daemon at %s went away; try again",
                         a->address.sun_path);
  }
  const uint32_t count = take_fds(&message, fds, fd_count);
  struct {
    uint64_t magic;
    uint32_t version, code;
  } head;
  memset(&head, 0, sizeof head);
  const bool whole = got == (ssize_t)size && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
  if (whole) memcpy(&head, reply, sizeof head);
  if (whole && head.magic == BRICKS_PIPE_MAGIC && head.version == BRICKS_PIPE_VERSION &&
      count == (head.code == 0 ? fd_count : 0)) {
    return BRICKS_OK;
  }
  for (uint32_t i = 0; i < count && i < fd_count; ++i) close(fds[i]);
  for (uint32_t i = 0; i < fd_count; ++i) fds[i] = -1;
  return bricks_refuse(a, BRICKS_FAILED,
                       "what answers at %s speaks another protocol; are daemon and libbricks of "
                       "one version?",
                       a->address.sun_path);
}

bricks_result bricks_ask_prepare(struct asking *a, const char *run_dir, int64_t timeout_ms,
                                 char *why, size_t why_size) {
  memset(a, 0, sizeof *a);
  a->why = why;
  a->why_size = why_size;
  a->patient = timeout_ms != 0;
  a->deadline_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
  return find_socket(a, run_dir);
}

bricks_result bricks_ask(const struct asking *a, const void *request, size_t request_size,
                         void *reply, size_t reply_size, int *fds, uint32_t fd_count,
                         int *connection) {
  *connection = -1;
  for (uint32_t i = 0; i < fd_count; ++i) fds[i] = -1;
  bricks_result result = reach(a, connection);
  if (result == BRICKS_OK) result = send_request(a, *connection, request, request_size);
  if (result == BRICKS_OK) {
    result = receive_reply(a, *connection, reply, reply_size, fds, fd_count);
  }
  if (result != BRICKS_OK && *connection >= 0) {
    close(*connection);
    *connection = -1;
  }
  return result;
}

bricks_result bricks_ask_again(const struct asking *a, int connection, const void *request,
                               size_t request_size, void *reply, size_t reply_size) {
  const bricks_result result = send_request(a, connection, request, request_size);
  return result == BRICKS_OK ? receive_reply(a, connection, reply, reply_size, NULL, 0) : result;
}

bricks_result bricks_ask_verdict(const struct asking *a, uint32_t code, const char *message) {
  if (code == 0) return BRICKS_OK;
  const bool known = code == BRICKS_PERMISSION || code == BRICKS_NOT_FOUND || code == BRICKS_BUSY ||
                     code == BRICKS_INVALID;
  return bricks_refuse(a, known ? (bricks_result)code : BRICKS_FAILED, "%.*s",
                       (int)(BRICKS_NAME_BYTES * 2 - 1), message);
}

uint8_t *bricks_ask_map(const struct asking *a, int memory, uint64_t bytes) {
  struct stat status;
  const int seals = fcntl(memory, F_GET_SEALS);
  if (fstat(memory, &status) != 0 || seals < 0 || !(seals & F_SEAL_SHRINK) || bytes == 0 ||
      bytes > (uint64_t)status.st_size) {
    bricks_refuse(a, BRICKS_FAILED,
                  "the memory of %s is not as large, or as firm, as the daemon says; are daemon "
                  "and libbricks of one version?",
                  a->name);
    return NULL;
  }
  void *region = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (region != MAP_FAILED) return region;
  bricks_refuse(a, BRICKS_FAILED, "cannot map the memory of %s: %s", a->name, strerror(errno));
  return NULL;
}
