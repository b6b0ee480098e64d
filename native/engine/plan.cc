// Running a plan: the packet path between inputs and outputs.
#include "engine/plan.hh"

#include <algorithm>
#include <atomic>

#include "engine/faults.hh"
#include "engine/tap.hh"
#include "wire/decode.hh"

namespace bricks {

namespace {

constexpr auto kAllPicks = [] {
  std::array<Index, kBatchMax> all{};
  for (uint32_t i = 0; i < kBatchMax; ++i) all[i] = static_cast<Index>(i);
  return all;
}();

}  // namespace

void Plan::hand_over(Node& node, const Index* picks, uint32_t count) noexcept {
  if (node.in_count == 0) {
    node.in = picks;
    node.in_count = count;
    return;
  }
  // Two lists in the batch's order become one in the batch's order: what came first leaves first.
  // `merged` may be the very memory of node.in, so it is filled from the back.
  Index* to = node.merged.data();
  if (node.in != to) std::copy_n(node.in, node.in_count, to);
  uint32_t a = node.in_count, b = count, at = a + b;
  while (b) {
    if (a && to[a - 1] > picks[b - 1]) {
      to[--at] = to[--a];
    } else {
      to[--at] = picks[--b];
    }
  }
  node.in = to;
  node.in_count += count;
}

void Plan::decode_input(uint32_t input, const HashSeed& seed) noexcept {
  Batch& batch = inputs[input]->batch;
  batch.decoded = reads_flows_;
  batch.has_applications = false;
  if (!reads_flows_) return;
  const uint32_t first = std::min(batch.count, kPrefetchAhead);
  for (uint32_t i = 0; i < first; ++i) prefetch_far(batch.packets[i].data);
  decode(batch, seed);
  LedgerCell& cell = inputs[input]->cell;
  cell.not_ip += batch.not_ip;
  for (uint32_t f = 0; f < kHeaderFaultCount; ++f) cell.header_faults[f] += batch.header_faults[f];
}

void Plan::route(uint32_t input, const HashSeed& seed) noexcept {
  decode_input(input, seed);
  Batch& batch = inputs[input]->batch;
  tap_input(input, batch);
  batch.source = &inputs[input]->source;
  const Picks all = {kAllPicks.data(), batch.count};
  if (!reads_flows_) return route_from(input, batch, all);
  Outlets::List passed = {fragment_picks_.data(), fragment_picks_.data(), fragment_picks_.data()};
  Outlets outlets({&passed, 1}, inputs[input]->cell);
  fragments->push(batch, all, outlets);
  if (passed.count()) route_from(input, batch, {passed.first, passed.end});
}

// Of all that comes in, before anything is held.
void Plan::tap_input(uint32_t input, Batch& batch) noexcept {
  if (!taps_.empty()) tap(-1, input, batch, kAllPicks.data(), batch.count);
}

void Plan::route_from(uint32_t input, Batch& batch, Picks picks) noexcept {
  for (Cuts* cuts : cuts_) cuts->any = false;
  hand_over(nodes_[entries_[input]], picks.data(), static_cast<uint32_t>(picks.size()));
  run(entries_[input], batch);
}

void Plan::tell_room(const Node& node, Nanos now) noexcept {
  Brick& brick = *node.slot->brick;
  if (!brick.asks_room()) return;
  uint32_t least = UINT32_MAX;
  for (OutputSlot* slot : node.room_of) {
    least = std::min(least, slot->port->free_packets(slot->cell));
  }
  brick.room(least, now);
}

void Plan::run(uint32_t first, Batch& batch) noexcept {
  for (uint32_t n = first; n < nodes_.size(); ++n) {
    Node& node = nodes_[n];
    if (node.in_count == 0) continue;
    LedgerCell& cell = node.slot->cell;
    if (!holders_.empty()) tell_room(node, batch.now);
    for (Outlets::List& list : node.lists) list = {list.own, list.own, list.own};
    Outlets outlets(node.lists, cell, node.cuts.get(), node.cuts_before);
    node.slot->brick->push(batch, {node.in, node.in_count}, outlets);
#ifdef BRICKS_FAULTS
    if (!node.slot->type->duplicates && node.lists.size() > 1) inject_fault(batch, node.lists);
#endif
    cell.packets += node.in_count;
    node.in_count = 0;
    pass_on(n, batch);
  }
}

void Plan::pass_on(uint32_t n, Batch& batch) noexcept {
  Node& node = nodes_[n];
  for (uint32_t o = 0; o < node.lists.size(); ++o) {
    const Outlets::List& list = node.lists[o];
    const uint32_t count = list.count();
    if (count == 0) continue;
    if (!taps_.empty()) tap(static_cast<int32_t>(n), o, batch, list.first, count);
    const Target target = node.targets[o];
    if (target.is_output) {
      Leaf& leaf = leaves_[target.index];
      leaf.picks = list.first;
      leaf.count = count;
      leaf.slot->cell.packets += count;
    } else {
      hand_over(nodes_[target.index], list.first, count);
    }
  }
}

bool Plan::due(Nanos now, bool all) const noexcept {
  return std::any_of(holders_.begin(), holders_.end(),
                     [&](uint32_t n) {
                       return nodes_[n].slot->brick->due(now, all || nodes_[n].leaving);
                     }) ||
         (fragments && fragments->due(now, all));
}

bool Plan::holding() const noexcept {
  return !holders_.empty() || (fragments && fragments->holds());
}

// Fragments come last: what they are released to is behind them.
Plan::Released Plan::release_fragments(Batch& batch, Nanos now, bool all) noexcept {
  if (!fragments || !fragments->due(now, all)) return {};
  const Source* source = fragments->ripe(now, all);
  uint32_t i = 0;
  while (&inputs[i]->source != source) ++i;  // those of an input that left went before it
  InputSlot& input = *inputs[i];
  Outlets::List given = {fragment_picks_.data(), fragment_picks_.data(), fragment_picks_.data()};
  Outlets outlets({&given, 1}, input.cell);
  batch.count = 0;
  batch.source = source;
  batch.now = now;
  fragments->release(batch, now, all, outlets);
  route_from(i, batch, {given.first, given.end});
  return {fragments.get(), input.port->lossless()};
}

Plan::Released Plan::release(Batch& batch, Nanos now, bool all, const HashSeed& seed) noexcept {
  for (const uint32_t n : holders_) {
    Node& node = nodes_[n];
    Brick& brick = *node.slot->brick;
    tell_room(node, now);
    if (!brick.due(now, all || node.leaving)) continue;
    for (Cuts* cuts : cuts_) cuts->any = false;
    for (Outlets::List& list : node.lists) list = {list.own, list.own, list.own};
    Outlets outlets(node.lists, node.slot->cell, node.cuts.get(), node.cuts_before);
    batch.count = 0;
    batch.has_applications = false;
    batch.source = &node.slot->source;
    batch.now = now;
    brick.release(batch, now, all || node.leaving, outlets);
    if (batch.count) node.slot->source.latest = batch.packets[batch.count - 1].timestamp;
    // It came in when nobody asked for flows.
    if (reads_flows_ && !batch.decoded) {
      decode(batch, seed);
      batch.decoded = true;
    }
    pass_on(n, batch);
    run(n + 1, batch);
    return {&brick, node.lossless};
  }
  return release_fragments(batch, now, all);
}

Nanos Plan::due_at() const noexcept {
  Nanos first = 0;
  for (const uint32_t n : holders_) {
    const Nanos at = nodes_[n].slot->brick->due_at();
    if (at && (!first || at < first)) first = at;
  }
  const Nanos at = fragments ? fragments->due_at() : 0;
  return at && (!first || at < first) ? at : first;
}

void Plan::introduce_sources() noexcept {
  if (fragments && reads_flows_) fragments->expect(input_sources_);
  if (fragments && !reads_flows_) fragments->rest();
  for (const uint32_t n : holders_) nodes_[n].slot->brick->expect(nodes_[n].sources);
}

void Plan::refresh_sources() noexcept {
  for (auto n = holders_.rbegin(); n != holders_.rend(); ++n) {
    const Node& node = nodes_[*n];
    Source& own = node.slot->source;
    own.ended = false;
    if (node.slot->brick->due(0, true)) continue;
    Nanos empty_at = UINT64_MAX, latest = UINT64_MAX;
    own.ended = true;
    for (const Source* source : node.sources) {
      if (source->ended) continue;
      own.ended = false;
      empty_at = std::min(empty_at, source->empty_at);
      latest = std::min(latest, source->latest);
    }
    if (own.ended) continue;
    own.empty_at = empty_at;
    own.latest = latest;
  }
}

bool Plan::wants(const Source& source) const noexcept {
  return std::all_of(holders_.begin(), holders_.end(), [&](uint32_t n) {
    const Node& node = nodes_[n];
    const bool comes =
        std::find(node.sources.begin(), node.sources.end(), &source) != node.sources.end();
    return !comes || (node.slot->brick->wants(source) && wants(node.slot->source));
  });
}

void Plan::prepare_leaving(const Plan& next) noexcept {
  for (const auto& input : inputs) {
    // Held packets carry what decode found: nobody may ask for it any more.
    const bool leaves = !next.reads_flows_ || std::find(next.inputs.begin(), next.inputs.end(),
                                                        input) == next.inputs.end();
    if (leaves && fragments) fragments->leave(input->source);
  }
  for (const uint32_t n : holders_) {
    nodes_[n].leaving = std::none_of(next.bricks.begin(), next.bricks.end(), [&](const auto& slot) {
      return slot.get() == nodes_[n].slot;
    });
  }
}

// Packets are shared by all branches of the graph, so they are cut for this output and made whole
// again after it. A packet that comes to it by several ways is cut on all of them.
void Plan::transmit_to(OutputSlot& slot, const std::vector<const Cuts*>& ways, Batch& batch,
                       const Index* picks, uint32_t count, bool exclusive) noexcept {
  Output& port = *slot.port;
  const bool cut =
      std::any_of(ways.begin(), ways.end(), [](const Cuts* cuts) { return cuts->any; });
  if (!cut) {
    port.transmit(batch, picks, count, exclusive, slot.cell);
    return;
  }
  struct Whole {
    Index packet;
    uint8_t flags;
    uint32_t length;
  };
  Whole whole[kBatchMax];
  uint32_t changed = 0;
  const bool plain = batch.plain;
  batch.plain = false;
  for (uint32_t i = 0; i < count; ++i) {
    const Index index = picks[i];
    Packet& packet = batch.packets[index];
    uint32_t most = packet.length;
    for (const Cuts* cuts : ways) {
      if (cuts->any) most = std::min(most, cuts->bytes[index]);
    }
    if (most == packet.length) continue;  // so is a packet's second pick
    whole[changed++] = {index, packet.flags, packet.length};
    if (!(packet.flags & kPacketCut)) batch.wire_lengths[index] = packet.length;
    packet.flags |= kPacketCut;
    packet.length = most;
  }
  // No exchange of buffers: it would leave lengths of its own behind.
  port.transmit(batch, picks, count, false, slot.cell);
  while (changed) {
    const Whole& was = whole[--changed];
    batch.packets[was.packet].flags = was.flags;
    batch.packets[was.packet].length = was.length;
  }
  batch.plain = plain;
}

bool Plan::transmit(Batch& batch, bool lossless) noexcept {
  bool complete = true;
  for (Leaf& leaf : leaves_) {
    if (leaf.count == 0) continue;
    leaf.touched = true;
    Output& port = *leaf.slot->port;
    uint32_t count = leaf.count;
    if (lossless) count = port.room(batch, leaf.picks, count);
    // An exchanged buffer belongs to its consumer: not before earlier outputs have their copies.
    if (count) {
      transmit_to(*leaf.slot, leaf.cuts, batch, leaf.picks, count, leaf.exclusive && complete);
    }
    leaf.picks += count;
    leaf.count -= count;
    if (leaf.count) complete = false;
  }
  return complete;
}

uint64_t Plan::waiting_in_all() const noexcept {
  uint64_t sum = 0;
  for (const Leaf& leaf : leaves_) sum += leaf.count;
  return sum;
}

bool Plan::awaits_reader() const noexcept {
  return std::any_of(leaves_.begin(), leaves_.end(),
                     [](const Leaf& leaf) { return leaf.count != 0 && leaf.slot->port->ready(); });
}

void Plan::abandon(const OutputSlot& output) noexcept {
  for (Leaf& leaf : leaves_) {
    if (leaf.slot != &output) continue;
    leaf.slot->cell.drop(Drop::unread, leaf.count);
    leaf.count = 0;
  }
}

void Plan::flush(Nanos now, bool all) noexcept {
  // A fence waits for all stores before it, and those go to lines that consumers hold: one for all.
  for (const Leaf& leaf : leaves_) {
    if (all || leaf.touched) leaf.slot->port->publish(now);
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (Leaf& leaf : leaves_) {
    if (!all && !leaf.touched) continue;
    leaf.touched = false;
    leaf.slot->port->flush(now, leaf.slot->cell);
  }
  for (const TapPoint& point : taps_) point.tap->slot.port->flush(now, point.tap->slot.cell);
}

}  // namespace bricks
