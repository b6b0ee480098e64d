/* A flow logger: one line of JSON for each session that has ended, with the fields of Zeek's
 * conn.log and the Community ID.
 *
 *   cc -O2 -fPIC -shared -I../../native/abi -o flow_logger.so flow_logger.c
 *   Brick.new("Session", {plugins = {{path = "flow_logger.so", options = {file = "conn.log"}}}}) */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bricks_plugin.h"
#include "bricks_protocols.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58, SCTP = 132 };
enum { LOGGED }; /* figures */

/* What is kept of a session. Index 0 and 1 of pairs: who opened it, and the other side. */
typedef struct flow_log {
  struct flow_log *next; /* of those that are free */
  uint64_t packets[2];
  uint64_t ip_bytes[2];
  uint64_t payload[2];
  uint64_t missed;
  uint64_t last;
  uint32_t next_seq[2]; /* TCP: the sequence number behind all that was sent */
  uint32_t again[2];    /* segments whose bytes had been sent before */
  uint32_t again_at[2]; /* how many of them get another T; 0: next_seq is not known */
  char id[32];          /* Community ID */
  char history[40];     /* each letter once for a direction, but T */
  uint8_t length;       /* of history */
  int8_t reset_by;      /* -1: nobody */
  bool icmp;            /* the next two are known */
  uint8_t icmp_port[2];
} flow_log;

/* One for each worker: no other thread touches it. */
typedef struct {
  const bricks_host *host;
  uint32_t number;
  flow_log *idle;
} logger;

static uint32_t be16(const uint8_t *at) { return at[0] * 256u + at[1]; }
static uint32_t be32(const uint8_t *at) { return be16(at) << 16 | be16(at + 2); }

/* Bytes of the IP packet, as its header says; that of a jumbogram, or of one that a network card
 * was to cut into pieces, does not. */
static uint32_t ip_length(const bricks_packet_view *packet) {
  const uint8_t *header = packet->data + packet->network;
  const uint32_t length = be16(header + (packet->ip_version == 4 ? 2 : 4));
  if (length == 0) return packet->wire_length - packet->network;
  return packet->ip_version == 4 ? length : length + 40;
}

/* In the place of ports: the type, and that of its answer; what has no answer: type and code. */
static void take_icmp(flow_log *flow, const uint8_t *header, uint8_t ip_version) {
  static const uint8_t pairs[2][6][2] = {
      {{8, 0}, {10, 9}, {13, 14}, {15, 16}, {17, 18}, {8, 0}},
      {{128, 129}, {130, 131}, {133, 134}, {135, 136}, {139, 140}, {144, 145}}};
  flow->icmp = true;
  flow->icmp_port[0] = header[0];
  flow->icmp_port[1] = header[1];
  for (int i = 0; i < 6; ++i) {
    const uint8_t *pair = pairs[ip_version == 6][i];
    if (pair[0] == header[0]) flow->icmp_port[1] = pair[1];
    if (pair[1] == header[0]) flow->icmp_port[1] = pair[0];
  }
}

static flow_log *begin(logger *log, const bricks_event *event) {
  flow_log *made = log->idle;
  if (made) log->idle = made->next;
  if (!made) made = malloc(sizeof *made);
  if (!made) return NULL;
  memset(made, 0, sizeof *made);
  made->reset_by = -1;
  made->last = event->packet ? event->packet->timestamp : event->session->flow->first_seen;
  log->host->community_id(event, made->id);
  const bricks_packet_view *packet = event->packet;
  const uint8_t protocol = event->session->protocol;
  if ((protocol == ICMP || protocol == ICMP6) && packet && packet->transport &&
      packet->transport + 2u <= packet->length)
    take_icmp(made, packet->data + packet->transport, event->session->ip_version);
  *event->context = made;
  return made;
}

/* Zeek's letters: capitals are those of whoever opened the session. */
static char cased(char letter, int direction) {
  return (char)(direction ? letter + ('a' - 'A') : letter);
}
static bool said(const flow_log *flow, char letter, int direction) {
  return strchr(flow->history, cased(letter, direction)) != NULL;
}
static void add(flow_log *flow, int direction, char letter) {
  if (flow->length + 1u < sizeof flow->history)
    flow->history[flow->length++] = cased(letter, direction);
}
static void say(flow_log *flow, int direction, char letter) {
  if (!said(flow, letter, direction)) add(flow, direction, letter);
}

/* Bytes that had been sent before: T, at their first time, their tenth, their hundredth ... */
static void see_sequence(flow_log *flow, const bricks_packet_view *packet, int direction,
                         uint32_t payload) {
  const uint8_t flags = packet->tcp_flags;
  if (packet->transport + 8u > packet->length || flags & RST) return;
  const uint32_t next = be32(packet->data + packet->transport + 4) + payload +
                        (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
  uint32_t *at = &flow->again_at[direction];
  if (*at == 0 || (int32_t)(next - flow->next_seq[direction]) > 0) {
    flow->next_seq[direction] = next;
    if (*at == 0) *at = 1;
  } else if (payload > 0 && ++flow->again[direction] == *at) {
    add(flow, direction, 'T');
    *at *= 10;
  }
}

static void see_packet(flow_log *flow, const bricks_packet_view *packet, int direction) {
  flow->last = packet->timestamp;
  if (packet->ip_version == 0) return;
  const uint32_t length = ip_length(packet);
  ++flow->packets[direction];
  flow->ip_bytes[direction] += length;
  uint32_t payload = 0;
  if (packet->payload > packet->network && length > (uint32_t)packet->payload - packet->network)
    payload = length - (packet->payload - packet->network);
  if (packet->protocol != TCP) {
    flow->payload[direction] += payload;
    if (payload > 0 && packet->protocol == UDP) say(flow, direction, 'D');
    return;
  }
  if (packet->transport == 0) return;
  if (direction && flow->length == 0) add(flow, 0, '^'); /* began with its answer */
  const uint8_t flags = packet->tcp_flags;
  if (flags & SYN)
    say(flow, direction, flags & ACK ? 'H' : 'S');
  else if (payload == 0 && !(flags & (FIN | RST)))
    say(flow, direction, 'A');
  if (payload > 0) say(flow, direction, 'D');
  see_sequence(flow, packet, direction, payload);
  if (flags & FIN) say(flow, direction, 'F');
  if (flags & RST) {
    if (flow->reset_by < 0) flow->reset_by = (int8_t)direction;
    say(flow, direction, 'R');
  }
}

/* Zeek's conn_state. */
static const char *state_of(const flow_log *flow, const bricks_session *session) {
  if (session->protocol == UDP) {
    if (flow->packets[0] == 0) return "SHR";
    return flow->packets[1] > 0 ? "SF" : "S0";
  }
  if (session->protocol != TCP) return "OTH";
  const bool answered = said(flow, 'H', 1), reset = flow->reset_by >= 0;
  const bool finished = said(flow, 'F', 0), finished_too = said(flow, 'F', 1);
  if (!said(flow, 'S', 0)) {
    if (!answered) return "OTH";
    if (flow->reset_by == 1) return "RSTRH";
    if (finished && finished_too) return "SF";
    return finished_too ? "SHR" : "OTH";
  }
  if (!answered) {
    if (reset) return flow->reset_by == 1 ? "REJ" : "RSTOS0";
    return finished ? "SH" : "S0";
  }
  if (finished && finished_too) return "SF";
  if (reset) return flow->reset_by == 1 ? "RSTR" : "RSTO";
  if (finished) return "S2";
  return finished_too ? "S3" : "S1";
}

static const char *protocol_name(uint8_t protocol, char number[4]) {
  switch (protocol) {
    case ICMP:
    case ICMP6:
      return "icmp";
    case TCP:
      return "tcp";
    case UDP:
      return "udp";
    case SCTP:
      return "sctp";
    default:
      snprintf(number, 4, "%u", protocol);
      return number;
  }
}

static const char *service_name(uint16_t application) {
  static const char *const names[BRICKS_PROTOCOL_COUNT] = {
      [BRICKS_PROTOCOL_DNS] = "dns",   [BRICKS_PROTOCOL_HTTP] = "http",
      [BRICKS_PROTOCOL_TLS] = "tls",   [BRICKS_PROTOCOL_QUIC] = "quic",
      [BRICKS_PROTOCOL_SSH] = "ssh",   [BRICKS_PROTOCOL_SIP] = "sip",
      [BRICKS_PROTOCOL_RTP] = "rtp",   [BRICKS_PROTOCOL_FTP] = "ftp",
      [BRICKS_PROTOCOL_DHCP] = "dhcp", [BRICKS_PROTOCOL_NTP] = "ntp"};
  return application < BRICKS_PROTOCOL_COUNT ? names[application] : NULL;
}

static const char *reason_name(uint16_t reason) {
  static const char *const names[] = {"none",
                                      "fin",
                                      "rst",
                                      "timeout_opening",
                                      "timeout_active",
                                      "timeout_closing",
                                      "evicted_lru",
                                      "evicted_memcap",
                                      "reused_tuple",
                                      "plugin_kill",
                                      "poisoned",
                                      "admin",
                                      "shutdown",
                                      "eof",
                                      "parent"};
  return reason < sizeof names / sizeof names[0] ? names[reason] : "unknown";
}

static double seconds(uint64_t nanoseconds) { return (double)nanoseconds / 1e9; }

static void write_line(const logger *log, const bricks_event *event, const flow_log *flow) {
  typedef unsigned long long number;
  const bricks_session *session = event->session;
  const int family = session->ip_version == 4 ? AF_INET : AF_INET6;
  char line[1024], address[2][INET6_ADDRSTRLEN] = {"", ""}, protocol[4], service[32] = "";
  if (session->ip_version != 0)
    for (int side = 0; side < 2; ++side)
      inet_ntop(family, session->flow->address[side], address[side], sizeof address[side]);
  if (service_name(session->flow->application))
    snprintf(service, sizeof service, "\"service\":\"%s\",",
             service_name(session->flow->application));
  const uint64_t first = session->flow->first_seen;
  const int length = snprintf(
      line, sizeof line,
      "{\"ts\":%.6f,\"uid\":\"%llu\",\"id.orig_h\":\"%s\",\"id.orig_p\":%u,\"id.resp_h\":\"%s\","
      "\"id.resp_p\":%u,\"proto\":\"%s\",%s\"duration\":%.6f,\"orig_bytes\":%llu,"
      "\"resp_bytes\":%llu,\"conn_state\":\"%s\",\"missed_bytes\":%llu,\"history\":\"%s\","
      "\"orig_pkts\":%llu,\"orig_ip_bytes\":%llu,\"resp_pkts\":%llu,\"resp_ip_bytes\":%llu,"
      "\"community_id\":\"%s\",\"close_reason\":\"%s\"}",
      seconds(first), (number)session->flow->id, address[0],
      flow->icmp ? flow->icmp_port[0] : ntohs(session->flow->port[0]), address[1],
      flow->icmp ? flow->icmp_port[1] : ntohs(session->flow->port[1]),
      protocol_name(session->protocol, protocol), service,
      flow->last > first ? seconds(flow->last - first) : 0.0, (number)flow->payload[0],
      (number)flow->payload[1], state_of(flow, session), (number)flow->missed, flow->history,
      (number)flow->packets[0], (number)flow->ip_bytes[0], (number)flow->packets[1],
      (number)flow->ip_bytes[1], flow->id, reason_name(event->reason));
  if (log->host->emit(log->number, line, (size_t)length) == 0)
    log->host->add_figure(log->number, LOGGED, 1);
}

static void free_flow(void *state, void *context) {
  logger *log = state;
  flow_log *done = context;
  done->next = log->idle;
  log->idle = done;
}

static int handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  logger *log = state;
  for (*at = 0; *at < count; ++*at) {
    const bricks_event *event = &events[*at];
    const int direction = event->direction & 1;
    flow_log *flow = *event->context;
    if (!flow && event->type != BRICKS_EVENT_CLOSING) flow = begin(log, event);
    if (!flow) continue;
    switch (event->type) {
      case BRICKS_EVENT_PACKET: /* an ICMP error about it is no packet of it */
        if (event->packet->protocol == event->session->protocol)
          see_packet(flow, event->packet, direction);
        break;
      case BRICKS_EVENT_PAYLOAD: /* of the streams: what is sent twice counts once */
        flow->payload[direction] = event->offset + event->length;
        break;
      case BRICKS_EVENT_GAP:
        if (event->reason == BRICKS_GAP_DEPTH || event->reason == BRICKS_GAP_MIDSTREAM) break;
        flow->missed += event->length;
        flow->payload[direction] = event->offset + event->length;
        break;
      case BRICKS_EVENT_CLOSING:
        write_line(log, event, flow);
        *event->context = NULL;
        free_flow(log, flow);
        break;
      default:
        break;
    }
  }
  return 0;
}

static int init(const bricks_start *start, void **plugin) {
  logger *made = calloc(1, sizeof *made);
  if (!made) return -1;
  made->host = start->host;
  made->number = start->plugin;
  *plugin = made;
  return 0;
}

static int worker_init(void *plugin, uint32_t worker, void **state) {
  (void)worker;
  logger *made = malloc(sizeof *made);
  if (!made) return -1;
  *made = *(logger *)plugin;
  *state = made;
  return 0;
}

static void worker_exit(void *state) {
  logger *log = state;
  for (flow_log *next; log->idle; log->idle = next) {
    next = log->idle->next;
    free(log->idle);
  }
  free(log);
}

static const bricks_option options[] = {
    {"file", "where the lines go", 's', NULL},
    {NULL, NULL, 0, NULL},
};
static const char *const figures[] = {"logged", NULL};

const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  static const bricks_plugin plugin = {
      .abi = BRICKS_PLUGIN_ABI,
      .size = sizeof(bricks_plugin),
      .name = "flow_logger",
      .summary = "a line of JSON for each session: the fields of Zeek's conn.log",
      .events = BRICKS_ON(BRICKS_EVENT_OPENING) | BRICKS_ON(BRICKS_EVENT_PACKET) |
                BRICKS_ON(BRICKS_EVENT_PAYLOAD) | BRICKS_ON(BRICKS_EVENT_GAP) |
                BRICKS_ON(BRICKS_EVENT_CLOSING),
      .options = options,
      .figures = figures,
      .init = init,
      .worker_init = worker_init,
      .handle = handle,
      .free_context = free_flow,
      .worker_exit = worker_exit,
      .exit = free,
  };
  return abi == BRICKS_PLUGIN_ABI ? &plugin : NULL;
}
