// What an engine's two sides hand each other, and what its thread keeps between breaths.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "engine/plan.hh"
#include "sessions/session_table.hh"

namespace bricks {

inline constexpr uint32_t kPollMax = 64;  // descriptors that an engine sleeps on

struct FigureSet {
  std::array<Figure, kFiguresMax> all;
  uint32_t count = 0;
};

// A copy of what the engine's thread counts, all of one breath; sized by the control thread.
struct EngineCells {
  std::vector<LedgerCell> inputs, bricks, outputs;
  std::vector<FigureSet> figures;  // of bricks
  FigureSet fragments;
  std::vector<bool> finished, ready;
  uint64_t breaths = 0;
  uint32_t spill_free = 0;
  SessionCounts sessions;
};

// What the control thread asks for; attended to between two breaths.
struct EngineRequest {
  Plan* next = nullptr;
  bool stop = false;
  EngineCells* cells = nullptr;
  bool open = false;
  const std::function<void(Plan&)>* look = nullptr;
};

// A batch that outputs have not taken all of, and who gets it back then.
struct Unfinished {
  Plan* plan = nullptr;  // that routed it; null: there is none
  Batch* batch = nullptr;
  Input* input = nullptr;
  Brick* brick = nullptr;
};

}  // namespace bricks
