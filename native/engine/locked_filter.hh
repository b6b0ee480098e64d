// `x{0?filter=EXPRESSION`: what does not match never reaches that output, whoever reads it.
#pragma once

#include "engine/graph.hh"

namespace bricks {

// The graph with a Filter of its own before each output whose name has a `filter`. The brick before
// it keeps its outlet's name: where a LoadBalancer sends a flow does not depend on the filter.
Graph with_locked_filters(const Graph& graph);

}  // namespace bricks
