// TcpStreams as it is.
#pragma once

#include "streams/block_pool.hh"
#include "streams/segment_tree.hh"
#include "streams/stream_state.hh"
#include "streams/tcp_streams.hh"

namespace bricks::streams {

class StreamPool final : public TcpStreams {
 public:
  explicit StreamPool(const StreamOptions& options) : options_(options) {}
  ~StreamPool() override;
  Status reserve();

  uint32_t open() noexcept override;
  Taken segment(uint32_t connection, uint32_t direction, const TcpSegment& segment,
                Sink& sink) override;
  void undo(uint32_t connection, uint32_t direction) noexcept override;
  void expire(uint32_t connection, Nanos now, Sink& sink) override;
  void stop(uint32_t connection, uint32_t direction, Sink& sink) override;
  void close(uint32_t connection, Sink& sink) override;
  void recycle() noexcept override { blocks_.recycle(); }
  void set_policy(uint32_t connection, uint32_t direction, OverlapPolicy policy) noexcept override;
  StreamPosition position(uint32_t connection, uint32_t direction) const noexcept override;
  const StreamCounts& counts() const noexcept override { return counts_; }
  uint64_t bytes_used() const noexcept override;

 private:
  Way way(uint32_t connection, uint32_t direction) const noexcept {
    Connection& it = connections_[connection];
    return {&it, &it.side[direction], connection * 2 + direction, direction};
  }

  // stream_arrival.cc: what a segment says beside its payload.
  void acknowledge(const Way& way, const TcpSegment& segment, Sink& sink);
  bool take_syn(const Way& way, uint32_t seq, const TcpSegment& segment, Sink& sink);
  void begin(const Way& way, uint32_t seq, bool has_syn, Sink& sink);
  void anchor(const Way& way, Position start, Sink& sink);
  void anchor_midstream(const Way& way, Sink& sink);
  void note_fin(Direction& it, Position fin) noexcept;
  void judge_again(Direction& it) noexcept;
  void accept_probe(const Way& way, Sink& sink);
  void look_for_timeout(const Way& way, Sink& sink);
  Taken take(const Way& way, const Piece& piece, Sink& sink);
  Taken take_after_end(const Way& way, const Piece& piece, Sink& sink);

  // stream_storage.cc: what waits.
  Taken store(const Way& way, Piece piece, Sink& sink);
  bool look(const Way& way, const Piece& piece, Overlaps* overlaps) const noexcept;
  bool make_room(const Way& way, Piece* piece, Taken* taken, Sink& sink);
  void compare(const Way& way, const Piece& piece, const Overlaps& overlaps, Sink& sink);
  bool has_room(const Way& way, Position from, Position end, bool wants_node) const noexcept;
  void write(const Way& way, Position at, std::span<const uint8_t> bytes) noexcept;
  void drop_node(Direction& it, uint32_t node) noexcept;
  void drop_waiting(const Way& way, uint64_t from_block) noexcept;
  void release_blocks(const Way& way, uint64_t from, uint64_t to) noexcept;
  void release_unused(const Way& way, Position to) noexcept;
  void release_all(const Way& way) noexcept;
  uint32_t block_at(const Way& way, uint64_t number) const noexcept;

  // stream_delivery.cc: what goes out.
  void deliver(const Way& way, Sink& sink, Force force);
  bool pass_hole(const Way& way, Position to, Force force, Sink& sink);
  void give_in_order(const Way& way, const Piece& piece, Sink& sink);
  void give_among_waiting(const Way& way, const Piece& piece, Sink& sink);
  void give_part(const Way& way, const Piece& piece, Position to, Sink& sink);
  void give_blocks(const Way& way, Position to, Sink& sink);
  void emit(const Way& way, std::span<const uint8_t> bytes, Sink& sink);
  void emit_urgent(const Way& way, std::span<const uint8_t> bytes, Sink& sink);
  void gap(const Way& way, Position to, GapReason reason, Sink& sink);
  bool settle_end(const Way& way, Sink& sink);
  void finish(const Way& way, EndReason reason, Sink& sink);
  void flush(const Way& way, Sink& sink);

  // stream_evidence.cc: what was given out, and whether it comes again as it was.
  void remember(const Way& way, Position at, std::span<const uint8_t> bytes) noexcept;
  void trim(const Way& way) noexcept;
  void repeat(const Way& way, const Piece& piece, Sink& sink);
  bool differs(const Way& way, const Piece& piece, Position from, Position to, bool delivered,
               Sink& sink);

  Position place(const Direction& it, uint32_t seq) const noexcept {
    return it.next + static_cast<uint64_t>(static_cast<int64_t>(
                         static_cast<int32_t>(seq - static_cast<uint32_t>(it.next))));
  }

  Bounds bounds(const Direction& it, uint32_t node) const noexcept {
    return {place(it, nodes_.at(node).start), place(it, nodes_.at(node).end)};
  }

  StreamOptions options_;
  StreamCounts counts_;
  SegmentNodes nodes_;
  BlockPool blocks_;
  Connection* connections_ = nullptr;
  uint32_t free_ = 0, fresh_ = 1;
  uint32_t session_blocks_ = 0, direction_blocks_ = 0;
  Nanos now_ = 0;
  void* memory_ = nullptr;
  uint64_t memory_bytes_ = 0;
};

}  // namespace bricks::streams
