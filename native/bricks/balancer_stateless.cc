// Placement that depends on nothing but the packet.
#include <algorithm>

#include "bricks/balancer.hh"
#include "bricks/distribute.hh"
#include "bricks/modulo_hash.hh"

namespace bricks {

namespace {

// `Entry`: as small as the number of outlets allows: the table should stay in the caches.
template <typename Entry, bool kPlainRule>
class HashedBalancer final : public Brick {
 public:
  explicit HashedBalancer(const BalancerOptions& options)
      : rendezvous_(options.names, options.weights, options.level),
        rule_(options.rule),
        failover_(options.failover) {}

  void push(Batch& batch, Picks in, Outlets& out) noexcept override {
    rendezvous_.refresh();
    // A packet that several ways bring here twice is twice in `in`: more than a batch, in parts.
    for (size_t at = 0; at < in.size(); at += kBatchMax) {
      push_part(batch, in.subspan(at, std::min<size_t>(in.size() - at, kBatchMax)), out.lists());
    }
  }

  void outlet_changed(uint32_t outlet, OutletState state) noexcept override {
    if (failover_) rendezvous_.set_open(outlet, state == OutletState::ready);
  }

  Decision explain(const Batch& batch, Index packet, uint32_t) const override {
    const auto hash = static_cast<uint32_t>(flow_digest(batch, packet, rule_) >> 32);
    return {{rendezvous_.outlet(hash)},
            "hash bucket " + std::to_string(rendezvous_.bucket(hash)) + "; it pins no flows"};
  }

 private:
  void push_part(const Batch& batch, Picks in, std::span<Outlets::List> lists) noexcept {
    const Entry* cells = rendezvous_.cells<Entry>();
    const uint32_t salt = rendezvous_.salt();
    const auto bucket = [&](Index i) noexcept {
      const auto hash = kPlainRule ? batch.packets[i].hash
                                   : static_cast<uint32_t>(flow_digest(batch, i, rule_) >> 32);
      // Each level multiplies by another odd number: a balancer behind a balancer decides anew.
      return (hash * salt) >> (32 - Rendezvous::kBucketBits);
    };
    uint16_t found[kBatchMax];
    const Index* const picks = in.data();
    const auto count = static_cast<uint32_t>(in.size());
    uint32_t any = 0;
    for (uint32_t k = 0; k < count; ++k) {
      const uint32_t outlet = uint32_t{cells[bucket(picks[k])]} - 1;
      any |= outlet;
      found[k] = static_cast<uint16_t>(outlet);
    }
    static_assert(kOutletsMax <= kUnknown);
    for (uint32_t k = 0; any >= kUnknown && k < count; ++k) {
      if (found[k] >= kUnknown) {
        found[k] = static_cast<uint16_t>(rendezvous_.settle(bucket(picks[k])));
      }
    }
    distribute(picks, found, count, lists);
  }

  static constexpr uint32_t kUnknown = 1u << 15;
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
  return options.names.size() < 256 ? make_hashed<uint8_t>(options)
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
