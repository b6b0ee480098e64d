/** docs/plugins.md, around the tables of a list's keys and of what is counted. */

const introduction = `# Plugins

A *Session* brick follows sessions and gives what happens in them to plugins: a firewall, a
logger, a limiter, an IDS. A plugin is one file, in C, in [Lua](plugins-lua.md) or in
[TypeScript](plugins-typescript.md).
All three see the same events, may do the same, and get the same answers.

\`\`\`lua
s = Brick.new("Session", { plugins = {
  { "firewall.so", options = { rules = { "allow tcp port 443", "allow udp port 53" },
                               file = "denied.log" }, on_error = "drop" },
  { "flow_logger.lua", options = { file = "conn.log" }, required = false } } })
s:connect_input("eth3"):connect_output("eth3{0")
pe = PktEngine.new("e0")
pe:link(s)
pe:start()

s:plugins()                          -- the list, with what is counted
s:reload()                           -- from their files as they are now
s:set{ plugins = { "other.so" } }    -- others
\`\`\`

They are called in the order of the list, with the events that each asks for. When one of them
cannot be loaded, nothing has changed and the message says which and why. A relative path is one
of the daemon's folder.

Ready to use, each in one file: \`examples/plugins\` has a stateful firewall, a flow logger
(Zeek's conn.log as JSON, with Community ID), a TLS policy (server names and JA4, TLS and QUIC) and
others; each in C and Lua, the flow logger in TypeScript, too, and what they write is the
same. \`bricks plugin new NAME --lang c|lua|ts\` begins one of your own, with a
test that passes; \`bricks plugin check FILE\` looks at a file without an engine.

What a session speaks is found out by content, where a plugin wants records, or where
\`identify = true\` asks for it. Behind the brick a Filter's rules match it
(\`application = "tls"\`) and a LoadBalancer goes by it
(\`applications = { "tls=eth3{1" }\`). Packets before the first payload, a TCP
handshake, are of \`unknown\` application.

## An entry of the list

`;

const events = `
\`options\` are the plugin's own; which there are, it says itself, and an unknown one is refused
with those there are. A list of texts is a text with a line for each. Where a plugin has an option
\`file\`, a thread of its own writes the lines that the plugin emits there; lines that come faster
than the disk takes them are lost and counted. A file that was renamed is opened anew.

## Events

| event | when |
|---|---|
| opening | the first packet of a session; once |
| active | packets in both directions, TCP's handshake complete; once, or never |
| packet | every packet, those of the two above, too |
| payload | TCP: the next bytes of one direction, in order, once |
| gap | TCP: bytes that nobody will see |
| protocol | a record of a decoder: DNS, HTTP, TLS, ... |
| closing | once, whatever the end is: FIN, RST, silence, eviction, shutdown, end of the capture |
| conflict | TCP: bytes that came twice and were not the same, with both versions |

Of one packet they come in the order: closing of a session whose ports it uses anew, opening,
active, packet, then what comes of its bytes (conflict, gap, payload, protocol), closing. A
call may have many events, of one session one at most.

## What a plugin may do to a session

- **Leave** (detach): no call for it any more, not for closing either. What it keeps of the
  session it frees before; what it forgets is freed by its \`free_context\` and counted.
- **Take over**: no other plugin is called for it from the next one on. Closing still goes to
  those that had been called before. Refused while the session closes, and under another plugin's
  lock.
- **Drop** the packet of the event. Later plugins still see it, with \`dropped\`; nothing undoes
  it.
- **Groups**: packets from this one on belong to a group of a rate, four at most.
- **Metadata**: values by key that all plugins of the session share: 32 keys, 16 KiB of copied
  bytes. A pointer is freed with the function it came with: when it is replaced or removed, or
  after the session's closing, the newest key first.
- **Lock**: others may not change metadata, groups, output or owner until it is unlocked. It never
  waits. It goes with the plugin's error, its leaving, the session's closing, and after a second
  as soon as somebody else asks.
- **Output**: packets from this one on go to another output of the brick.
- **Kill**: closing follows once this packet's events are through.
- **Children**: sessions within a session, which end no later than it does.

## Errors

An event at which a plugin returns an error, throws, or exceeds its budget has failed: it is
counted, and after \`max_errors\` of them in a session the plugin is detached from that session.
\`on_error\` says what becomes of the session, \`takeover_error\` where the plugin had taken it
over. Other plugins and other sessions are not disturbed. After \`max_errors_total\` the plugin is
called no more; \`bricks status\` says so.

**Machine code cannot be caged.** A plugin in C that writes where it should not ends the process:
the last line of the log names it (\`bricks: SIGSEGV in plugin NAME\`). Lua and TypeScript do not
have this, but for what Lua does by ffi.

## Reload

\`s:reload()\` and \`s:set{ plugins = ... }\` make a new *generation*: new sessions get it, those
that live keep theirs, with its code, states and contexts, until they end. Libraries are loaded
from a copy in memory, so a file may be overwritten at any time. At most 128 generations live.

## What is counted

\`s:plugins()[i].counts\` and the figures of \`bricks status\` and metrics, as \`NAME.COUNT\`;
over all generations of that name. Metrics call them \`bricks_plugin_NAME_total\`. A plugin's own
figures follow; in metrics they are \`bricks_plugin_figure\`, of unknown kind.

`;

const inC = `
## Writing one in C

\`\`\`c
#include "bricks_plugin.h"

static int handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  const bricks_host *host = state;
  for (*at = 0; *at < count; ++*at)
    if (events[*at].packet && events[*at].packet->wire_length > 1000)
      host->drop_packet(events[*at].session);
  return 0;
}
static int init(const bricks_start *start, void **plugin) {
  *plugin = (void *)start->host;
  return 0;
}
static int worker_init(void *plugin, uint32_t worker, void **state) {
  (void)worker;
  *state = plugin;
  return 0;
}

const bricks_plugin *bricks_plugin_entry(uint32_t abi) {
  static const bricks_plugin plugin = {
      .abi = BRICKS_PLUGIN_ABI, .size = sizeof(bricks_plugin), .name = "short",
      .summary = "drops long packets", .events = BRICKS_ON(BRICKS_EVENT_PACKET),
      .init = init, .worker_init = worker_init, .handle = handle,
  };
  return abi == BRICKS_PLUGIN_ABI ? &plugin : 0;
}
\`\`\`

\`\`\`sh
cc -O2 -fPIC -shared -I native/abi -o short.so short.c
\`\`\`

The headers stand for themselves and include nothing of bricks' but each other:
[bricks_plugin.h](../native/abi/bricks_plugin.h) (the contract; each call with its errors),
[bricks_session.h](../native/abi/bricks_session.h) (sessions; whose they are is at
\`session->flow\`),
[bricks_event.h](../native/abi/bricks_event.h) (packets, events),
[bricks_protocols.h](../native/abi/bricks_protocols.h) (records of decoders),
[bricks_error.h](../native/abi/bricks_error.h), and
[bricks_stellar.h](../native/abi/bricks_stellar.h), which has Stellar's names for the same calls.

\`handle\` is called with an array, so that a plugin's own work is what a packet costs. \`*at\` is
the event it is dealing with: if it returns an error or throws, that one has failed, and it is
called again with those behind it. State of a worker is made by \`worker_init\` and needs no
locks. What is kept of a session goes into \`*event->context\`. \`init\` is called once for each
list that names the plugin, and again when that is reloaded; a failing one says why by
\`start->fail\`.
`;

export function pluginsPage(note: string, keys: string, counts: string): string {
  return `${note}${introduction}${keys}${events}${counts}${inC}`;
}
