/* What bricks' decoders read out of a session's payload: one record for each message, as plugins of
 * every language get them.
 *
 * - All numbers are in host byte order. Times and lengths say their unit.
 * - A bricks_text points into the packet or into memory of the decoder: it is valid during the call
 *   that brought it, ends with no NUL, and is what the sender wrote: any bytes. An absent one has
 *   length 0. Arrays are likewise.
 * - Nothing of what a sender says is believed beyond its shape: a record is complete and in bounds,
 *   its contents may lie.
 * - New fields are added at the end of a struct, new kinds and protocols at the end of their enum.
 *
 * Between the two lines "cdef" is plain C without preprocessor: LuaJIT's ffi.cdef takes it as it
 * is, once uint8_t and so on are known, which it has built in. */
#ifndef BRICKS_PROTOCOLS_H
#define BRICKS_PROTOCOLS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cdef begin */
/* What a session speaks. The names of these, in small letters, are what Filter and LoadBalancer
 * match: "dns", "http", ... */
enum bricks_protocol {
  BRICKS_PROTOCOL_UNKNOWN = 0, /* not known, not yet or not at all */
  BRICKS_PROTOCOL_DNS = 1,     /* RFC 1035, also over TCP, multicast (5353) and LLMNR (5355) */
  BRICKS_PROTOCOL_HTTP = 2,    /* HTTP/1.0 and 1.1: RFC 9112 */
  BRICKS_PROTOCOL_TLS = 3,     /* RFC 8446 and those before it, from SSL 3.0 on; over TCP */
  BRICKS_PROTOCOL_QUIC = 4,    /* versions 1 and 2: RFC 9000, RFC 9369 */
  BRICKS_PROTOCOL_SSH = 5,     /* RFC 4253 */
  BRICKS_PROTOCOL_SIP = 6,     /* RFC 3261, over UDP and TCP */
  BRICKS_PROTOCOL_RTP = 7,     /* RFC 3550, RTP and RTCP */
  BRICKS_PROTOCOL_FTP = 8,     /* the control connection: RFC 959, RFC 2428 */
  BRICKS_PROTOCOL_DHCP = 9,    /* RFC 2131 (IPv4) and RFC 8415 (IPv6) */
  BRICKS_PROTOCOL_NTP = 10,    /* versions 1 to 4: RFC 5905 */
  BRICKS_PROTOCOL_COUNT = 11
};

/* Which struct a record is. */
enum bricks_record {
  BRICKS_RECORD_DNS = 1,          /* bricks_dns */
  BRICKS_RECORD_HTTP_REQUEST = 2, /* bricks_http: the head is complete */
  BRICKS_RECORD_HTTP_RESPONSE = 3,
  BRICKS_RECORD_HTTP_BODY = 4,        /* bricks_http_body: a piece */
  BRICKS_RECORD_HTTP_END = 5,         /* bricks_http_body: the message is complete */
  BRICKS_RECORD_TLS_CLIENT_HELLO = 6, /* bricks_tls_client_hello; of QUIC sessions, too */
  BRICKS_RECORD_TLS_SERVER_HELLO = 7, /* bricks_tls_server_hello */
  BRICKS_RECORD_QUIC_INITIAL = 8,     /* bricks_quic_initial: the client's first one */
  BRICKS_RECORD_SSH_BANNER = 9,       /* bricks_ssh_banner */
  BRICKS_RECORD_SSH_KEXINIT = 10,     /* bricks_ssh_kexinit */
  BRICKS_RECORD_SIP_REQUEST = 11,     /* bricks_sip */
  BRICKS_RECORD_SIP_RESPONSE = 12,
  BRICKS_RECORD_RTP = 13,         /* bricks_rtp */
  BRICKS_RECORD_RTCP = 14,        /* bricks_rtcp: one for each packet of a compound one */
  BRICKS_RECORD_FTP_COMMAND = 15, /* bricks_ftp */
  BRICKS_RECORD_FTP_REPLY = 16,
  BRICKS_RECORD_DHCP4 = 17, /* bricks_dhcp4 */
  BRICKS_RECORD_DHCP6 = 18, /* bricks_dhcp6 */
  BRICKS_RECORD_NTP = 19,   /* bricks_ntp */
  BRICKS_RECORD_COUNT = 20
};

/* How many a record holds at most; more are counted in its `..._total`. */
enum {
  BRICKS_DNS_RECORDS_MAX = 64,
  BRICKS_HTTP_HEADERS_MAX = 64,
  BRICKS_TLS_LIST_MAX = 1024, /* ciphers, extensions; of ALPN, versions, ...: 32 */
  BRICKS_TLS_SHORT_MAX = 32
};

struct bricks_text {
  const char* data;
  uint32_t length; /* bytes */
  uint32_t zero;
};

/* A name as text: labels with dots between and none at the end, the root is "."; bytes that are not
 * printable, and dots and backslashes in labels, as \DDD (RFC 4343). */
struct bricks_dns_record {
  struct bricks_text name;
  struct bricks_text data;   /* as on the wire */
  struct bricks_text target; /* CNAME, NS, PTR, DNAME, MX, SRV, SOA (primary): the name in it */
  uint32_t ttl;              /* seconds */
  uint16_t type, class_;
  uint16_t preference; /* MX; of SRV the priority */
  uint16_t port;       /* SRV */
  uint8_t section;     /* 0 answer, 1 authority, 2 additional */
  uint8_t zero[3];
};

struct bricks_dns {
  uint16_t id;
  uint16_t flags;   /* the header's second word */
  uint8_t response; /* 1: QR is set */
  uint8_t opcode;
  uint16_t rcode;                                        /* with EDNS' upper bits */
  uint16_t questions, answers, authorities, additionals; /* as the header says */
  struct bricks_text name;                               /* of the first question */
  uint16_t type, class_;                                 /* likewise */
  uint8_t edns;                                          /* 1: there is an OPT record */
  uint8_t edns_version;
  uint16_t edns_flags;    /* 0x8000: DO */
  uint16_t edns_size;     /* bytes of UDP that the sender can take */
  uint8_t malformed;      /* 1: the records end in nonsense; those given are before it */
  uint8_t truncated;      /* 1: TC */
  uint32_t records_total; /* that made sense, without OPT */
  uint32_t records_count; /* of those, in `records` */
  const struct bricks_dns_record* records;
};

struct bricks_http_header {
  struct bricks_text name, value; /* as sent */
};

struct bricks_http {
  uint8_t major, minor;
  uint16_t status;                                           /* responses */
  struct bricks_text method, target;                         /* requests; the target as sent */
  struct bricks_text reason;                                 /* responses */
  struct bricks_text host, user_agent, content_type, server; /* of the headers, the first such */
  int64_t content_length;                                    /* bytes; -1: not said */
  uint8_t chunked, keep_alive, upgrade;
  uint8_t cut; /* 1: a header, or a part of one, had no room */
  uint32_t headers_count;
  uint32_t headers_total;
  const struct bricks_http_header* headers;
};

struct bricks_http_body {
  struct bricks_text bytes; /* the piece; without chunks' framing; still encoded as sent */
  uint64_t offset;          /* of the piece in the body; at the end: how long it was */
  uint8_t complete;         /* at the end. 0: bytes are missing, or the connection ended before */
  uint8_t zero[7];
};

/* Lists are in the order sent; GREASE (RFC 8701) is in them, but not in ja4. */
struct bricks_tls_client_hello {
  uint16_t record_version; /* 0 in QUIC */
  uint16_t legacy_version; /* of the handshake */
  uint16_t version;        /* the highest offered: 0x0304 is TLS 1.3 */
  uint8_t quic;            /* 1: it came by QUIC */
  uint8_t ech;             /* 1: encrypted_client_hello: real or GREASE, nobody can tell */
  uint8_t random[32];
  struct bricks_text session_id;
  struct bricks_text server_name; /* SNI's host name */
  uint32_t ciphers_count, extensions_count, alpn_count, versions_count, groups_count,
      signature_algorithms_count;
  uint32_t ciphers_total, extensions_total;
  const uint16_t* ciphers;
  const uint16_t* extensions;
  const struct bricks_text* alpn;
  const uint16_t* versions;
  const uint16_t* groups;
  const uint16_t* signature_algorithms;
  char ja4[40]; /* FoxIO's JA4, 36 characters and NULs; empty: a list was too long */
};

struct bricks_tls_server_hello {
  uint16_t record_version;
  uint16_t legacy_version;
  uint16_t version; /* chosen */
  uint16_t cipher;  /* chosen */
  uint8_t random[32];
  struct bricks_text session_id;
  struct bricks_text alpn; /* chosen; TLS 1.3 does not show it */
  uint16_t group;          /* of the key share; 0: none */
  uint8_t retry;           /* 1: HelloRetryRequest */
  uint8_t zero[5];
  uint32_t extensions_count;
  uint32_t extensions_total;
  const uint16_t* extensions;
};

struct bricks_quic_initial {
  uint32_t version; /* 1, or 0x6b3343cf: version 2 */
  uint32_t zero;
  uint64_t packet_number;
  struct bricks_text destination_id, source_id, token;
};

struct bricks_ssh_banner {
  struct bricks_text protocol; /* "2.0" */
  struct bricks_text software; /* "OpenSSH_9.2p1" */
  struct bricks_text comment;  /* what follows a blank */
};

/* Lists of names with commas between, as sent. */
struct bricks_ssh_kexinit {
  uint8_t cookie[16];
  struct bricks_text key_exchange, host_keys;
  struct bricks_text ciphers_to_server, ciphers_to_client;
  struct bricks_text macs_to_server, macs_to_client;
  struct bricks_text compression_to_server, compression_to_client;
  uint8_t first_follows;
  uint8_t zero[7];
};

struct bricks_sip {
  struct bricks_text method, uri; /* requests */
  struct bricks_text reason;      /* responses */
  uint16_t status;
  uint16_t zero;
  uint32_t sequence;              /* CSeq's number ... */
  struct bricks_text cseq_method; /* ... and method */
  struct bricks_text call_id, from, to, contact, via, user_agent, content_type; /* first of each */
  int64_t content_length;  /* bytes; -1: not said */
  struct bricks_text body; /* what of it is there */
};

struct bricks_rtp {
  uint8_t padding, marker, payload_type, sources; /* sources: CSRCs */
  uint16_t sequence;
  uint16_t extension; /* the header extension's profile; 0: none */
  uint32_t timestamp; /* in the payload type's clock */
  uint32_t source;    /* SSRC */
  struct bricks_text payload;
};

struct bricks_rtcp {
  uint8_t type;  /* 200 SR, 201 RR, 202 SDES, 203 BYE, 204 APP, 205 RTPFB, 206 PSFB, 207 XR */
  uint8_t count; /* reports, or the format */
  uint16_t zero;
  uint32_t source;         /* SSRC of the sender */
  uint64_t ntp_time;       /* SR: seconds since 1900 in the upper half */
  uint32_t timestamp;      /* SR */
  uint32_t packets, bytes; /* SR: that the sender has sent */
  uint32_t zero2;
  struct bricks_text canonical_name; /* SDES: CNAME of the first source */
};

struct bricks_ftp {
  struct bricks_text command; /* "USER"; as sent */
  struct bricks_text text;    /* the argument, or what follows a reply's code on its last line */
  uint16_t code;              /* replies */
  uint16_t port;              /* PORT, EPRT, 227, 229: of the data connection; 0: none */
  uint8_t ip_version;         /* 4, 6, or 0: no address is said */
  uint8_t zero[3];
  uint8_t address[16]; /* of the data connection, as on the wire; IPv4 in the first four */
};

struct bricks_dhcp4 {
  uint8_t reply; /* 0: to the server (op 1), 1: from it (op 2) */
  uint8_t type;  /* option 53: 1 DISCOVER ... 8 INFORM; 0: BOOTP */
  uint8_t hardware_type, hardware_length;
  uint32_t transaction;
  uint16_t seconds;
  uint16_t flags; /* 0x8000: broadcast */
  uint8_t hardware_address[16];
  uint8_t client[4], yours[4], server[4], relay[4];       /* ciaddr yiaddr siaddr giaddr */
  uint8_t requested[4], server_id[4], mask[4], router[4]; /* options 50, 54, 1, 3 (the first) */
  uint32_t lease;                                         /* option 51, seconds; 0: not said */
  uint32_t malformed; /* 1: the options end in nonsense; those given are before it */
  struct bricks_text host_name, domain, vendor_class, client_id; /* options 12, 15, 60, 61 */
  struct bricks_text parameters;                                 /* option 55: a byte each */
  struct bricks_text client_fqdn;                                /* option 81: the name */
};

struct bricks_dhcp6 {
  uint8_t type; /* 1 SOLICIT ... 13 RELAY-REPL; of a relayed message: the innermost's */
  uint8_t relays;
  uint8_t addresses_count, malformed;
  uint32_t transaction;
  struct bricks_text client_id, server_id; /* DUIDs */
  struct bricks_text client_fqdn, vendor_class;
  struct bricks_text requested_options; /* two bytes each, as on the wire */
  uint8_t addresses[8][16];             /* of IA_NA and IA_TA */
  uint16_t status;                      /* option 13 at the top; 0: success or absent */
  uint16_t zero[3];
};

/* Times are NTP's: seconds since 1900 in the upper half, 2^-32 seconds in the lower. */
struct bricks_ntp {
  uint8_t leap, version, mode, stratum; /* mode: 1, 2 peers, 3 client, 4 server, 5 broadcast, ... */
  int8_t poll, precision;               /* log2 of seconds */
  uint16_t zero;
  uint32_t root_delay, root_dispersion; /* 2^-16 seconds */
  uint32_t reference_id;
  uint32_t zero2;
  uint64_t reference_time, origin_time, receive_time, transmit_time;
  uint8_t header; /* 1: the fields above are there; modes 6 and 7 have others */
  uint8_t zero3[7];
};
/* cdef end */

#ifdef __cplusplus
}
#endif
#endif
