/** docs/queues.md, around the tables of a group's options and counts. */

const introduction = `# Queue groups

A queue group is a rate, a queue, and what keeps that queue short. It has a number; Queue bricks,
plugins (\`add_group\`) and engines that name it share it, and its rate holds for all of them
together.

\`\`\`lua
BRICKS.queue_group{ id = 1, cir = 1250000, cbs = 15000, aqm = "codel", ecn = true }
q = Brick.new("Queue", { groups = { 1 } })
q:connect_input("eth3"):connect_output("eth3{0")
pe:link(q)

BRICKS.queue_group{ id = 1, cir = 2500000, cbs = 15000, aqm = "codel", ecn = true }  -- at once
print(BRICKS.queue_groups()[1].counts.aqm_drop)
BRICKS.delete_queue_group(1)
\`\`\`

`;

const meaning = `## What becomes of a packet

- **Its size** is that of its outermost IP packet, header included, plus \`overhead\`; of a frame
  without IP, the whole frame's. Rates are bytes a second.
- **Several groups**, four at most: the packet goes when all of them let it, and takes tokens of
  all or of none. It waits in one of them, where it has to wait longest. A policer among them is
  asked when the packet leaves. While a packet of several groups waits in one of them, another of
  them may be ahead of its rate by that one packet.
- **Order**: packets of a session leave as they came, whatever its groups were meanwhile;
  \`fq_codel\` changes the order among sessions, nothing else does. A Queue brick with several
  groups keeps the order of all its packets.
- **Time** is the wall clock, and packets that wait leave when it has come, as soon as the engine
  looks. Where all inputs are captures time is the packets' own: what waits leaves at its very
  instant, which becomes its timestamp, and the result is the same, bit for bit, for every size of
  batch. At the end of the capture all that waits leaves at its time (\`at_end = "drain"\`). When an
  engine of live inputs stops, what waits leaves at once, without tokens, counted as \`drained\`.
- **Across engines** tokens are taken from one 64-bit word, without a lock; a packet that has to
  wait reserves its tokens, so whoever comes first is served first. With \`mode = "leased"\` an
  engine takes up to 10 ms' worth (an eighth of the bucket at most) at a time: cheaper where many
  engines share a busy policer, and that much more may pass at once.
- **Longer than the bucket**: dropped as \`oversize\`; with \`oversize = "borrow"\` it goes when the
  bucket is full, which then owes the rest. A bucket of less than 1,500 bytes is refused.
- **Marks** (\`ecn\`) are for packets that say they understand them; others are dropped. The
  outermost IP header is marked, in a copy.
- **kind \`aqm\`** has no rate: packets wait while what is behind has no room. That is the pipe with
  the least room of those the brick leads to directly, while a consumer is attached that reads.
  A pipe that spills and outputs that are no pipes take whatever comes, and so does everything
  behind another brick; lossless inputs wait for their outputs and need no such group. With one in
  use all that waits in that brick goes by the room.
- **Sessions**: a session's entry stays its own until its last packet has left the queues, though
  its CLOSING may have come before. What queues drop is counted for the session (\`bricks explain\`)
  and for the brick (\`queue_dropped\`).

`;

const counts = `## Counts

\`BRICKS.queue_groups()\` and \`bricks status --json\` (\`queue_groups\`) have them, of all engines
together. \`enqueued = dequeued + moved + dropped + backlog\`, of packets and of bytes, where
dropped is \`policed\`, \`queue_full\`, \`aqm_drop\`, \`oversize\` and \`queue_gone\`, which are the
ledger's reasons, too.
\`delays\` says of the packets that waited how many waited less than 1, 2, 4, … microseconds.
Metrics call them \`bricks_queue_NAME_total\` (counters), \`bricks_queue_NAME\` (gauges) and
\`bricks_queue_delay_seconds\`.

`;

export function queuesPage(note: string, options: string, countTable: string): string {
  return `${note}${introduction}${meaning}## Options

A packet's group is named by its number, \`id\`.

${options}
${counts}${countTable}`;
}
