// The two kinds of LoadBalancer behind one BrickType: those that decide for each packet alone, and
// those that remember.
#pragma once

#include <memory>

#include "bricks/balancer_options.hh"
#include "bricks/rendezvous.hh"
#include "sessions/related_flows.hh"
#include "sessions/session_table.hh"

namespace bricks {

std::unique_ptr<Brick> make_stateless_balancer(const BalancerOptions& options);

// Which outlet, were there no state: where new flows of both kinds go.
class Placer {
 public:
  explicit Placer(const BalancerOptions& options);
  // `digest`: of the flow, under its rule.
  uint32_t place(const Batch& batch, Index packet, uint64_t digest) const noexcept;
  bool is_open(uint32_t outlet) const noexcept { return rendezvous_.is_open(outlet); }
  void set_open(uint32_t outlet, bool open) noexcept { rendezvous_.set_open(outlet, open); }
  const Rendezvous& rendezvous() const noexcept { return rendezvous_; }
  std::string why(uint64_t digest) const;

 private:
  Rendezvous rendezvous_;
  bool modulo_, addresses_only_;
  uint32_t level_, outlets_;
};

class PinnedBalancer final : public Brick {
 public:
  static Status make(const BalancerOptions& options, const BrickPlace& place,
                     std::unique_ptr<Brick>* brick);

  void push(Batch& batch, Picks in, Outlets& out) noexcept override;
  void outlet_changed(uint32_t outlet, OutletState state) noexcept override;
  int64_t outlet_sessions(uint32_t outlet) const noexcept override {
    return scope_->sessions(pins_[outlet]);
  }
  uint32_t figures(Figure* to) const noexcept override;
  Decision explain(const Batch& batch, Index packet, uint32_t outlets) const override;

 private:
  // In outlet_of_: a pin whose output is gone. Pins above the last name an outlet by its place, for
  // flows that have no session.
  static constexpr uint16_t kGone = UINT16_MAX;
  static constexpr uint16_t kFirstPlace = kSessionPinsMax + 1;
  static_assert(uint32_t{kFirstPlace} + kOutletsMax <= 65536);
  struct Counts {  // engine's thread
    uint64_t pinned = 0, unpinned = 0, moved = 0, related = 0, steered = 0;
  };

  PinnedBalancer(const BalancerOptions& options, SessionTable* table);
  uint64_t digest_of(const Batch& batch, Index packet) const noexcept;
  void collect_plain(const Batch& batch, const Index* picks, uint32_t count) noexcept;
  void collect(const Batch& batch, const Index* picks, uint32_t count) noexcept;
  uint16_t settle(const Batch& batch, Index packet, uint64_t digest, uint8_t bits,
                  bool* anew) noexcept;
  uint16_t begin(const Batch& batch, Index packet, uint64_t digest, uint8_t bits) noexcept;
  uint16_t move(const Batch& batch, Index packet, uint64_t digest) noexcept;
  void steer(const Batch& batch, const Index* picks, uint32_t count) noexcept;
  uint32_t choose(const Batch& batch, Index packet, uint64_t digest) const noexcept;
  uint32_t least_loaded(uint32_t first) const noexcept;
  void read(const Batch& batch, Index packet, uint64_t word, uint64_t digest) noexcept;

  BalancerOptions options_;
  Placer placer_;
  bool plain_rule_;
  uint64_t salt_ = 0;
  SessionTable* table_;
  std::shared_ptr<SessionScope> scope_;
  std::vector<uint16_t> pins_;       // of the outlets
  std::vector<uint16_t> outlet_of_;  // by pin
  std::vector<bool> lost_;
  std::unique_ptr<RelatedFlows> related_;
  std::shared_ptr<Counts> counts_;  // goes on where the brick is made anew
  SessionBatch look_;
};

}  // namespace bricks
