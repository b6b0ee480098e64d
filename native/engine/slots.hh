// What survives a change of graph: a port or brick itself and its row of the ledger. Shared by the
// plans that name it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bricks/brick.hh"
#include "ports/port.hh"

namespace bricks {

struct InputSlot {
  std::string name;
  std::unique_ptr<Input> port;
  LedgerCell cell;
  Source source;
  Batch batch;
};
struct OutputSlot {
  std::string name;
  std::unique_ptr<Output> port;
  LedgerCell cell;
};
struct BrickSlot {
  std::string id;
  const BrickType* type;
  Options options;
  BrickPlace place;
  std::unique_ptr<Brick> brick;
  LedgerCell cell;
  std::vector<OutletState> told;  // what the brick knows of its outlets (engine/outlet_watch.hh)
  Source source;                  // of what it holds and releases
};

}  // namespace bricks
