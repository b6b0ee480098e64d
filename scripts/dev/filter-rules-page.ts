/** docs/filter-rules.md, around the table of a rule's fields. */

const introduction = `# Filter rules

A Filter has a list of rules. For each packet the first rule that matches decides: the one with
the highest \`priority\`, of equals the one with the lowest id, which is the oldest where ids are
left to the Filter. What no rule matches goes by the Filter's \`expression\`, or where there is
none by its
\`default\`.

\`\`\`lua
f = Brick.new("Filter", { default = "pass" })
f:connect_input("eth3"):connect_output("eth3{0", "eth3{1")
pe:link(f)

id = f:add_rule{ address = "10.1.0.0/16", action = "drop", timeout = 60 }
f:add_rule{ kind = "connection", src = "10.0.0.1", src_port = 40000,
            dst = "192.0.2.7", dst_port = 443, protocol = "tcp", copy_to = "eth3{1" }
f:add_rule{ expression = "udp port 53", sample = 100, priority = 10 }

f:change_rule(id, { action = "pass" })
for _, rule in ipairs(f:rules()) do print(rule.id, rule.action, rule.hits, rule.seconds_left) end
f:remove_rule(id)
f:set{ rules = { { mac = "02:00:00:00:00:01" } } }   -- all of them at once
\`\`\`

\`bricks filter list|add|remove|change BRICK …\` does the same from a command line. Rules belong
to the
brick: they stay, with their counts, when its engine stops, starts, or gets another graph. A change
does not touch the graph, and holds from the engine's next batch on.

`;

const meaning = `## What a rule matches

| kind | matches |
| --- | --- |
| \`connection\` | both directions between \`src\` and \`dst\` |
| \`flow\` | one direction, from \`src\` to \`dst\` |
| \`address\` | packets with that source or target |
| \`mac\` | Ethernet frames with that source or target |
| \`expression\` | what the libpcap expression says |

These are NetControl's kinds. What is left out matches anything; a rule of kind \`flow\` with
nothing
but \`protocol = "udp"\` is all of UDP, IPv4 and IPv6. A packet's IP header is the outermost one;
VLAN tags, MPLS labels and PPPoE before it are stepped over. Ports are those of TCP, UDP, DCCP, SCTP
and UDP-Lite. Fragments but the first of a datagram carry no ports: a rule with ports does not match
them, one without does. An expression sees the frame as libpcap does: \`udp\` alone does not match a
tagged frame.

## What a rule does

| action | does |
| --- | --- |
| \`drop\` | the packet is dropped and counted as \`filtered\` |
| \`pass\` | it goes to the first output |
| \`copy\` | it goes to the first output, a copy to the one named by \`copy_to\` |
| \`sample\` | 1 packet in so many passes, beginning with the first; the others are \`filtered\` |
| \`slice\` | it passes, and leaves the graph cut to so many bytes; its wire length is kept |
| \`limit\` | it passes as long as the rate allows; the others are dropped as \`rate_limited\` |

The action need not be said where \`copy_to\`, \`sample\`, \`slice\`, \`packets_per_second\` or
\`bits_per_second\` is given; without any of them it is \`drop\`. Rates are in real time, also in a
replay, and a tenth of a second's worth may pass at once (at least one packet). Slices spare other
branches of the graph: what a Duplicator before the Filter gives elsewhere stays whole, and bricks
behind the Filter see whole packets. A packet that comes to one output both through such a Filter
and around it (by a Merge) is sliced both times.

`;

const counts = `## Counts

\`b:rules()\` has for each rule \`hits\` (packets that it decided about), \`bytes\` of those and
\`dropped\` packets of those, and \`seconds_left\` where it has a time-out. A rule that is changed
keeps its counts; one whose time is over is gone, with its counts. The ledger counts what was
dropped
under the Filter.

## Cost

Rules of kind connection, flow, address and mac are kept in hash tables, one for each combination of
prefix lengths, ports and protocol that occurs; a packet costs one look per table, however many
rules
are in it. Expressions are tried one after the other, for packets that no better rule has decided.
[limits.md](limits.md) has the bounds: \`kRulesMax\`, \`kRuleMasksMax\`, \`kRuleExpressionsMax\`,
\`kRuleSameMatchMax\`.
`;

export function filterRulesPage(note: string, fields: string): string {
  return `${note}${introduction}${meaning}## Fields

${fields}
${counts}`;
}
