#include "engine/locked_filter.hh"

#include "ports/port_registry.hh"

namespace bricks {

namespace {

std::string filter_of(const std::string& output) {
  PortName name;
  if (!parse_port_name(output, &name).ok()) return {};  // opening it will say what is wrong
  for (const auto& [key, value] : name.parameters) {
    if (key == "filter") return value;
  }
  return {};
}

}  // namespace

Graph with_locked_filters(const Graph& graph) {
  Graph made = graph;
  for (size_t index = 0; index < graph.bricks.size(); ++index) {
    for (size_t o = 0; o < graph.bricks[index].outlets.size(); ++o) {
      Graph::Outlet& outlet = made.bricks[index].outlets[o];
      const std::string expression = outlet.brick < 0 ? filter_of(outlet.name) : std::string();
      if (expression.empty()) continue;
      Graph::Node filter;
      filter.id = "filter of " + outlet.name.substr(0, outlet.name.find('?'));
      filter.kind = "Filter";
      filter.options["expression"] = expression;
      filter.level = made.bricks[index].level + 1;
      filter.outlets.push_back({outlet.name, -1});
      outlet.brick = static_cast<int32_t>(made.bricks.size());
      made.bricks.push_back(std::move(filter));
    }
  }
  return made;
}

}  // namespace bricks
