// A graph as a value: what an engine is asked to be. Built by src/flow, checked there and here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mem/option.hh"

namespace bricks {

struct Graph {
  struct Inlet {
    std::string port;  // port name; the same name again is the same open port, kept across applies
    uint32_t brick = 0;  // index in `bricks`
  };
  struct Outlet {
    std::string name;    // port name, or the label of a link
    int32_t brick = -1;  // >= 0: fused to that brick (index in `bricks`), no port is opened
  };
  struct Node {
    std::string id;  // the same id, kind and options again keep the brick and its counts
    std::string kind;
    Options options;
    uint32_t level = 1;
    std::vector<Outlet> outlets;
  };
  std::vector<Inlet> inlets;
  std::vector<Node> bricks;
};

}  // namespace bricks
