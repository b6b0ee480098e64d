// A script as a bricks_plugin: the functions that the plugin manager calls. (init:
// script_loader.cc.)
#include "plugins/script_worker.hh"

namespace bricks {

// What bricks_plugin points to.
struct ScriptHost::Names {
  std::vector<bricks_option> options;
  std::vector<const char*> figures;
};

void ScriptHost::make_functions() {
  names_ = std::make_shared<Names>();
  for (const ScriptOption& option : definition_.options) {
    names_->options.push_back({option.name.c_str(), option.summary.c_str(), option.type,
                               option.has_preset ? option.preset.c_str() : nullptr});
  }
  names_->options.push_back({nullptr, nullptr, 0, nullptr});
  for (const std::string& figure : definition_.figures) names_->figures.push_back(figure.c_str());
  for (const char* figure : kScriptFigures) names_->figures.push_back(figure);
  names_->figures.push_back(nullptr);

  functions_.abi = BRICKS_PLUGIN_ABI;
  functions_.size = sizeof functions_;
  functions_.name = definition_.name.c_str();
  functions_.summary = definition_.summary.c_str();
  functions_.events = definition_.events;
  functions_.protocols = definition_.protocols;
  functions_.options = names_->options.data();
  functions_.figures = names_->figures.data();
  functions_.worker_init = [](void* plugin, uint32_t worker, void** state) -> int {
    *state = static_cast<ScriptHost*>(plugin)->add_worker(worker);
    return *state ? BRICKS_DONE : BRICKS_ENOMEM;
  };
  functions_.handle = [](void* state, bricks_event* events, uint32_t count, uint32_t* at) {
    return static_cast<ScriptWorker*>(state)->handle(events, count, at);
  };
  functions_.free_context = [](void* state, void* context) {
    static_cast<ScriptWorker*>(state)->free_context(context);
  };
  functions_.worker_exit = [](void* state) { static_cast<ScriptWorker*>(state)->leave(); };
  functions_.exit = [](void* plugin) { static_cast<ScriptHost*>(plugin)->close(); };
}

}  // namespace bricks
