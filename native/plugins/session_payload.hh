// What comes of packets beyond themselves: TCP payload in order (native/streams) and records of
// protocols (native/decoders), given to plugins as events one by one. Nothing is made that no
// plugin has registered for. Engine's thread.
#pragma once

#include <memory>

#include "decoders/inspector.hh"
#include "plugins/plugin_manager.hh"
#include "sessions/side_array.hh"
#include "streams/tcp_streams.hh"

namespace bricks {

struct PayloadOptions {
  streams::StreamOptions streams;
  uint32_t inspectors = 1u << 20;  // sessions whose protocol is looked for at a time
  uint32_t inspector_buffers = 4096;
  bool identify = false;  // what sessions speak is found out also where no plugin wants records
};

class SessionPayload final : private streams::Sink, private Sink {
 public:
  // `entries`: of the session table. invalid_argument, failed. Control thread.
  static Status create(const PayloadOptions& options, uint32_t entries,
                       std::unique_ptr<SessionPayload>* payload);
  ~SessionPayload() override = default;

  static constexpr uint32_t kEvents =
      BRICKS_ON(BRICKS_EVENT_PAYLOAD) | BRICKS_ON(BRICKS_EVENT_GAP) |
      BRICKS_ON(BRICKS_EVENT_CONFLICT) | BRICKS_ON(BRICKS_EVENT_PROTOCOL);
  // Does anybody want anything of this?
  bool wanted(const PluginManager& plugins) const noexcept {
    return options_.identify || plugins.events() & kEvents;
  }
  // Does bricks_session.application say what it can?
  bool identifies(const PluginManager& plugins) const noexcept {
    return options_.identify || plugins.events() & BRICKS_ON(BRICKS_EVENT_PROTOCOL);
  }

  void begin(bricks_session& session) noexcept;
  // A PACKET event's packet, which nobody has dropped.
  void packet(bricks_event& event, PluginManager& plugins, Nanos now) noexcept;
  // Before CLOSING: what still waits.
  void finish(bricks_session& session, PluginManager& plugins, Nanos now) noexcept;
  void recycle() noexcept { streams_->recycle(); }

  const PayloadOptions& options() const noexcept { return options_; }
  uint64_t stream_bytes() const noexcept { return streams_->bytes_used(); }
  const streams::StreamCounts& stream_counts() const noexcept { return streams_->counts(); }
  const InspectorCounts& inspector_counts() const noexcept { return inspectors_->counts(); }

 private:
  struct Parts {
    uint32_t stream, inspector;  // 0: none
    bool inspected;              // nothing more comes of its inspector
    bool asked;                  // for both
  };
  SessionPayload() = default;
  void tcp(bricks_event& event) noexcept;
  void open(bricks_session& session, Parts& parts) noexcept;
  void give(bricks_event_type type, uint8_t direction, uint64_t offset, const void* data,
            uint32_t length, uint16_t reason) noexcept;
  // streams::Sink
  void payload(uint32_t direction, uint64_t offset, std::span<const uint8_t> bytes) override;
  void gap(uint32_t direction, uint64_t offset, uint64_t length,
           streams::GapReason reason) override;
  void conflict(uint32_t direction, const streams::Conflict& conflict) override;
  void end(uint32_t direction, uint64_t offset, streams::EndReason reason) override;
  // Sink of decoders
  void identified(uint8_t protocol) noexcept override;
  void record(uint8_t protocol, uint8_t kind, const void* record,
              uint8_t direction) noexcept override;

  PayloadOptions options_;
  std::unique_ptr<streams::TcpStreams> streams_;
  std::unique_ptr<Inspectors> inspectors_;
  SideArray<Parts> parts_;
  // Of the call under way.
  PluginManager* plugins_ = nullptr;
  bricks_session* session_ = nullptr;
  uint32_t entry_ = 0;  // its
  const bricks_packet_view* packet_ = nullptr;
  Nanos now_ = 0;
};

}  // namespace bricks
