/* A policy for TLS and QUIC: sessions are allowed or ended by the server name, or the JA4
 * fingerprint, of their ClientHello. The packet that completes it is dropped, and with it all that
 * follows: the server never sees a whole ClientHello.
 *
 *   cc -O2 -fPIC -shared -I "$(bricks plugin --include)" -o tls_policy.so tls_policy.c
 *   Brick.new("Session", {plugins = {{path = "tls_policy.so", options = {
 *     rules = "allow *.example.com; deny ja4 t13d1516h2_*; deny *", file = "tls.log"}}}})
 *
 * A rule: allow or deny, then NAME, *.NAME (all names beneath it), or *; or ja4 and a fingerprint
 * or the beginning of one and *. Between rules: ; or a new line. The first that matches decides. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bricks_plugin.h"
#include "bricks_protocols.h"

enum { ALLOWED, DENIED }; /* figures */
enum { NAME_MAX_BYTES = 256 };
typedef enum { ANY, IS, BEGINS, ENDS } match;

typedef struct {
  bool allow, ja4;
  match how;
  char value[NAME_MAX_BYTES];
  char text[NAME_MAX_BYTES + 16];
} tls_rule;

typedef struct {
  const bricks_host *host;
  uint32_t number;
  tls_rule *rules;
  size_t count;
  tls_rule otherwise, nameless;
} policy;

static int fail(const bricks_start *start, const char *what, const char *text) {
  char message[400];
  snprintf(message, sizeof message, "rules: \"%.280s\" %s", text, what);
  start->fail(start, message);
  return -1;
}

static char small(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* In small letters, without a dot at the end, no byte of it 0; false: it is too long. */
static bool copy_name(const char *from, size_t length, char *to) {
  if (length > 0 && from[length - 1] == '.') --length;
  if (length >= NAME_MAX_BYTES) return false;
  for (size_t i = 0; i < length; ++i) to[i] = from[i] ? small(from[i]) : '?';
  to[length] = 0;
  return true;
}

static int read_rule(const bricks_start *start, char *text, tls_rule *to) {
  memset(to, 0, sizeof *to);
  if (strlen(text) >= sizeof to->text) return fail(start, "is too long", text);
  strcpy(to->text, text);
  char *rest = NULL;
  const char *verdict = strtok_r(text, " \t", &rest), *value = strtok_r(NULL, " \t", &rest);
  if (!value || (strcmp(verdict, "allow") && strcmp(verdict, "deny")))
    return fail(start, "is to be allow or deny and a name", to->text);
  to->allow = verdict[0] == 'a';
  const char *more = strtok_r(NULL, " \t", &rest);
  if (more && !strcmp(value, "ja4")) {
    to->ja4 = true;
    value = more;
    more = strtok_r(NULL, " \t", &rest);
  }
  if (more) return fail(start, "has more than one name", to->text);
  if (!copy_name(value, strlen(value), to->value)) return fail(start, "is too long", to->text);
  const size_t length = strlen(to->value);
  to->how = IS;
  if (!strcmp(to->value, "*")) {
    to->how = ANY;
    to->value[0] = 0;
  } else if (to->ja4 && to->value[length - 1] == '*') {
    to->how = BEGINS;
    to->value[length - 1] = 0;
  } else if (!to->ja4 && !strncmp(to->value, "*.", 2)) {
    to->how = ENDS;
    memmove(to->value, to->value + 1, length);
  }
  if (strchr(to->value, '*'))
    return fail(start, "has a * that stands not before a name or behind a fingerprint", to->text);
  return 0;
}

static int read_verdict(const bricks_start *start, const char *option, tls_rule *to) {
  const char *value = start->text(start, option);
  to->allow = !strcmp(value, "allow");
  strcpy(to->text, option);
  if (to->allow || !strcmp(value, "deny")) return 0;
  char message[80];
  snprintf(message, sizeof message, "%s is to be allow or deny", option);
  start->fail(start, message);
  return -1;
}

static int read_rules(const bricks_start *start, policy *made, char *text) {
  char *rest = NULL;
  for (char *one = strtok_r(text, ";\n", &rest); one; one = strtok_r(NULL, ";\n", &rest)) {
    one += strspn(one, " \t");
    size_t length = strlen(one);
    while (length > 0 && (one[length - 1] == ' ' || one[length - 1] == '\t')) one[--length] = 0;
    if (length == 0) continue;
    tls_rule *more = realloc(made->rules, (made->count + 1) * sizeof *more);
    if (!more) return fail(start, "has no memory", one);
    made->rules = more;
    if (read_rule(start, one, &made->rules[made->count])) return -1;
    ++made->count;
  }
  return 0;
}

static void end(void *plugin) {
  policy *ended = plugin;
  free(ended->rules);
  free(ended);
}

static int init(const bricks_start *start, void **plugin) {
  policy *made = calloc(1, sizeof *made);
  char *text = strdup(start->text(start, "rules"));
  int failed = !made || !text;
  if (failed) start->fail(start, "no memory");
  if (!failed) {
    made->host = start->host;
    made->number = start->plugin;
    failed = read_verdict(start, "default", &made->otherwise) ||
             read_verdict(start, "no_name", &made->nameless) || read_rules(start, made, text);
  }
  free(text);
  if (failed && made) end(made);
  if (!failed) *plugin = made;
  return failed ? -1 : 0;
}

static bool matches(const tls_rule *rule, const char *name, const char *ja4) {
  const char *value = rule->ja4 ? ja4 : name;
  const size_t length = strlen(value), wanted = strlen(rule->value);
  switch (rule->how) {
    case IS:
      return !strcmp(value, rule->value);
    case BEGINS:
      return !strncmp(value, rule->value, wanted);
    case ENDS:
      return length > wanted && !strcmp(value + length - wanted, rule->value);
    default:
      return true;
  }
}

static const tls_rule *judge(const policy *self, const char *name, const char *ja4) {
  for (size_t i = 0; i < self->count; ++i) {
    const tls_rule *rule = &self->rules[i];
    /* Rules of names do not speak of a hello without one. */
    if ((rule->ja4 || *name) && matches(rule, name, ja4)) return rule;
  }
  return *name ? &self->otherwise : &self->nameless;
}

/* As JSON has it. */
static void quote(const char *text, char *to, size_t room) {
  size_t used = 0;
  to[used++] = '"';
  for (; *text && used + 8 < room; ++text) {
    const unsigned char c = (unsigned char)*text;
    if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
      used += (size_t)snprintf(to + used, room - used, "\\u%04x", c);
    else
      to[used++] = *text;
  }
  to[used++] = '"';
  to[used] = 0;
}

static void write_verdict(const policy *self, const bricks_event *event, const tls_rule *rule,
                          const char *name, const char *ja4) {
  const bricks_session *session = event->session;
  const int family = session->ip_version == 4 ? AF_INET : AF_INET6;
  char line[4096], address[2][INET6_ADDRSTRLEN], names[2][6 * NAME_MAX_BYTES + 16];
  for (int side = 0; side < 2; ++side)
    inet_ntop(family, session->flow->address[side], address[side], sizeof address[side]);
  quote(rule->text, names[0], sizeof names[0]);
  quote(name, names[1], sizeof names[1]);
  const uint64_t time = event->packet ? event->packet->timestamp : session->last_seen;
  const int length =
      snprintf(line, sizeof line,
               "{\"ts\":%.6f,\"verdict\":\"%s\",\"rule\":%s,\"name\":%s,\"ja4\":\"%s\","
               "\"proto\":\"%s\",\"src\":\"%s\",\"src_port\":%u,\"dst\":\"%s\",\"dst_port\":%u}",
               (double)time / 1e9, rule->allow ? "allow" : "deny", names[0], names[1], ja4,
               event->protocol == BRICKS_PROTOCOL_QUIC ? "quic" : "tls", address[0],
               ntohs(session->flow->port[0]), address[1], ntohs(session->flow->port[1]));
  self->host->emit(self->number, line, (size_t)length);
}

static int worker_init(void *plugin, uint32_t worker, void **state) {
  (void)worker;
  *state = plugin; /* nothing of a worker's own */
  return 0;
}

static int handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  const policy *self = state;
  const bricks_host *host = self->host;
  for (*at = 0; *at < count; ++*at) {
    const bricks_event *event = &events[*at];
    if (event->kind != BRICKS_RECORD_TLS_CLIENT_HELLO) continue;
    const struct bricks_tls_client_hello *hello = event->data;
    char name[NAME_MAX_BYTES] = "";
    copy_name(hello->server_name.data, hello->server_name.length, name);
    const tls_rule *rule = judge(self, name, hello->ja4);
    host->add_figure(self->number, rule->allow ? ALLOWED : DENIED, 1);
    write_verdict(self, event, rule, name, hello->ja4);
    if (rule->allow) continue;
    host->drop_packet(event->session);
    host->kill(event->session);
  }
  return 0;
}

static const bricks_option options[] = {
    {"rules", "allow *.example.com; deny ja4 t13d1516h2_*; deny *", 's', NULL},
    {"default", "what no rule speaks of: allow or deny", 's', "allow"},
    {"no_name", "a ClientHello without a server name", 's', "allow"},
    {"file", "where verdicts go", 's', ""},
    {NULL, NULL, 0, NULL},
};
static const char *const figures[] = {"allowed", "denied", NULL};

const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  static const bricks_plugin plugin = {
      .abi = BRICKS_PLUGIN_ABI,
      .size = sizeof(bricks_plugin),
      .name = "tls_policy",
      .summary = "TLS and QUIC sessions are allowed or ended by server name and JA4",
      .events = BRICKS_ON(BRICKS_EVENT_PROTOCOL),
      .protocols = 1u << BRICKS_PROTOCOL_TLS | 1u << BRICKS_PROTOCOL_QUIC,
      .options = options,
      .figures = figures,
      .init = init,
      .worker_init = worker_init,
      .handle = handle,
      .exit = end,
  };
  return abi == BRICKS_PLUGIN_ABI ? &plugin : NULL;
}
