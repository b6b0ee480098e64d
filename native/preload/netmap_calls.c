/* libbricks-netmap: calls that make descriptors, copy them, ask something of them, and close them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "preload/netmap_port.h"

static bool is_device(const char *path) { return path && strcmp(path, NETMAP_DEVICE) == 0; }

/* A number that comes anew was closed where we did not see it. */
static int fresh(int fd) {
  if (netmap_known(fd) && !netmap_in_vfork()) {
    const int error = errno;
    netmap_forget(fd);
    errno = error;
  }
  return fd;
}

static mode_t mode_of(int flags, va_list arguments) {
  return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                         \
  EXPORT int name(const char *path, int flags, ...) {      \
    va_list arguments;                                     \
    va_start(arguments, flags);                            \
    const mode_t mode = mode_of(flags, arguments);         \
    va_end(arguments);                                     \
    if (is_device(path)) return netmap_open_device(flags); \
    return fresh(REAL(name)(path, flags, mode));           \
  }
#define OPENAT(name)                                              \
  EXPORT int name(int folder, const char *path, int flags, ...) { \
    va_list arguments;                                            \
    va_start(arguments, flags);                                   \
    const mode_t mode = mode_of(flags, arguments);                \
    va_end(arguments);                                            \
    if (is_device(path)) return netmap_open_device(flags);        \
    return fresh(REAL(name)(folder, path, flags, mode));          \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

/* What the compiler makes of the above with _FORTIFY_SOURCE. */
EXPORT int __open_2(const char *path, int flags) { return open(path, flags); }
EXPORT int __open64_2(const char *path, int flags) { return open64(path, flags); }
EXPORT int __openat_2(int folder, const char *path, int flags) {
  return openat(folder, path, flags);
}
EXPORT int __openat64_2(int folder, const char *path, int flags) {
  return openat64(folder, path, flags);
}

EXPORT int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  const uint32_t forks = netmap_forks;
  struct netmap_port *port = netmap_hold(fd);
  if (!port) return REAL(ioctl)(fd, request, argument);
  const int result = netmap_request(port, (uint32_t)request, argument);
  netmap_let_go(port, forks);
  return result;
}

EXPORT int close(int fd) {
  if (netmap_known(fd) && !netmap_in_vfork()) netmap_forget(fd);
  return REAL(close)(fd);
}

EXPORT int close_range(unsigned first, unsigned last, int flags) {
  const bool closes = !(flags & CLOSE_RANGE_CLOEXEC) && !netmap_in_vfork();
  for (unsigned fd = first; closes && fd <= last && fd < kNetmapFdsMax; ++fd) {
    netmap_forget((int)fd);
  }
  return REAL(close_range)(first, last, flags);
}

EXPORT void closefrom(int first) {
  const bool closes = !netmap_in_vfork();
  for (int fd = first < 0 ? 0 : first; closes && fd < kNetmapFdsMax; ++fd) netmap_forget(fd);
  REAL(closefrom)(first);
}

/* `made` is a duplicate of `fd`. */
static int copied(int fd, int made) {
  const bool concerns = netmap_known(fd) || netmap_known(made);
  if (made < 0 || made == fd || !concerns || netmap_in_vfork()) return made;
  const uint32_t forks = netmap_forks;
  struct netmap_port *port = netmap_hold(fd);
  netmap_forget(made);
  if (!port) return made;
  const bool fits = made < kNetmapFdsMax;
  if (fits) netmap_adopt(made, port);
  if (!fits) REAL(close)(made);
  netmap_let_go(port, forks);
  if (!fits) errno = EMFILE;
  return fits ? made : -1;
}

EXPORT int dup(int fd) { return copied(fd, REAL(dup)(fd)); }
EXPORT int dup2(int fd, int wanted) { return copied(fd, REAL(dup2)(fd, wanted)); }
EXPORT int dup3(int fd, int wanted, int flags) { return copied(fd, REAL(dup3)(fd, wanted, flags)); }

#define FCNTL(name)                                                       \
  EXPORT int name(int fd, int command, ...) {                             \
    va_list arguments;                                                    \
    va_start(arguments, command);                                         \
    void *argument = va_arg(arguments, void *);                           \
    va_end(arguments);                                                    \
    const int result = REAL(name)(fd, command, argument);                 \
    const bool copies = command == F_DUPFD || command == F_DUPFD_CLOEXEC; \
    return copies ? copied(fd, result) : result;                          \
  }
FCNTL(fcntl)
FCNTL(fcntl64)
