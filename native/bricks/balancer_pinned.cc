// Placement that remembers: one look at the session table for each packet.
#include <algorithm>

#include "bricks/balancer.hh"
#include "bricks/distribute.hh"
#include "sessions/packet_bits.hh"

namespace bricks {

PinnedBalancer::PinnedBalancer(const BalancerOptions& options, SessionTable* table)
    : options_(options),
      placer_(options),
      plain_rule_(options.rule == FlowRule{}),
      table_(table),
      lost_(options.names.size(), false) {}

Status PinnedBalancer::make(const BalancerOptions& options, const BrickPlace& place,
                            std::unique_ptr<Brick>* brick) {
  std::unique_ptr<PinnedBalancer> made(new PinnedBalancer(options, place.sessions));
  Status status = place.sessions->open_scope(place.id, options.rule, &made->scope_);
  if (!status.ok()) return status;
  const auto* before = dynamic_cast<const PinnedBalancer*>(place.before);
  const bool same_scope = before && before->scope_ == made->scope_;
  status = made->scope_->name_pins(
      options.names, same_scope ? before->pins_ : std::vector<uint16_t>{}, &made->pins_);
  if (!status.ok()) return status;
  made->salt_ = made->scope_->salt();
  made->outlet_of_.assign(65536, kGone);
  for (uint32_t i = 0; i < place.outlets; ++i) {
    made->outlet_of_[made->pins_[i]] = static_cast<uint16_t>(i);
    made->outlet_of_[kFirstPlace + i] = static_cast<uint16_t>(i);
    if (options.draining[i]) made->placer_.set_open(i, false);
  }
  if (options.related && !options.rule.addresses_only && !options.rule.outer) {
    made->related_ = std::make_unique<RelatedFlows>();
  }
  made->counts_ = before ? before->counts_ : std::make_shared<Counts>();
  *brick = std::move(made);
  return {};
}

uint64_t PinnedBalancer::digest_of(const Batch& batch, Index packet) const noexcept {
  const uint64_t digest = flow_digest(batch, packet, options_.rule) ^ salt_;
  return digest ? digest : 1;
}

void PinnedBalancer::collect_plain(const Batch& batch, const Index* picks,
                                   uint32_t count) noexcept {
  const uint64_t salt = salt_;
  for (uint32_t i = 0; i < count; ++i) {
    const Index index = picks[i];
    const uint64_t digest = batch.digests[index] ^ salt;
    look_.digest[i] = digest + (digest == 0);
    look_.bits[i] = packet_bits(batch, index);
  }
}

void PinnedBalancer::collect(const Batch& batch, const Index* picks, uint32_t count) noexcept {
  for (uint32_t i = 0; i < count; ++i) {
    look_.digest[i] = digest_of(batch, picks[i]);
    look_.bits[i] = layered_bits(batch, picks[i], options_.rule);
  }
}

void PinnedBalancer::push(Batch& batch, Picks in, Outlets& out) noexcept {
  const auto count = static_cast<uint32_t>(in.size());
  // A packet that several ways bring here twice is twice in `in`: more than a batch, in parts.
  for (uint32_t begin_at = 0; begin_at < count; begin_at += kBatchMax) {
    const Index* picks = in.data() + begin_at;
    const uint32_t part = std::min(count - begin_at, kBatchMax);
    plain_rule_ ? collect_plain(batch, picks, part) : collect(batch, picks, part);
    const uint32_t rest = table_->touch(look_, part);
    for (uint32_t r = 0; r < rest; ++r) {
      const Index i = look_.rest[r];
      bool anew = false;
      look_.pin[i] = settle(batch, picks[i], look_.digest[i], look_.bits[i], &anew);
      // What follows in the same batch has been looked at before: it is of the new flow.
      for (uint32_t k = i + 1u; anew && k < part; ++k) {
        if (look_.digest[k] == look_.digest[i]) look_.pin[k] = look_.pin[i];
      }
    }
    if (batch.has_applications && !options_.by_application.empty()) steer(batch, picks, part);
    uint16_t outlet[kBatchMax];
    uint32_t any = 0;
    for (uint32_t i = 0; i < part; ++i) any |= outlet[i] = outlet_of_[look_.pin[i]];
    static_assert(kOutletsMax <= 1u << 15);  // no others make kGone together
    for (uint32_t i = 0; any == kGone && i < part; ++i) {
      if (outlet[i] == kGone) outlet[i] = outlet_of_[move(batch, picks[i], look_.digest[i])];
    }
    distribute(picks, outlet, part, out.lists());
  }
  counts_->pinned += count;
}

// A packet that begins or changes its session, or is not in its first line of the index.
uint16_t PinnedBalancer::settle(const Batch& batch, Index packet, uint64_t digest, uint8_t bits,
                                bool* anew) noexcept {
  uint64_t* word = table_->find(digest);
  if (!word) return begin(batch, packet, digest, bits);
  *anew = table_->refresh(word, bits);
  if (*anew) {  // a new connection between the same ports: a new flow
    table_->repin(word, pins_[choose(batch, packet, digest)]);
  }
  if (word_bits(*word) & kSessionRead) read(batch, packet, *word, digest);
  return word_pin(*word);
}

uint16_t PinnedBalancer::begin(const Batch& batch, Index packet, uint64_t digest,
                               uint8_t bits) noexcept {
  const FlowKey key = flow_key(batch, packet, options_.rule);
  uint16_t pin = kNoPin;
  if (related_ && !related_->empty()) {
    const uint64_t parent = related_->parent_of(key, batch.packets[packet].timestamp);
    const uint64_t* found = parent ? table_->find(parent) : nullptr;
    if (found && outlet_of_[word_pin(*found)] != kGone) {
      pin = word_pin(*found);
      ++counts_->related;
    }
  }
  if (pin == kNoPin) pin = pins_[choose(batch, packet, digest)];
  uint64_t* word = table_->begin(*scope_, digest, key, bits, pin);
  if (!word) {
    ++counts_->unpinned;
    --counts_->pinned;
    return static_cast<uint16_t>(kFirstPlace + placer_.place(batch, packet, digest ^ salt_));
  }
  if (related_ && RelatedFlows::announces(key)) {
    table_->mark_read(word);
    read(batch, packet, *word, digest);
  }
  return pin;
}

// Its output is gone: the flow goes where it would go were it new.
uint16_t PinnedBalancer::move(const Batch& batch, Index packet, uint64_t digest) noexcept {
  const uint16_t pin = pins_[choose(batch, packet, digest)];
  uint64_t* word = table_->find(digest);
  if (word && outlet_of_[word_pin(*word)] != kGone) return word_pin(*word);  // moved in this batch
  if (word) table_->repin(word, pin);
  ++counts_->moved;
  return word ? pin : static_cast<uint16_t>(kFirstPlace + outlet_of_[pin]);
}

uint32_t PinnedBalancer::choose(const Batch& batch, Index packet, uint64_t digest) const noexcept {
  // Levels and scopes apart, the hash is that of the stateless balancer: who pins nothing, or
  // cannot, sends a flow to the same output.
  const uint32_t home = placer_.place(batch, packet, digest ^ salt_);
  return options_.placement == Placement::least_loaded ? least_loaded(home) : home;
}

// Flows that are known to speak what an output is named for go there, from this packet on.
void PinnedBalancer::steer(const Batch& batch, const Index* picks, uint32_t count) noexcept {
  for (uint32_t i = 0; i < count; ++i) {
    const uint16_t outlet = options_.by_application[batch.applications[picks[i]]];
    if (outlet == UINT16_MAX || look_.pin[i] == pins_[outlet] || !placer_.is_open(outlet)) continue;
    uint64_t* word = table_->find(look_.digest[i]);
    if (!word) {
      look_.pin[i] = static_cast<uint16_t>(kFirstPlace + outlet);
      continue;
    }
    look_.pin[i] = pins_[outlet];
    if (word_pin(*word) == pins_[outlet]) continue;
    table_->repin(word, pins_[outlet]);
    ++counts_->steered;
  }
}

// From `first` on, so that outputs with equal loads take turns.
uint32_t PinnedBalancer::least_loaded(uint32_t first) const noexcept {
  const auto count = static_cast<uint32_t>(pins_.size());
  uint32_t best = first;
  double least = -1;
  for (uint32_t step = 0; step < count; ++step) {
    const uint32_t i = first + step < count ? first + step : first + step - count;
    if (!placer_.is_open(i) || !(options_.weights[i] > 0)) continue;
    const double load = scope_->sessions(pins_[i]) / options_.weights[i];
    if (least >= 0 && load >= least) continue;
    least = load;
    best = i;
  }
  return best;
}

void PinnedBalancer::read(const Batch& batch, Index packet, uint64_t word,
                          uint64_t digest) noexcept {
  related_->read(batch, packet, table_->record(word).key, digest);
}

void PinnedBalancer::outlet_changed(uint32_t outlet, OutletState state) noexcept {
  lost_[outlet] = state == OutletState::lost;
  if (!options_.failover) return;
  placer_.set_open(outlet, !lost_[outlet] && !options_.draining[outlet]);
  // Where nobody is left, flows stay with their outputs.
  const bool others = std::find(lost_.begin(), lost_.end(), false) != lost_.end();
  for (uint32_t i = 0; i < pins_.size(); ++i) {
    outlet_of_[pins_[i]] = lost_[i] && others ? kGone : static_cast<uint16_t>(i);
  }
}

uint32_t PinnedBalancer::figures(Figure* to) const noexcept {
  uint64_t draining = 0;
  for (size_t i = 0; i < pins_.size(); ++i) {
    if (options_.draining[i]) draining += scope_->sessions(pins_[i]);
  }
  uint32_t count = 0;
  to[count++] = {"sessions", scope_->sessions()};
  to[count++] = {"pinned", counts_->pinned};
  to[count++] = {"unpinned", counts_->unpinned};
  to[count++] = {"moved", counts_->moved};
  to[count++] = {"related", counts_->related};
  to[count++] = {"steered", counts_->steered};
  to[count++] = {"draining", draining};
  return count;
}

Decision PinnedBalancer::explain(const Batch& batch, Index packet, uint32_t) const {
  const uint64_t digest = digest_of(batch, packet);
  const auto seconds = [](Nanos time) { return std::to_string(time / 1000000000) + " s"; };
  const uint64_t* word = table_->find(digest);
  std::string pin;
  if (word) {
    const uint16_t outlet = outlet_of_[word_pin(*word)];
    pin = "pinned for " + seconds(table_->age(*word)) + ", silent for " +
          seconds(table_->silence(*word));
    if (outlet != kGone) {
      const bool draining = options_.draining[outlet];
      return {{outlet}, pin + (draining ? "; the output drains" : "")};
    }
    pin = "was " + pin + ", its output is gone; ";
  }
  const uint32_t outlet = choose(batch, packet, digest);
  if (options_.placement != Placement::least_loaded) {
    return {{outlet}, pin + "new flow: " + placer_.why(digest ^ salt_)};
  }
  return {{outlet},
          pin + "new flow: the fewest live sessions for its weight, " +
              std::to_string(scope_->sessions(pins_[outlet]))};
}

}  // namespace bricks
