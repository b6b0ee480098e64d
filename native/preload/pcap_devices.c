/* libbricks-pcap: pipes among the devices. */
#include <dlfcn.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "preload/pcap_handle.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int pcap_lookupnet(const char *device, bpf_u_int32 *net, bpf_u_int32 *mask, char *errbuf) {
  if (!pcap_pipe_name(device)) return REAL(pcap_lookupnet)(device, net, mask, errbuf);
  *net = *mask = 0; /* a pipe has no address */
  return 0;
}

/* A device as pcap_freealldevs(3PCAP) frees it: every part from malloc. NULL: no memory. */
static pcap_if_t *device_of(const bricks_listed *row) {
  pcap_if_t *device = calloc(1, sizeof *device);
  if (!device) return NULL;
  const bool copy = row->kind != BRICKS_LISTED_PIPE;
  if (asprintf(&device->name, "bricks:%s", row->name) < 0) device->name = NULL;
  if (asprintf(&device->description, "%s%s", copy ? "a copy: " : "", row->sentence) < 0) {
    device->description = NULL;
  }
  device->flags = PCAP_IF_UP | PCAP_IF_RUNNING | PCAP_IF_CONNECTION_STATUS_NOT_APPLICABLE;
  if (device->name && device->description) return device;
  free(device->name);
  free(device->description);
  free(device);
  return NULL;
}

/* Can it be opened by that name right now? A pipe that somebody reads cannot. */
static bool opens(const bricks_listed *row) {
  if (row->kind == BRICKS_LISTED_PIPE) return row->flags & BRICKS_LISTED_TAKE;
  return row->flags & BRICKS_LISTED_TAP;
}

/* The machine's devices, then what of the daemon can be opened; without a daemon, the machine's. */
EXPORT int pcap_findalldevs(pcap_if_t **devices, char *errbuf) {
  bricks_listed *rows = NULL;
  uint32_t count = 0;
  char why[PCAP_ERRBUF_SIZE];
  const int result = REAL(pcap_findalldevs)(devices, errbuf);
  if (result != 0) return result;
  if (bricks_list(&rows, &count, NULL, why, sizeof why) != BRICKS_OK) return result;
  pcap_if_t **end = devices;
  while (*end) end = &(*end)->next;
  for (uint32_t i = 0; i < count; ++i) {
    if (!opens(&rows[i])) continue;
    *end = device_of(&rows[i]);
    if (!*end) {
      free(rows);
      REAL(pcap_freealldevs)(*devices);
      *devices = NULL;
      snprintf(errbuf, PCAP_ERRBUF_SIZE, "no memory for the list of devices");
      return PCAP_ERROR;
    }
    end = &(*end)->next;
  }
  free(rows);
  return 0;
}

/* argus asks the kernel whether its interface is up before it reads. */
EXPORT int ioctl(int fd, unsigned long request, ...) {
  static int (*next)(int, unsigned long, ...);
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  if (request == SIOCGIFFLAGS && argument) {
    struct ifreq *asked = argument;
    if (strncmp(asked->ifr_name, "bricks:", 7) == 0) {
      asked->ifr_flags = IFF_UP | IFF_RUNNING;
      return 0;
    }
  }
  if (!next) next = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
  return next(fd, request, argument);
}
