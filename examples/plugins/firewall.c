/* A stateful firewall. The first packet of a session is judged by the rules, in order; what they
 * say holds for both directions until the session ends.
 *
 *   cc -O2 -fPIC -shared -I../../native/abi -o firewall.so firewall.c
 *   Brick.new("Session", {plugins = {{path = "firewall.so", options = {
 *     rules = {"allow tcp to 192.0.2.0/24 port 443", "allow udp port 53", "deny from 10.0.0.0/8"},
 *     log = "denied", file = "firewall.log"}}}})
 *
 * A rule: allow or deny, then any of: tcp, udp, icmp, or protocol N; from NETWORK; to NETWORK;
 * port N or N-M (of whom the session is opened to). Between rules: ; or a new line. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bricks_plugin.h"

enum { FIN = 1, SYN = 2, RST = 4, TCP = 6 };
enum { LOG_NONE, LOG_DENIED, LOG_ALL };
enum { ALLOWED, DENIED, DROPPED }; /* figures */

typedef struct {
  uint8_t version; /* 0: any */
  uint8_t bits;
  uint8_t bytes[16];
} network;

typedef struct {
  bool allow;
  bool icmp;    /* both of them */
  int protocol; /* -1: any */
  network side[2];
  uint16_t first, last; /* ports; last 0: any */
  char text[120];
} fw_rule;

typedef struct {
  const bricks_host *host;
  uint32_t number;
  fw_rule *rules;
  size_t count;
  fw_rule otherwise, midstream;
  bool judges_midstream;
  int log;
} firewall;

static int fail(const bricks_start *start, const char *format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  start->fail(start, text);
  return -1;
}

static bool read_number(const char *text, long most, long *number) {
  char *end;
  *number = strtol(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == 0 && *number <= most;
}

static bool read_network(char *text, network *to) {
  char *slash = strchr(text, '/');
  if (slash) *slash = 0;
  long bits = 0;
  if (inet_pton(AF_INET, text, to->bytes) == 1) {
    to->version = 4;
  } else if (inet_pton(AF_INET6, text, to->bytes) == 1) {
    to->version = 6;
  } else {
    return false;
  }
  const long most = to->version == 4 ? 32 : 128;
  if (!slash) bits = most;
  if (slash && !read_number(slash + 1, most, &bits)) return false;
  to->bits = (uint8_t)bits;
  return true;
}

static bool read_ports(char *text, fw_rule *to) {
  char *dash = strchr(text, '-');
  long first, last;
  if (dash) *dash = 0;
  if (!read_number(text, 65535, &first)) return false;
  last = first;
  if (dash && !read_number(dash + 1, 65535, &last)) return false;
  to->first = (uint16_t)first;
  to->last = (uint16_t)last;
  return last >= first && last > 0;
}

static int read_rule(const bricks_start *start, const char *text, fw_rule *to) {
  char words[sizeof to->text], *rest = NULL;
  memset(to, 0, sizeof *to);
  to->protocol = -1;
  if (strlen(text) >= sizeof words) return fail(start, "rules: \"%.60s...\" is too long", text);
  strcpy(to->text, text);
  strcpy(words, text);
  char *word = strtok_r(words, " \t", &rest);
  if (!word || (strcmp(word, "allow") && strcmp(word, "deny")))
    return fail(start, "rules: \"%s\" does not begin with allow or deny", text);
  to->allow = word[0] == 'a';
  while ((word = strtok_r(NULL, " \t", &rest))) {
    if (!strcmp(word, "tcp") || !strcmp(word, "udp")) {
      to->protocol = word[0] == 't' ? TCP : 17;
    } else if (!strcmp(word, "icmp")) {
      to->icmp = true;
    } else {
      char *value = strtok_r(NULL, " \t", &rest);
      long number;
      if (!value) return fail(start, "rules: \"%s\": after %s comes a value", text, word);
      const int side = !strcmp(word, "to");
      if (!strcmp(word, "protocol")) {
        if (!read_number(value, 255, &number))
          return fail(start, "rules: \"%s\": protocol takes a number up to 255", text);
        to->protocol = (int)number;
      } else if (side || !strcmp(word, "from")) {
        if (!read_network(value, &to->side[side]))
          return fail(start, "rules: \"%s\": %s takes an address or a network", text, word);
      } else if (strcmp(word, "port")) {
        return fail(start, "rules: \"%s\": there is no %s", text, word);
      } else if (!read_ports(value, to)) {
        return fail(start, "rules: \"%s\": port takes N or N-M", text);
      }
    }
  }
  return 0;
}

static int read_rules(const bricks_start *start, firewall *to) {
  char *all = strdup(start->text(start, "rules")), *rest = NULL;
  int failed = all ? 0 : -1;
  for (char *text = all ? strtok_r(all, ";\n", &rest) : NULL; text && !failed;
       text = strtok_r(NULL, ";\n", &rest)) {
    text += strspn(text, " \t");
    if (!*text) continue;
    fw_rule *more = realloc(to->rules, (to->count + 1) * sizeof *more);
    if (!more) failed = -1;
    if (!more) break;
    to->rules = more;
    failed = read_rule(start, text, &to->rules[to->count++]);
  }
  free(all);
  return failed;
}

static void end(void *plugin) {
  firewall *wall = plugin;
  free(wall->rules);
  free(wall);
}

static int init(const bricks_start *start, void **plugin) {
  firewall *made = calloc(1, sizeof *made);
  if (!made) return -1;
  made->host = start->host;
  made->number = start->plugin;
  made->judges_midstream = start->flag(start, "midstream");
  strcpy(made->otherwise.text, "default");
  strcpy(made->midstream.text, "midstream");
  const char *otherwise = start->text(start, "default"), *log = start->text(start, "log");
  int failed = 0;
  made->otherwise.allow = !strcmp(otherwise, "allow");
  if (!made->otherwise.allow && strcmp(otherwise, "deny"))
    failed = fail(start, "default is to be allow or deny, not \"%s\"", otherwise);
  made->log = !strcmp(log, "all") ? LOG_ALL : !strcmp(log, "denied") ? LOG_DENIED : LOG_NONE;
  if (!failed && made->log == LOG_NONE && strcmp(log, "none"))
    failed = fail(start, "log is to be none, denied or all, not \"%s\"", log);
  if (!failed) failed = read_rules(start, made);
  if (failed) end(made);
  if (!failed) *plugin = made;
  return failed;
}

static bool contains(const network *net, uint8_t version, const uint8_t *address) {
  if (net->version == 0) return true;
  if (net->version != version) return false;
  const uint32_t whole = net->bits / 8, rest = net->bits % 8;
  if (memcmp(net->bytes, address, whole) != 0) return false;
  return rest == 0 || ((net->bytes[whole] ^ address[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

static bool matches(const fw_rule *rule, const bricks_session *session) {
  const uint8_t protocol = session->protocol;
  if (rule->icmp && protocol != 1 && protocol != 58) return false;
  if (rule->protocol >= 0 && rule->protocol != protocol) return false;
  for (int side = 0; side < 2; ++side)
    if (!contains(&rule->side[side], session->ip_version, session->flow->address[side]))
      return false;
  const uint16_t port = ntohs(session->flow->port[1]);
  return rule->last == 0 || (port >= rule->first && port <= rule->last);
}

static const fw_rule *judge(const firewall *wall, const bricks_event *event) {
  const bricks_session *session = event->session;
  /* A connection begins with SYN; whatever else comes first belongs to none that was allowed. */
  if (session->protocol == TCP && event->packet && !wall->judges_midstream &&
      (event->packet->tcp_flags & (SYN | FIN | RST)) != SYN)
    return &wall->midstream;
  for (size_t i = 0; i < wall->count; ++i)
    if (matches(&wall->rules[i], session)) return &wall->rules[i];
  return &wall->otherwise;
}

static const char *protocol_name(uint8_t protocol, char number[4]) {
  if (protocol == TCP) return "tcp";
  if (protocol == 17) return "udp";
  if (protocol == 1 || protocol == 58) return "icmp";
  snprintf(number, 4, "%u", protocol);
  return number;
}

static void write_verdict(const firewall *wall, const bricks_event *event, const fw_rule *rule) {
  const bricks_session *session = event->session;
  const int family = session->ip_version == 4 ? AF_INET : AF_INET6;
  char line[512], address[2][INET6_ADDRSTRLEN], number[4];
  for (int side = 0; side < 2; ++side)
    inet_ntop(family, session->flow->address[side], address[side], sizeof address[side]);
  const uint64_t time = event->packet ? event->packet->timestamp : session->flow->first_seen;
  const int length =
      snprintf(line, sizeof line,
               "{\"ts\":%.6f,\"verdict\":\"%s\",\"rule\":\"%s\",\"proto\":\"%s\",\"src\":\"%s\","
               "\"src_port\":%u,\"dst\":\"%s\",\"dst_port\":%u}",
               (double)time / 1e9, rule->allow ? "allow" : "deny", rule->text,
               protocol_name(session->protocol, number), address[0], ntohs(session->flow->port[0]),
               address[1], ntohs(session->flow->port[1]));
  wall->host->emit(wall->number, line, (size_t)length);
}

static int worker_init(void *plugin, uint32_t worker, void **state) {
  (void)worker;
  *state = plugin; /* nothing of a worker's own */
  return 0;
}

static int handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  const firewall *wall = state;
  const bricks_host *host = wall->host;
  for (*at = 0; *at < count; ++*at) {
    const bricks_event *event = &events[*at];
    if (event->type == BRICKS_EVENT_PACKET) { /* only of denied sessions */
      if (host->drop_packet(event->session) == 0) host->add_figure(wall->number, DROPPED, 1);
      continue;
    }
    const fw_rule *rule = judge(wall, event);
    host->add_figure(wall->number, rule->allow ? ALLOWED : DENIED, 1);
    if (wall->log == LOG_ALL || (wall->log == LOG_DENIED && !rule->allow))
      write_verdict(wall, event, rule);
    if (rule->allow) host->detach_me(event->session); /* is seen no more */
  }
  return 0;
}

static const bricks_option options[] = {
    {"rules", "allow tcp to 192.0.2.0/24 port 443; deny from 10.0.0.0/8", 's', NULL},
    {"default", "what no rule speaks of: allow or deny", 's', "deny"},
    {"midstream", "judge TCP without its SYN, too", 'b', "false"},
    {"log", "verdicts to write: none, denied or all", 's', "denied"},
    {"file", "where they go", 's', ""},
    {NULL, NULL, 0, NULL},
};
static const char *const figures[] = {"allowed", "denied", "dropped", NULL};

const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  static const bricks_plugin plugin = {
      .abi = BRICKS_PLUGIN_ABI,
      .size = sizeof(bricks_plugin),
      .name = "firewall",
      .summary = "sessions are allowed or denied by rules",
      .events = BRICKS_ON(BRICKS_EVENT_OPENING) | BRICKS_ON(BRICKS_EVENT_PACKET),
      .options = options,
      .figures = figures,
      .init = init,
      .worker_init = worker_init,
      .handle = handle,
      .exit = end,
  };
  return abi == BRICKS_PLUGIN_ABI ? &plugin : NULL;
}
