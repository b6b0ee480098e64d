/* bricks-cat: one readable line per packet, in tcpdump's manner. Every byte read is bounded by what
 * was captured; what is cut short ends in `[cut]`. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/cat.h"

struct line {
  char *text;
  size_t size, used;
};
struct bytes { /* what is left of the packet */
  const uint8_t *at;
  uint32_t left;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int n = vsnprintf(line->text + line->used, line->size - line->used, format, arguments);
  va_end(arguments);
  if (n > 0) line->used += (size_t)n;
  if (line->used >= line->size) line->used = line->size - 1;
}

static uint32_t be16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static uint32_t be32(const uint8_t *p) { return be16(p) << 16 | be16(p + 2); }

static bool skip(struct bytes *b, uint32_t count) {
  if (b->left < count) return false;
  b->at += count;
  b->left -= count;
  return true;
}

static void add_mac(struct line *line, const uint8_t *m) {
  add(line, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void add_tcp_flags(struct line *line, uint32_t flags) {
  static const char kLetters[] = "FSRP.UEW";
  add(line, "Flags [");
  if (!(flags & 0xff)) add(line, "none");
  for (uint32_t i = 0; i < 8; ++i) {
    if (flags & 1u << i) add(line, "%c", kLetters[i]);
  }
  add(line, "]");
}

/* `length`: bytes of payload by the IP header. */
static void add_tcp(struct line *line, struct bytes b, uint32_t length) {
  if (b.left < 20) return add(line, "TCP [cut]");
  const uint32_t header = (b.at[12] >> 4) * 4u;
  add_tcp_flags(line, b.at[13]);
  add(line, ", seq %u, ack %u, win %u, length %u", be32(b.at + 4), be32(b.at + 8), be16(b.at + 14),
      length > header ? length - header : 0);
}

static void add_transport(struct line *line, uint32_t protocol, struct bytes b, uint32_t length) {
  switch (protocol) {
    case 6:
      return add_tcp(line, b, length);
    case 17:
      return add(line, "UDP, length %u", length > 8 ? length - 8 : 0);
    case 132:
      return add(line, "SCTP, length %u", length);
    case 1:
    case 58:
      if (b.left < 2) return add(line, "ICMP [cut]");
      return add(line, "ICMP%s type %u code %u, length %u", protocol == 58 ? "6" : "", b.at[0],
                 b.at[1], length);
    default:
      return add(line, "protocol %u, length %u", protocol, length);
  }
}

static void add_end(struct line *line, int family, const uint8_t *address, const uint8_t *port) {
  char text[INET6_ADDRSTRLEN];
  if (!inet_ntop(family, address, text, sizeof text)) text[0] = 0;
  add(line, "%s", text);
  if (port) add(line, ".%u", be16(port));
}

static void add_ends(struct line *line, int family, const uint8_t *from, const uint8_t *to,
                     uint32_t protocol, struct bytes b) {
  const bool ports = (protocol == 6 || protocol == 17 || protocol == 132) && b.left >= 4;
  add_end(line, family, from, ports ? b.at : NULL);
  add(line, " > ");
  add_end(line, family, to, ports ? b.at + 2 : NULL);
  add(line, ": ");
}

static void add_ip4(struct line *line, struct bytes b) {
  add(line, "IP ");
  if (b.left < 20) return add(line, "[cut]");
  const uint8_t *ip = b.at;
  const uint32_t header = (ip[0] & 15) * 4u, total = be16(ip + 2), fragment = be16(ip + 6);
  const uint32_t length = total > header ? total - header : 0;
  if (header < 20 || !skip(&b, header)) return add(line, "[header cut]");
  const bool later = fragment & 0x1fff;
  if (later) b.left = 0; /* no transport header here */
  add_ends(line, AF_INET, ip + 12, ip + 16, ip[9], b);
  if (later)
    add(line, "fragment of protocol %u at %u, length %u", ip[9], (fragment & 0x1fff) * 8, length);
  else
    add_transport(line, ip[9], b, length);
  if (!later && fragment & 0x2000) add(line, ", first fragment");
}

static void add_ip6(struct line *line, struct bytes b) {
  enum { kExtensionsMax = 16 };
  add(line, "IP6 ");
  if (b.left < 40) return add(line, "[cut]");
  const uint8_t *ip = b.at;
  uint32_t protocol = ip[6], length = be16(ip + 4), offset = 0;
  skip(&b, 40);
  for (int i = 0; i < kExtensionsMax && !offset; ++i) {
    if (protocol != 0 && protocol != 43 && protocol != 44 && protocol != 60) break;
    const uint8_t *extension = b.at;
    if (b.left < 8) break;
    const uint32_t bytes = protocol == 44 ? 8 : (extension[1] + 1u) * 8;
    if (protocol == 44) offset = be16(extension + 2) & 0xfff8;
    protocol = extension[0];
    if (!skip(&b, bytes)) b.left = 0;
    length = length > bytes ? length - bytes : 0;
  }
  if (offset) b.left = 0;
  add_ends(line, AF_INET6, ip + 8, ip + 24, protocol, b);
  if (offset)
    add(line, "fragment of protocol %u at %u, length %u", protocol, offset, length);
  else
    add_transport(line, protocol, b, length);
}

static void add_arp(struct line *line, struct bytes b) {
  if (b.left < 28 || be16(b.at + 2) != 0x0800) return add(line, "ARP, length %u", b.left);
  const bool reply = be16(b.at + 6) == 2;
  add(line, "ARP, ");
  if (!reply) add(line, "who has ");
  add_end(line, AF_INET, b.at + (reply ? 14 : 24), NULL);
  if (reply) {
    add(line, " is at ");
    add_mac(line, b.at + 8);
  } else {
    add(line, ", tell ");
    add_end(line, AF_INET, b.at + 14, NULL);
  }
}

/* `mac`: the Ethernet header, for what is no IP; may be NULL. */
static void add_network(struct line *line, uint32_t type, struct bytes b, const uint8_t *mac) {
  for (int tags = 0; (type == 0x8100 || type == 0x88a8) && tags < 4 && b.left >= 4; ++tags) {
    add(line, "vlan %u, ", be16(b.at) & 0xfff);
    type = be16(b.at + 2);
    skip(&b, 4);
  }
  if (type == 0x0800) return add_ip4(line, b);
  if (type == 0x86dd) return add_ip6(line, b);
  if (type == 0x0806) return add_arp(line, b);
  if (mac) {
    add_mac(line, mac + 6);
    add(line, " > ");
    add_mac(line, mac);
    add(line, ", ");
  }
  add(line, type < 0x0600 ? "802.3 length %u" : "ethertype 0x%04x", type);
  add(line, ", length %u", b.left);
}

static void add_raw(struct line *line, struct bytes b) {
  const uint32_t version = b.left ? b.at[0] >> 4 : 0;
  if (version == 4)
    add_ip4(line, b);
  else if (version == 6)
    add_ip6(line, b);
  else
    add(line, "not IP, length %u", b.left);
}

static void add_packet(struct line *line, uint32_t link_type, struct bytes b) {
  const uint8_t *start = b.at;
  switch (link_type) {
    case 1: /* Ethernet */
      if (!skip(&b, 14)) break;
      return add_network(line, be16(start + 12), b, start);
    case 113: /* Linux cooked */
      if (!skip(&b, 16)) break;
      return add_network(line, be16(start + 14), b, NULL);
    case 276: /* Linux cooked, version 2 */
      if (!skip(&b, 20)) break;
      return add_network(line, be16(start), b, NULL);
    case 0: /* null and loop: an address family that depends on the system; IP says what it is */
    case 108:
      if (!skip(&b, 4)) break;
      return add_raw(line, b);
    case 12:
    case 101:
    case 228:
    case 229:
      return add_raw(line, b);
    default:
      return add(line, "link type %u, length %u", link_type, b.left);
  }
  add(line, "length %u [cut]", b.left);
}

size_t format_line(char *text, size_t size, const bricks_packet *packet) {
  struct line line = {.text = text, .size = size - 1, .used = 0}; /* room for the newline */
  const time_t seconds = (time_t)(packet->timestamp_ns / 1000000000u);
  struct tm local;
  if (localtime_r(&seconds, &local)) {
    add(&line, "%02d:%02d:%02d.%06u ", local.tm_hour, local.tm_min, local.tm_sec,
        (uint32_t)(packet->timestamp_ns % 1000000000u / 1000));
  }
  add_packet(&line, packet->link_type, (struct bytes){packet->data, packet->captured});
  if (packet->captured < packet->wire_length) {
    add(&line, " [%u of %u bytes]", packet->captured, packet->wire_length);
  }
  line.text[line.used++] = '\n';
  return line.used;
}
