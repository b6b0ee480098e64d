/* libbricks-netmap: the table of descriptors, and what all parts need. */
#include "preload/netmap_port.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static struct netmap_port *table[kNetmapFdsMax]; /* read without the lock */
static pthread_mutex_t mutex;
static pid_t owner; /* of the tables */
uint32_t netmap_forks;

void *netmap_real(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found) return found;
  fprintf(stderr, "libbricks-netmap: there is no %s in this machine's libc\n", name);
  abort();
}

void netmap_say(const char *format, ...) {
  static char last[1024];
  char text[1024];
  const int error = errno;
  va_list arguments;
  va_start(arguments, format);
  const int n = vsnprintf(text, sizeof text - 1, format, arguments);
  va_end(arguments);
  netmap_lock();
  if (n >= 0 && strcmp(text, last) != 0) { /* programs that try again need not be told again */
    memcpy(last, text, sizeof last);
    dprintf(STDERR_FILENO, "libbricks-netmap: %s\n", text);
  }
  netmap_unlock();
  errno = error;
}

void netmap_lock(void) { pthread_mutex_lock(&mutex); }
void netmap_unlock(void) { pthread_mutex_unlock(&mutex); }

static void make_mutex(void) {
  pthread_mutexattr_t recursive;
  pthread_mutexattr_init(&recursive);
  pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&mutex, &recursive);
  pthread_mutexattr_destroy(&recursive);
}

static void after_fork(void) { /* held by a thread that is not in this process */
  owner = getpid();
  ++netmap_forks;
  make_mutex();
}

/* Also when the system's functions are called before this by other libraries' constructors, which
 * have no ports. */
__attribute__((constructor)) static void begin(void) {
  make_mutex();
  owner = getpid();
  pthread_atfork(netmap_lock, netmap_unlock, after_fork);
}

bool netmap_in_vfork(void) { return getpid() != owner; }

struct netmap_port *netmap_port_of(int fd) {
  if (fd < 0 || fd >= kNetmapFdsMax) return NULL;
  return __atomic_load_n(&table[fd], __ATOMIC_ACQUIRE);
}

void netmap_adopt(int fd, struct netmap_port *port) {
  netmap_lock();
  ++port->references;
  __atomic_store_n(&table[fd], port, __ATOMIC_RELEASE);
  netmap_unlock();
}

bool netmap_known(int fd) { return netmap_port_of(fd) || netmap_epoll_known(fd); }

void netmap_forget(int fd) {
  if (!netmap_known(fd)) return;
  netmap_lock();
  netmap_epoll_forget(fd);
  struct netmap_port *port = netmap_port_of(fd);
  if (port) {
    __atomic_store_n(&table[fd], NULL, __ATOMIC_RELEASE);
    if (--port->references == 0) {
      netmap_port_detach(port);
      free(port);
    } else if (port->poll_fd == fd) { /* a duplicate stands for it now */
      for (int other = 0; other < kNetmapFdsMax; ++other) {
        if (table[other] == port) port->poll_fd = other;
      }
    }
  }
  netmap_unlock();
}

int netmap_open_device(int flags) {
  struct netmap_port *port = calloc(1, sizeof *port);
  const int fd = port ? REAL(epoll_create1)(flags & O_CLOEXEC ? EPOLL_CLOEXEC : 0) : -1;
  if (fd < 0 || fd >= kNetmapFdsMax) {
    const int error = fd >= 0 ? EMFILE : port ? errno : ENOMEM;
    if (fd >= 0) REAL(close)(fd);
    free(port);
    errno = error;
    return -1;
  }
  port->poll_fd = fd;
  port->connection = port->memory = -1;
  port->tx_data = port->tx_space = port->rx_data = port->rx_space = -1;
  port->feed.end = kNoEnd;
  netmap_adopt(fd, port);
  return fd;
}
