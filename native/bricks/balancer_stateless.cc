// Placement that depends on nothing but the packet.
#include <algorithm>
#include <array>

#include "bricks/balancer.hh"
#include "bricks/modulo_hash.hh"

namespace bricks {

namespace {

// `Entry`: as small as the number of outlets allows; the table should stay in the first-level
// cache.
template <typename Entry, bool kPlainRule>
class HashedBalancer final : public Brick {
 public:
  explicit HashedBalancer(const BalancerOptions& options)
      : rendezvous_(options.names, options.weights, options.level),
        rule_(options.rule),
        failover_(options.failover) {
    copy_table();
  }

  void push(Batch& batch, Picks in, Outlets& out) noexcept override {
    Outlets::List* lists = out.lists();
    const uint32_t salt = rendezvous_.salt();
    for (const Index i : in) {
      const auto hash = kPlainRule ? batch.packets[i].hash
                                   : static_cast<uint32_t>(flow_digest(batch, i, rule_) >> 32);
      // Each level multiplies by another odd number: a balancer behind a balancer decides anew.
      *lists[table_[(hash * salt) >> (32 - Rendezvous::kBucketBits)]].end++ = i;
    }
  }

  void outlet_changed(uint32_t outlet, OutletState state) noexcept override {
    if (!failover_) return;
    rendezvous_.set_open(outlet, state == OutletState::ready);
    copy_table();
  }

  Decision explain(const Batch& batch, Index packet, uint32_t) const override {
    const auto hash = static_cast<uint32_t>(flow_digest(batch, packet, rule_) >> 32);
    return {{rendezvous_.outlet(hash)},
            "hash bucket " + std::to_string(rendezvous_.bucket(hash)) + "; it pins no flows"};
  }

 private:
  void copy_table() noexcept {
    for (uint32_t i = 0; i < Rendezvous::kBuckets; ++i) {
      table_[i] = static_cast<Entry>(rendezvous_.table()[i]);
    }
  }
  alignas(64) std::array<Entry, Rendezvous::kBuckets> table_;
  Rendezvous rendezvous_;
  FlowRule rule_;
  bool failover_;
};

class ModuloBalancer final : public Brick {
 public:
  explicit ModuloBalancer(const BalancerOptions& options)
      : placer_(options), failover_(options.failover) {}

  void push(Batch& batch, Picks in, Outlets& out) noexcept override {
    for (const Index i : in) out.put(placer_.place(batch, i, 0), i);
  }
  void outlet_changed(uint32_t outlet, OutletState state) noexcept override {
    if (failover_) placer_.set_open(outlet, state == OutletState::ready);
  }
  Decision explain(const Batch& batch, Index packet, uint32_t) const override {
    return {{placer_.place(batch, packet, 0)}, placer_.why(0)};
  }

 private:
  Placer placer_;
  bool failover_;
};

template <typename Entry>
std::unique_ptr<Brick> make_hashed(const BalancerOptions& options) {
  if (options.rule == FlowRule{}) return std::make_unique<HashedBalancer<Entry, true>>(options);
  return std::make_unique<HashedBalancer<Entry, false>>(options);
}

}  // namespace

std::unique_ptr<Brick> make_stateless_balancer(const BalancerOptions& options) {
  if (options.placement == Placement::modulo) return std::make_unique<ModuloBalancer>(options);
  return options.names.size() <= 256 ? make_hashed<uint8_t>(options)
                                     : make_hashed<uint16_t>(options);
}

Placer::Placer(const BalancerOptions& options)
    : rendezvous_(options.names, options.weights, options.level),
      modulo_(options.placement == Placement::modulo),
      addresses_only_(options.rule.addresses_only),
      level_(options.level),
      outlets_(static_cast<uint32_t>(options.names.size())) {}

uint32_t Placer::place(const Batch& batch, Index packet, uint64_t digest) const noexcept {
  if (!modulo_) return rendezvous_.outlet(static_cast<uint32_t>(digest >> 32));
  const uint32_t home =
      modulo_hash(batch.packets[packet], batch.link, addresses_only_, level_) % outlets_;
  for (uint32_t step = 0; step < outlets_; ++step) {
    const uint32_t outlet = home + step < outlets_ ? home + step : home + step - outlets_;
    if (is_open(outlet)) return outlet;
  }
  return home;
}

std::string Placer::why(uint64_t digest) const {
  if (modulo_) return "packet-bricks' hash modulo " + std::to_string(outlets_) + " outputs";
  return "hash bucket " + std::to_string(rendezvous_.bucket(static_cast<uint32_t>(digest >> 32)));
}

}  // namespace bricks
