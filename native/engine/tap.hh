// A tap: a copy of what passes one link of a running graph, into a pipe of its own. It waits for
// nobody and nobody waits for it: what its pipe cannot take is dropped, in its own cell, which is
// no part of the ledger's sum.
#pragma once

#include <memory>
#include <string>

#include "engine/plan.hh"
#include "filter/expression.hh"
#include "ports/recording.hh"

namespace bricks {

// What a tap shall see.
struct TapRequest {
  std::string link;        // an input, a link between bricks, or an output; either end's name
  std::string expression;  // libpcap; empty: all
  uint32_t sample = 1;     // one address pair in so many (abi/sample.h)
  uint32_t record_s = 0;   // record so many seconds in record_bytes; 0: into a pipe
  uint64_t record_bytes = 0;
  std::string access;  // of its pipe: "?user=1000&mode=0400"; empty: the daemon's user
};

// The filter of a request, null where it has none. invalid_argument.
Status compile_filter(const TapRequest& request, std::unique_ptr<Expression>* filter);

struct Tap {
  TapRequest request;
  std::unique_ptr<Expression> filter;    // null: none
  OutputSlot slot;                       // its pipe, or a recorder
  std::shared_ptr<Recording> recording;  // null: a pipe
  uint64_t passed = 0;                   // packets that went by, wanted or not
  Index picks[kBatchMax], matched[kBatchMax];

  // Keeps the wanted ones of up to kBatchMax picks in `matched`; returns how many.
  uint32_t choose(const Batch& batch, const Index* from, uint32_t count) noexcept;
};

struct TapRow {  // for status
  std::string name, link, expression;
  uint32_t sample;
  int32_t consumer_pid;
  uint64_t passed;
  LedgerCell cell;
  uint32_t record_s = 0;     // a recorder: how far back it goes at most
  uint64_t overwritten = 0;  // and how many packets had to go
};

}  // namespace bricks
