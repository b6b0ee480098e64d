// Matching a batch: headers become words once, then every table is asked for all packets, bucket
// fetches ahead of their use; expressions see only what no better rule has decided.
#include "filter/rule_view.hh"

#include "wire/application.hh"
#include "wire/bytes.hh"
#include "wire/decode.hh"

namespace bricks {

namespace {

constexpr uint64_t kMac48 = (uint64_t{1} << 48) - 1;

bool has_ports(uint8_t protocol) noexcept {
  return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

uint64_t ports_at(const uint8_t* at) noexcept {
  return uint64_t{load_be16(at)} | uint64_t{load_be16(at + 2)} << 16;
}

// Rules are about the outermost IP header.
struct OuterHeader {
  uint16_t network;
  uint8_t version;
};
OuterHeader outer_header(const Batch& batch, Index packet) noexcept {
  if (batch.packets[packet].flags & kPacketLayers) {
    return {batch.layers[packet].outer_network, batch.layers[packet].outer_version};
  }
  return {batch.packets[packet].network, batch.packets[packet].ip_version};
}

// False: the header is not all there (a brick before cut the packet, or it is no IP).
bool read_v4(const Packet& packet, uint32_t network, RuleWords& words) noexcept {
  const uint32_t left = packet.length - network;
  if (packet.length < network + 20u) return false;
  const uint8_t* ip = packet.data + network;
  const uint8_t protocol = ip[9];
  const uint32_t header = (ip[0] & 15u) * 4;
  words[0] = load<uint64_t>(ip + 12);
  words[1] = uint64_t{protocol} << 32;
  // Fragments but the first have no ports.
  const bool first = (load_be16(ip + 6) & 0x1fff) == 0;
  if (first && has_ports(protocol) && header >= 20 && left >= header + 4) {
    words[1] |= ports_at(ip + header);
  }
  return true;
}

bool read_v6(const Packet& packet, uint32_t network, RuleWords& words) noexcept {
  if (packet.length < network + 40u) return false;
  const uint8_t* ip = packet.data + network;
  for (uint32_t i = 0; i < 4; ++i) words[i] = load<uint64_t>(ip + 8 + i * 8);
  uint8_t next = ip[6];
  uint32_t offset = network + 40u;
  bool first = true;
  for (uint32_t i = 0; i < kExtensionsMax; ++i) {
    const uint8_t* header = packet.data + offset;
    const uint32_t left = packet.length - offset;
    uint32_t bytes = 8;
    if (next == 51) {
      bytes = left >= 2 ? (header[1] + 2u) * 4 : 0;
    } else if (next == 0 || next == 43 || next == 60 || next == 135 || next == 139 || next == 140) {
      bytes = left >= 2 ? (header[1] + 1u) * 8 : 0;
    } else if (next != 44) {
      break;
    }
    if (left < 8 || bytes > left) break;
    if (next == 44) first = (load_be16(header + 2) & 0xfff8) == 0;
    next = header[0];
    offset += bytes;
    if (!first) break;  // what follows is the middle of something
  }
  words[4] = uint64_t{next} << 32;
  if (first && has_ports(next) && packet.length >= offset + 4) {
    words[4] |= ports_at(packet.data + offset);
  }
  return true;
}

}  // namespace

void RuleMatcher::read_headers(const Batch& batch, const Index* picks, uint32_t count) noexcept {
  Lane& v4 = lanes_[0];
  Lane& v6 = lanes_[1];
  v4.count = v6.count = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Packet& packet = batch.packets[picks[i]];
    const auto [network, version] = outer_header(batch, picks[i]);
    if (version == 4) {
      if (!read_v4(packet, network, words_[0][v4.count])) continue;
      words_[0][v4.count][1] |= uint64_t{application(batch, picks[i])} << 40;
      v4.packet[v4.count++] = picks[i];
    } else if (version == 6) {
      if (!read_v6(packet, network, words_[1][v6.count])) continue;
      words_[1][v6.count][4] |= uint64_t{application(batch, picks[i])} << 40;
      v6.packet[v6.count++] = picks[i];
    }
  }
}

void RuleMatcher::read_macs(const Batch& batch, const Index* picks, uint32_t count) noexcept {
  Lane& lane = lanes_[2];
  lane.count = 0;
  if (batch.link != LinkType::ethernet) return;
  for (uint32_t i = 0; i < count; ++i) {
    const Packet& packet = batch.packets[picks[i]];
    if (packet.length < 14) continue;
    words_[2][lane.count][0] = load<uint64_t>(packet.data + 6) & kMac48;
    words_[2][lane.count][1] = load<uint64_t>(packet.data) & kMac48;
    lane.packet[lane.count++] = picks[i];
  }
}

template <RuleFamily family>
void RuleMatcher::probe(const std::vector<RuleView::Table>& tables, const Lane& lane,
                        MonotonicNanos now) noexcept {
  constexpr uint32_t kWords = rule_words(family);
  const RuleWords* words = words_[static_cast<uint32_t>(family)];
  const HashSeed& seed = process_hash_seed();
  for (const auto& [table, best_rank] : tables) {
    const RuleWords mask = table->mask();
    for (uint32_t i = 0; i < lane.count; ++i) {
      RuleWords masked;
      for (uint32_t w = 0; w < kWords; ++w) masked[w] = words[i][w] & mask[w];
      hashes_[i] = hash_rule_words(masked, family, seed);
      __builtin_prefetch(table->bucket(hashes_[i]));
    }
    uint32_t candidates = 0;
    for (uint32_t i = 0; i < lane.count; ++i) {
      const uint64_t word = table->bucket(hashes_[i])->load(std::memory_order_acquire);
      first_[candidates] = RuleTable::first(word);
      candidate_[candidates] = static_cast<Index>(i);
      if (!RuleTable::may_have(word, hashes_[i]) || rank_[lane.packet[i]] <= best_rank) continue;
      __builtin_prefetch(first_[candidates++]);
    }
    for (uint32_t c = 0; c < candidates; ++c) {
      const uint32_t i = candidate_[c];
      const Index packet = lane.packet[i];
      const RuleEntry* entry = first_[c];
      for (; entry; entry = entry->next.load(std::memory_order_acquire)) {
        if (entry->rank >= rank_[packet]) break;
        bool same = true;
        for (uint32_t w = 0; w < kWords; ++w) same &= entry->key[w] == (words[i][w] & mask[w]);
        if (!same || entry->state->expires <= now) continue;
        rank_[packet] = entry->rank;
        winner_[packet] = entry->state;
        break;
      }
    }
  }
}

void RuleMatcher::match_expressions(const RuleView& view, const Batch& batch, const Index* picks,
                                    uint32_t count, MonotonicNanos now) noexcept {
  for (const RuleView::ByExpression& rule : view.expressions) {
    if (rule.state->expires <= now) continue;
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; ++i) {
      left_[left] = picks[i];
      left += rank_[picks[i]] > rule.rank;
    }
    if (left == 0) continue;
    const uint32_t matched = rule.expression->match(batch, left_, left, matched_);
    for (uint32_t i = 0; i < matched; ++i) {
      rank_[matched_[i]] = rule.rank;
      winner_[matched_[i]] = rule.state.get();
    }
  }
}

void RuleMatcher::match(const RuleView& view, const Batch& batch, const Index* picks,
                        uint32_t count, MonotonicNanos now) noexcept {
  for (uint32_t i = 0; i < count; ++i) {
    rank_[picks[i]] = kNoRank;
    winner_[picks[i]] = nullptr;
  }
  if (view.reads_headers()) {
    read_headers(batch, picks, count);
    probe<RuleFamily::ipv4>(view.tables[0], lanes_[0], now);
    probe<RuleFamily::ipv6>(view.tables[1], lanes_[1], now);
  }
  if (!view.tables[2].empty()) {
    read_macs(batch, picks, count);
    probe<RuleFamily::mac>(view.tables[2], lanes_[2], now);
  }
  match_expressions(view, batch, picks, count, now);
}

}  // namespace bricks
