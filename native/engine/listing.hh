// What can be tapped: inputs, links between bricks, outputs, with a sentence each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/plan.hh"
#include "ports/recording.hh"

namespace bricks {

struct LinkRow {
  std::string name;      // the engine's end: "eth3", "eth3{0"
  std::string sentence;  // "from LoadBalancer lb to Filter f, in engine e0"
  uint32_t kind;         // BRICKS_LISTED_INPUT, _LINK or _OUTPUT
  std::shared_ptr<Recording> recording = nullptr;  // null: nobody records it
};

struct LinkList {
  std::vector<LinkRow> links;
  std::vector<std::string> taps;  // the engine's ends of pipes that are copies of some of these
};

void list_links(const Plan& plan, const std::string& engine, LinkList* to);

}  // namespace bricks
