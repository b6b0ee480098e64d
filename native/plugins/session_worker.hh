// Stellar's worker loop: packets -> session manager -> plugin manager, and what else comes of a
// packet that some plugin wants: TCP payload in order, records of protocols. Says what is to become
// of each packet; where that is, whoever calls it knows. Engine's thread, but where it says.
#pragma once

#include <memory>
#include <string>

#include "mem/ledger.hh"
#include "plugins/plugin_manager.hh"
#include "plugins/session_payload.hh"
#include "sessions/dropped_datagrams.hh"
#include "sessions/session_manager.hh"

namespace bricks {

struct SessionSettings {
  SessionRules rules;
  PayloadOptions payload;
};

class SessionWorker final : private SessionSink {
 public:
  // Control thread. `owner`: the brick's id. failed, limit_reached, busy.
  static Status create(const std::string& owner, const SessionSettings& settings,
                       SessionTable& table, std::shared_ptr<PluginList> plugins, uint32_t outputs,
                       std::unique_ptr<SessionWorker>* worker);
  // Between batches.
  void set(const SessionRules& rules, uint32_t outputs) noexcept {
    manager_->set_rules(rules);
    plugins_->set_outputs(outputs);
  }

  struct Verdict {
    uint32_t session;  // entry number; 0: none
    uint16_t output;
    bool dropped;
    bool grouped;  // it belongs to queue groups, or did: groups()
    Drop reason;   // where it is dropped
    uint8_t direction;
    uint8_t group_count;
    uint8_t application;  // enum bricks_protocol
  };
  // kBatchMax packets at most; then there is a verdict for each.
  void run(const Batch& batch, Picks in, bool tick) noexcept;
  // All of them go to output 0, nothing is to be said of any.
  bool all_pass() const noexcept { return passing_ == in_.size(); }
  const Verdict& verdict(uint32_t i) noexcept {
    if (passing_) write_passing();
    return verdicts_[i];
  }
  // Its queue groups, as they were when its events were through.
  std::span<const uint32_t> groups(uint32_t i) noexcept {
    return {groups_[i], verdict(i).group_count};
  }

  // Until then, or the next run(), entries of those that are `grouped` are nobody else's, though
  // their sessions may have ended with a later packet.
  void forget_verdicts() noexcept;

  // Without packets: whether somebody is to be told of ends; tells some of them.
  bool unsettled() const noexcept { return manager_->unsettled(); }
  void settle(Nanos now) noexcept;
  // Do verdicts have an application, where it is known?
  bool identifies() const noexcept { return payload_->identifies(*plugins_); }
  uint64_t live() const noexcept { return manager_->live(); }
  void end_some(bricks_close_reason reason, Nanos now) noexcept;

  SessionManager& manager() noexcept { return *manager_; }
  const SessionManager& manager() const noexcept { return *manager_; }
  const PluginManager& plugins() const noexcept { return *plugins_; }
  const SessionPayload& payload() const noexcept { return *payload_; }

 private:
  SessionWorker() = default;
  void began(bricks_session& session) noexcept override;
  void lifecycle(std::span<bricks_event> events) noexcept override;
  void packets(std::span<bricks_event> events) noexcept override;
  uint32_t packets_together() noexcept override { return plugins_->packets_together(); }
  void plain(const PlainWave& wave) noexcept override;
  void settled(std::span<const Index> places) noexcept override;
  void over(bricks_session& session) noexcept override;
  void write_passing() noexcept;
  void follow_fragments() noexcept;
  void look_at_fates(std::span<bricks_event> events) noexcept;

  std::unique_ptr<PluginManager> plugins_;  // outlives the sessions' manager
  std::unique_ptr<SessionManager> manager_;
  std::unique_ptr<SessionPayload> payload_;
  DroppedDatagrams dropped_datagrams_;
  const Batch* batch_ = nullptr;
  Picks in_;
  Nanos now_ = 0;
  Verdict verdicts_[kBatchMax];
  Index pass_[kBatchMax];  // places whose verdicts are not written yet: they just pass
  uint32_t passing_ = 0;
  uint32_t groups_[kBatchMax][kSessionGroupsMax];
  uint32_t kept_[kBatchMax];  // entries
  uint32_t kept_count_ = 0;
};

}  // namespace bricks
