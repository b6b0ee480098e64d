// What a plan is made of: its bricks and outputs with the lists of packets between them.
#pragma once

#include <memory>
#include <vector>

#include "engine/slots.hh"

namespace bricks {

struct PlanTarget {
  bool is_output;
  uint32_t index;  // of the plan's nodes or leaves
};

struct PlanNode {
  BrickSlot* slot;
  std::vector<Outlets::List> lists;
  std::vector<PlanTarget> targets;
  std::vector<Index> storage;  // the lists' own memory
  uint32_t parents = 0;        // lists that may come in
  uint64_t multiplicity = 0;   // how often a packet can be in `in` at most
  const Index* in = nullptr;
  uint32_t in_count = 0;
  std::vector<Index> merged;   // memory for `in` where several lists meet
  std::unique_ptr<Cuts> cuts;  // where its type has them
  std::vector<const Cuts*> cuts_before;
  bool lossless = false;               // packets of a lossless input come here
  std::vector<const Source*> sources;  // where its type holds
  bool leaving = false;                // see Plan::prepare_leaving
  std::vector<OutputSlot*> room_of;    // outputs it is to know the room of (Brick::asks_room)
};

struct Tap;
struct PlanTapPoint {
  int32_t node;    // of the plan's nodes; -1: an input
  uint32_t which;  // its outlet; or the input
  Tap* tap;
};

struct PlanLeaf {
  OutputSlot* slot;
  const Index* picks = nullptr;
  uint32_t count = 0;
  bool exclusive = true;          // no later output can hold the same packet
  bool touched = false;           // since the last flush
  std::vector<const Cuts*> cuts;  // of the bricks before it
};

}  // namespace bricks
