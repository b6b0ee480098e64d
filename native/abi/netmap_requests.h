/* What netmap programs ask of /dev/netmap: ioctl numbers and structures of API 14, in our own
 * words; sizes and values are facts of that ABI (sys/net/netmap.h, netmap_legacy.h). */
#ifndef BRICKS_ABI_NETMAP_REQUESTS_H
#define BRICKS_ABI_NETMAP_REQUESTS_H

#include "netmap.h"

#define NETMAP_DEVICE "/dev/netmap"

/* ioctl */
#define NIOCGINFO 0xc03c6991u
#define NIOCREGIF 0xc03c6992u
#define NIOCTXSYNC 0x6994u
#define NIOCRXSYNC 0x6995u
#define NIOCCTRL 0xc0586997u

enum { /* nmreq_header.nr_reqtype */
       NETMAP_REQ_REGISTER = 1,
       NETMAP_REQ_PORT_INFO_GET = 2,
       NETMAP_REQ_PORT_HDR_SET = 6,
       NETMAP_REQ_PORT_HDR_GET = 7,
       NETMAP_REQ_LAST = 15
};

enum { /* how much of a port: nmreq_register.nr_mode, nmreq.nr_flags & NR_REG_MASK */
       NR_REG_DEFAULT = 0,
       NR_REG_ALL_NIC = 1,
       NR_REG_SW = 2,
       NR_REG_NIC_SW = 3,
       NR_REG_ONE_NIC = 4,
       NR_REG_PIPE_MASTER = 5, /* these two in nmreq only */
       NR_REG_PIPE_SLAVE = 6,
       NR_REG_NULL = 7,
       NR_REG_ONE_SW = 8,
       NR_REG_MASK = 0xf
};

enum { /* nr_flags, beside the mode */
       NR_MONITOR_TX = 0x100,
       NR_MONITOR_RX = 0x200,
       NR_ZCOPY_MON = 0x400,
       NR_EXCLUSIVE = 0x800,
       NR_RX_RINGS_ONLY = 0x2000,
       NR_TX_RINGS_ONLY = 0x4000,
       NR_DO_RX_POLL = 0x10000,
       NR_NO_TX_POLL = 0x20000
};

enum { /* nmreq.nr_ringid, beside the ring or pipe number */
       NETMAP_RING_MASK = 0xfff,
       NETMAP_NO_TX_POLL = 0x1000,
       NETMAP_SW_RING = 0x2000,
       NETMAP_HW_RING = 0x4000,
       NETMAP_DO_RX_POLL = 0x8000
};

enum { NETMAP_VNET_HDR_GET = 7 }; /* nmreq.nr_cmd; 0: register */
struct nmreq {                    /* NIOCREGIF, NIOCGINFO: the legacy call */
  char nr_name[16];
  uint32_t nr_version;
  uint32_t nr_offset;  /* out: of the netmap_if in the mapping */
  uint32_t nr_memsize; /* out: bytes that can be mapped */
  uint32_t nr_tx_slots, nr_rx_slots;
  uint16_t nr_tx_rings, nr_rx_rings;
  uint16_t nr_ringid, nr_cmd, nr_arg1;
  uint16_t nr_arg2; /* memory */
  uint32_t nr_arg3; /* extra buffers */
  uint32_t nr_flags;
  uint32_t spare2[1];
};

struct nmreq_header { /* NIOCCTRL */
  uint16_t nr_version;
  uint16_t nr_reqtype;
  uint32_t nr_reserved;
  char nr_name[64];
  uint64_t nr_options; /* struct nmreq_option */
  uint64_t nr_body;    /* by nr_reqtype */
};

struct nmreq_option {
  uint64_t nro_next;
  uint32_t nro_reqtype;
  uint32_t nro_status; /* out: an errno */
  uint64_t nro_size;
};

struct nmreq_register {
  uint64_t nr_offset;
  uint64_t nr_memsize;
  uint32_t nr_tx_slots, nr_rx_slots;
  uint16_t nr_tx_rings, nr_rx_rings;
  uint16_t nr_host_tx_rings, nr_host_rx_rings;
  uint16_t nr_mem_id, nr_ringid;
  uint32_t nr_mode;
  uint32_t nr_extra_bufs;
  uint64_t nr_flags;
};

struct nmreq_port_info_get {
  uint64_t nr_memsize;
  uint32_t nr_tx_slots, nr_rx_slots;
  uint16_t nr_tx_rings, nr_rx_rings;
  uint16_t nr_host_tx_rings, nr_host_rx_rings;
  uint16_t nr_mem_id, pad[3];
};

struct nmreq_port_hdr {
  uint32_t nr_hdr_len;
  uint32_t nr_reserved;
};

BRICKS_NAIL(sizeof(struct nmreq) == 60);
BRICKS_NAIL(sizeof(struct nmreq_header) == 88);
BRICKS_NAIL(sizeof(struct nmreq_register) == 56);
BRICKS_NAIL(sizeof(struct nmreq_port_info_get) == 32);
BRICKS_NAIL(sizeof(struct nmreq_port_hdr) == 8);

#endif
