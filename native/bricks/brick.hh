// The contract of a brick: a batch comes in, each packet goes to one or more outlets or is dropped
// with a reason. A brick sees no port names, no engine and no Node; its file also holds its
// BrickType, from which help, argument checks and docs/bricks.md come.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bricks/outlets.hh"
#include "mem/option.hh"
#include "wire/packet.hh"

namespace bricks {

// What the engine knows of the outputs behind an outlet.
enum class OutletState : uint8_t {
  ready,  // at least one of them takes packets
  lost,   // none does: no consumer, or its heartbeat has stopped
};

// Where a brick would send a packet, and why: for `bricks explain`.
struct Decision {
  std::vector<uint32_t> outlets;
  std::string why;  // one line
};

class Brick {
 public:
  virtual ~Brick() = default;
  virtual void push(Batch& batch, Picks in, Outlets& out) noexcept = 0;

  // For types with `holds`: packets that push() has taken to memory of the brick's own (counted in
  // its cell.held) come back by release(). The engine asks for them before every push() to this
  // brick, once a breath, and with `all` before the brick goes and at the end of all input.
  // Engine's thread.
  virtual bool due(Nanos now, bool all) const noexcept { return (void)now, (void)all, false; }
  // Fills `batch` (empty, all fields) with what is due and puts it to outlets; counts it out of
  // cell.held. Up to kBatchMax; asked again while due().
  virtual void release(Batch& batch, Nanos now, bool all, Outlets& out) noexcept {
    (void)batch, (void)now, (void)all, (void)out;
  }
  // That batch is dealt with: its memory may be used again. Until then release() is not called.
  virtual void recycle(Batch& batch) noexcept { (void)batch; }
  // Wall-clock time at which something will be due; 0: nothing is held.
  virtual Nanos due_at() const noexcept { return 0; }

  // For types with `holds`: whether it goes by how many packets the outputs can take that it leads
  // to directly. Then room() says so before each push(), and before due() and release(): the least
  // that one of them says; UINT32_MAX: none does, or they are waited for (lossless inputs).
  virtual bool asks_room() const noexcept { return false; }
  virtual void room(uint32_t packets, Nanos now) noexcept { (void)packets, (void)now; }

  // For types with `holds`: where batches come from (Batch.source), now and after every change of
  // the graph. Valid until the next call. Engine's thread, between breaths.
  virtual void expect(std::span<const Source* const> sources) { (void)sources; }
  // False: a lossless source is so far ahead of others that its packets have no room. Not read
  // until it is true again.
  virtual bool wants(const Source& source) const noexcept { return (void)source, true; }

  // The state behind an outlet has changed (all are `ready` at first). Engine's thread, between
  // breaths.
  virtual void outlet_changed(uint32_t outlet, OutletState state) noexcept {
    (void)outlet, (void)state;
  }
  // Live flows that stay with that outlet; -1: it does not know. Between breaths, engine's thread.
  virtual int64_t outlet_sessions(uint32_t outlet) const noexcept { return (void)outlet, -1; }
  // Between breaths, engine's thread: fills in up to kFiguresMax, returns how many.
  virtual uint32_t figures(Figure* to) const noexcept { return (void)to, 0; }
  // Between breaths: what push() would do with this decoded packet; changes nothing. The default:
  // all outlets. May allocate.
  virtual Decision explain(const Batch& batch, Index packet, uint32_t outlets) const;
};

struct PortCount {
  uint32_t minimum;
  uint32_t maximum;
};

class SessionTable;  // sessions/session_table.hh: the engine's

// What the engine knows when it makes a brick.
struct BrickPlace {
  uint32_t outlets;                       // how many there will be
  uint32_t level;                         // 1 for a root, 2 for its children, ...
  std::vector<std::string> outlet_names;  // pipes without what their names have after '?'
  std::string id = {};               // the brick's, unique in its engine and kept across changes
  SessionTable* sessions = nullptr;  // outlives the brick; null: none (tests)
  const Brick* before = nullptr;     // the brick of that id it takes over from; null: none
};

struct BrickType {
  const char* name;
  const char* summary;  // one line
  const char* details;  // a paragraph for the reference page
  PortCount inputs;
  PortCount outputs;
  bool duplicates;     // may give one packet to several outlets
  bool reads_flows;    // looks at what decode adds: hash, network, ip_version
  bool cuts;           // may call Outlets::cut
  bool holds = false;  // may keep packets and release them later
  std::span<const OptionDescriptor> options;
  std::span<const FigureDescriptor> figures = {};  // all that Brick::figures may name
  // `options` are checked and complete.
  Status (*make)(const Options& options, const BrickPlace& place, std::unique_ptr<Brick>* brick);
  // Whether what the pipes behind its outlets have no room for is to wait in the engine's spill
  // pool; null: no.
  bool (*spills)(const Options& options) = nullptr;
};

// All kinds, in packet-bricks' order (bricks/brick_types.cc).
std::span<const BrickType* const> brick_types() noexcept;
const BrickType* find_brick_type(const std::string& name) noexcept;

}  // namespace bricks
