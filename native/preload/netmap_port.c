/* libbricks-netmap: the table of descriptors, and what all parts need. */
#include "preload/netmap_port.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "preload/netmap_wait.h"

static struct netmap_port *table[kNetmapFdsMax]; /* read without the lock */
/* Used again, never freed: who has read the table a moment too early sees that nobody holds it. */
static struct netmap_port *ports; /* under netmap_lock() */
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

/* Under netmap_lock(): nobody holds it. */
static void end_port(struct netmap_port *port) {
  netmap_port_detach(port);
  REAL(close)(port->poll_fd);
  port->poll_fd = -1;
}

static void after_fork(void) { /* the mutex is held by a thread that is not in this process */
  owner = getpid();
  ++netmap_forks;
  make_mutex();
  for (struct netmap_port *port = ports; port; port = port->next) {
    port->holds = port->references; /* and not by calls of such threads */
    if (port->references == 0 && port->poll_fd >= 0) end_port(port);
  }
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

struct netmap_port *netmap_hold(int fd) {
  for (;;) {
    struct netmap_port *port = netmap_port_of(fd);
    uint32_t holds = port ? __atomic_load_n(&port->holds, __ATOMIC_RELAXED) : 0;
    if (!port) return NULL;
    while (holds && !__atomic_compare_exchange_n(&port->holds, &holds, holds + 1, true,
                                                 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    }
    if (holds == 0) continue; /* the table has another by now, or none */
    if (netmap_port_of(fd) == port) return port;
    netmap_let_go(port, netmap_forks);
  }
}

void netmap_let_go(struct netmap_port *port, uint32_t forks) {
  if (forks != netmap_forks || __atomic_sub_fetch(&port->holds, 1, __ATOMIC_ACQ_REL) != 0) return;
  const int error = errno;
  netmap_lock();
  end_port(port);
  netmap_unlock();
  errno = error;
}

void netmap_adopt(int fd, struct netmap_port *port) {
  netmap_lock();
  ++port->references;
  __atomic_add_fetch(&port->holds, 1, __ATOMIC_ACQ_REL);
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
    --port->references;
  }
  netmap_unlock();
  if (port) netmap_let_go(port, netmap_forks);
}

/* One that nobody holds, or a new one. A hold of it is refused until it is adopted. */
static struct netmap_port *unused_port(void) {
  struct netmap_port *port = ports;
  while (port && (__atomic_load_n(&port->holds, __ATOMIC_ACQUIRE) || port->poll_fd >= 0)) {
    port = port->next;
  }
  if (!port) {
    port = calloc(1, sizeof *port);
    if (!port) return NULL;
    port->next = ports;
    ports = port;
  }
  const size_t kept = offsetof(struct netmap_port, references);
  memset((uint8_t *)port + kept, 0, sizeof *port - kept);
  port->poll_fd = -1;
  port->connection = port->memory = -1;
  port->tx_data = port->tx_space = port->rx_data = port->rx_space = -1;
  port->feed.end = kNoEnd;
  return port;
}

/* The program's descriptor; -1 and errno. */
static int open_port(struct netmap_port *port, int flags) {
  const int fd = REAL(epoll_create1)(flags & O_CLOEXEC ? EPOLL_CLOEXEC : 0);
  if (fd < 0) return -1;
  port->poll_fd = fd < kNetmapFdsMax ? REAL(fcntl)(fd, F_DUPFD_CLOEXEC, 0) : -1;
  if (port->poll_fd >= 0) {
    netmap_adopt(fd, port);
    return fd;
  }
  const int error = fd < kNetmapFdsMax ? errno : EMFILE;
  REAL(close)(fd);
  errno = error;
  return -1;
}

int netmap_open_device(int flags) {
  netmap_lock();
  struct netmap_port *port = unused_port();
  const int fd = port ? open_port(port, flags) : -1;
  const int error = port ? errno : ENOMEM;
  netmap_unlock();
  errno = error;
  return fd;
}
