// The Session brick in an engine's graph, with a plugin of this build.
#pragma once

#include "engine_house.hh"
#include "plugin_fixture.hh"

namespace bricks::sessions {

// A list of plugins that has one.
struct Plugged {
  uint64_t number = 0;
  std::shared_ptr<PluginList> list;

  explicit Plugged(const std::string& plugin, Options options = {}, Options keys = {}) {
    CHECK(open_plugin_list(&number).ok());
    list = find_plugin_list(number);
    const Status status = list->set({plugin_fixture::spec_of(plugin_fixture::built_plugin(plugin),
                                                             std::move(options), std::move(keys))});
    if (!status.ok()) std::printf("  %s\n", status.message.c_str());
    CHECK(status.ok());
  }
  ~Plugged() { close_plugin_list(number); }
  Plugged(const Plugged&) = delete;
  Plugged& operator=(const Plugged&) = delete;
  // Of the plugin's counts and figures; -1: there is none of that name.
  int64_t count(const std::string& name) const {
    for (const PluginInfo& info : list->list()) {
      for (const auto& [key, value] : info.counts) {
        if (key == name) return value;
      }
    }
    return -1;
  }
};

// Inputs, the Session brick with those plugins, outputs.
inline Graph session(const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs, const Plugged& plugged,
                     Options options = {}) {
  Graph graph;
  for (const std::string& input : inputs) graph.inlets.push_back({input, 0});
  Graph::Node& node = graph.bricks.emplace_back();
  node.id = node.kind = "Session";
  node.options = std::move(options);
  node.options["plugins"] = static_cast<int64_t>(plugged.number);
  for (const std::string& output : outputs) node.outlets.push_back({output, -1});
  return graph;
}

// Of the graph's first brick.
inline uint64_t figure(const EngineSnapshot& now, const std::string& name) {
  for (const Figure& figure : now.bricks[0].figures) {
    if (name == figure.name) return figure.value;
  }
  std::printf("  no figure %s\n", name.c_str());
  CHECK(false);
  return 0;
}

}  // namespace bricks::sessions
