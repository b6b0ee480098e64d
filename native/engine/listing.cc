#include "engine/listing.hh"

#include "abi/bricks_list.h"

namespace bricks {

namespace {

// "LoadBalancer lb"
std::string in_words(const BrickSlot& brick) { return brick.type->name + (" " + brick.id); }

}  // namespace

void list_links(const Plan& plan, const std::string& engine, LinkList* to) {
  const std::string where = ", in engine " + engine;
  for (uint32_t i = 0; i < plan.inputs.size(); ++i) {
    const BrickSlot& first = *plan.bricks[plan.entry(i)];
    to->links.push_back(
        {plan.inputs[i]->name, "into " + in_words(first) + where, BRICKS_LISTED_INPUT});
  }
  for (uint32_t b = 0; b < plan.bricks.size(); ++b) {
    const std::string from = in_words(*plan.bricks[b]);
    for (const ExplainStep::Way& way : plan.ways(b)) {
      std::string next = way.brick;
      bool again = false;  // before a locked filter: the same name goes on behind it
      for (const auto& brick : plan.bricks) {
        if (brick->id != way.brick) continue;
        next = in_words(*brick);
        const auto& names = brick->place.outlet_names;
        again = names.size() == 1 && names[0] == way.link;
      }
      if (again) continue;
      const bool leaves = next.empty();
      to->links.push_back({way.link, "from " + from + (leaves ? "" : " to " + next) + where,
                           leaves ? BRICKS_LISTED_OUTPUT : BRICKS_LISTED_LINK});
    }
  }
}

}  // namespace bricks
