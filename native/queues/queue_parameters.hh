// What a queue group is: its rate, its queue, and what happens beyond them. Read from options by
// name (Lua, a brick); the table of these options is here, too.
#pragma once

#include <span>

#include "mem/option.hh"
#include "queues/codel.hh"
#include "queues/meters.hh"
#include "queues/pie.hh"
#include "queues/red.hh"

namespace bricks {

enum class QueueKind : uint8_t {
  policer,  // what is beyond the rate is dropped or recoloured; nothing waits
  shaper,   // it waits
  aqm,      // no rate: packets wait while what is behind the queue has no room
};
enum class QueueMeter : uint8_t { single, srtcm, trtcm, rfc4115 };
enum class QueueDiscipline : uint8_t { tail_drop, red, codel, pie, fq_codel };

struct QueueParameters {
  QueueKind kind = QueueKind::shaper;
  QueueMeter meter = QueueMeter::single;
  QueueDiscipline discipline = QueueDiscipline::tail_drop;
  bool leased = false;       // workers take tokens in portions; else each packet's from one bucket
  bool ecn = false;          // mark rather than drop, where the packet can be marked
  bool borrow = false;       // packets longer than the bucket go when it is full, and owe the rest
  bool drop_at_end = false;  // what waits when the group or its worker goes is dropped
  bool aware = false;        // meters believe the colour that a packet's DSCP has (RFC 2597)
  bool drop_yellow = false;
  int8_t yellow_dscp = -1;  // 0 to 63: yellow packets get it; -1: they keep theirs
  int32_t overhead = 0;     // bytes that each packet has on the wire beside its IP packet
  uint32_t packets = 0;     // most that wait, over all workers
  uint32_t share = 100;     // percent of them that one session may have
  uint64_t bytes = 0;
  uint64_t cir = 0, cbs = 0;  // bytes a second, bytes
  uint64_t pir = 0;           // trtcm: the peak rate; rfc4115: the excess rate
  uint64_t ebs = 0;           // trtcm: PBS
  RedParameters red;
  CodelParameters codel;
  PieParameters pie;
  uint32_t flows = 0;    // fq_codel: of one group and worker
  uint32_t quantum = 0;  // fq_codel: bytes a flow has a turn
  uint64_t seed = 0;

  bool operator==(const QueueParameters&) const = default;
};

// All options but `id`.
std::span<const OptionDescriptor> queue_options() noexcept;
// `options` are checked and complete (check_options). invalid_argument, with `where` in front.
Status read_queue_options(const std::string& where, const Options& options, QueueParameters* to);
// What makes no sense is named: invalid_argument. `to` from read_queue_options() is right.
Status check_queue_parameters(const std::string& where, const QueueParameters& parameters);
// As read_queue_options() takes them.
Options queue_options_of(const QueueParameters& parameters);
// A group of amq_group_create(): a shaper with that rate and burst, all else as options default.
QueueParameters default_queue(uint64_t cir, uint64_t cbs) noexcept;

}  // namespace bricks
