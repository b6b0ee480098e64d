/* Packet IO: devices that packets come from and go to, for C programs, without an engine or a
 * daemon (libbricks-packet-io.so, .a). The calls are Stellar's.
 *
 * One packet_io and all of its devices and packets belong to one thread at a time; a program with
 * several threads makes one for each. Calls that return int give a number, or one of bricks_error
 * (negative); packet_io_error() then says what, where, why, and what to do. */
#ifndef BRICKS_PACKET_IO_H
#define BRICKS_PACKET_IO_H

#include <stddef.h>
#include <stdint.h>

#include "bricks_error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BRICKS_IO_API __attribute__((visibility("default")))

typedef struct packet_io packet_io;
typedef struct packet_io_device packet_io_device;

/* A packet belongs to whoever got it from packet_io_rx or packet_io_make, until packet_io_tx
 * accepts it or packet_io_free frees it; also after its device is closed, but no longer than its
 * packet_io. data has `length` bytes and may be written to; length may be made smaller. */
struct packet {
  uint8_t *data;
  uint32_t length;      /* captured */
  uint32_t wire_length; /* on the wire */
  uint64_t timestamp;   /* nanoseconds since 1970 */
  uint32_t link_type;   /* LINKTYPE_ of pcap: 1 is Ethernet */
  uint32_t owner_;      /* the library's */
};

/* `mode` is one of
 *   pcap-file   names are capture files, pcap or pcapng
 *   pcap-live   network interfaces, opened the best way this machine has
 *   af_packet   network interfaces by AF_PACKET
 *   xdp         network interfaces by AF_XDP
 *   netmap      netmap ports; a machine without its module has none: ENOTSUP at open
 *   pipe        pipes, `x{0` and `x}0`; `config` is the folder where their other ends are had
 *               (bricks cat --run-dir); it must be there
 *   synthetic   as receivers packets made here: "60?flows=100&count=1000"; as senders nothing:
 *               packets are counted and forgotten
 *   vendor      ENOTSUP: there is no vendor's data plane in this build
 * What a name may have after '?' says docs/ports.md. config: 0 but for pipe. packets: how many may
 * be with the caller at a time, 0: 4096. 0 on failure: EINVAL, ENOTSUP, EBUSY, ENOMEM, in *error
 * unless that is 0. */
BRICKS_IO_API packet_io *packet_io_create(const char *mode, const char *config, uint32_t packets,
                                          int *error);
/* Closes all devices and frees all packets. ESTATE: there is none such (any more), nothing is
 * done. */
BRICKS_IO_API int packet_io_destroy(packet_io *io);

typedef enum { PACKET_IO_RX = 1, PACKET_IO_TX = 2 } packet_io_direction;

/* direction: one of them, or both where the name can be both (interfaces, pipes). queue: hardware
 * queue of an interface, -1: all. ENOENT, EPERM, EEXIST (that name, direction and queue are open
 * here), EBUSY (somebody else has it), EINVAL (a name that makes no sense), ENOTSUP, ENOMEM. */
BRICKS_IO_API int packet_io_open_device(packet_io *io, const char *name, int direction, int queue,
                                        packet_io_device **device);
/* Up to n packets that are there now; does not wait. 0: none now, or the caller has as many as may
 * be. EINVAL: n is 0 or less, or the device does not receive; BRICKS_EEOF: a file is at its end, no
 * packet will come; ESTATE: closed, or there is none such (any more). */
BRICKS_IO_API int packet_io_rx(packet_io_device *device, struct packet **packets, int n);
/* Sends; returns how many were accepted, from the first on: those are the library's. The rest is
 * the caller's: there is no room now. A device that loses what it has accepted counts it
 * (packet_io_stats). EINVAL: n is less than 0, a packet is 0 or not the caller's, or the device
 * does not send: nothing is accepted then; ESTATE: closed, or there is none such (any more). */
BRICKS_IO_API int packet_io_tx(packet_io_device *device, struct packet **packets, int n);
/* A packet of the caller's own, of that length (65,535 at most), Ethernet, of all zeros. 0: ENOMEM,
 * EINVAL. */
BRICKS_IO_API struct packet *packet_io_make(packet_io *io, uint32_t length);
/* Back to the library, unsent. 0, or EINVAL where one is 0 or not the caller's: none is freed. */
BRICKS_IO_API int packet_io_free(packet_io *io, struct packet **packets, int n);
/* Readable when packet_io_rx may have something; -1: ask again. The library's. */
BRICKS_IO_API int packet_io_fd(packet_io_device *device);
/* Sends what is on its way, then closes: what cannot be sent within the port's own limits is
 * dropped and counted. Packets the caller has stay his. ESTATE: it is closed already. */
BRICKS_IO_API int packet_io_close(packet_io_device *device);

typedef struct packet_io_counts {
  uint64_t received, received_bytes;
  uint64_t sent, sent_bytes;
  uint64_t waiting;          /* accepted and not yet sent */
  uint64_t receive_dropped;  /* by kernel or port, before packet_io_rx */
  uint64_t transmit_dropped; /* accepted, but not to be sent */
} packet_io_counts;
BRICKS_IO_API int packet_io_stats(packet_io_device *device, packet_io_counts *counts);

/* What went wrong last in this thread; never 0. Valid until the thread's next call. */
BRICKS_IO_API const char *packet_io_error(void);
/* One line on what the device really is; valid until it is closed. */
BRICKS_IO_API const char *packet_io_describe(packet_io_device *device);

#ifdef __cplusplus
}
#endif

#endif
