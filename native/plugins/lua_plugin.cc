// Makes a bricks_plugin of a file of Lua: its functions are those of a LuaState for each worker.
#include "plugins/lua_plugin.hh"

#include <memory>
#include <mutex>

#include "plugins/lua_state.hh"

namespace bricks {

namespace {

// Text that C's records point to stays where it is as long as the plugin.
class LuaPlugin {
 public:
  static Status load(const PluginSpec& spec, std::shared_ptr<LuaPlugin>* plugin) {
    auto made = std::make_shared<LuaPlugin>();
    made->sources_ = std::make_shared<LuaSources>(spec.path);
    if (Status status = LuaState::open(made->sources_, &made->main_); !status.ok()) {
      status.message = spec.name + ": " + status.message;
      return status;
    }
    made->declare();
    *plugin = std::move(made);
    return {};
  }
  const bricks_plugin* functions() const noexcept { return &functions_; }

  // init: the plugin's own, in a state of its own that sees no events.
  static int init(const bricks_start* start, void** plugin) {
    auto* that = static_cast<LuaPlugin*>(plugin_keeper(start));
    *plugin = that;
    that->host_ = start->host;
    that->number_ = start->plugin;
    for (const LuaDescription::Option& option : that->main_->description().options) {
      const char* name = option.name.c_str();
      LuaValue value;
      if (option.type == 'n')
        value = start->number(start, name);
      else if (option.type == 'b')
        value = start->flag(start, name) != 0;
      else
        value = std::string(start->text(start, name));
      that->options_.emplace_back(option.name, std::move(value));
    }
    Status status = that->main_->start(start->host, start->plugin, that->options_);
    if (status.ok()) status = that->main_->call("init", 0);
    if (status.ok()) return 0;
    start->fail(start, status.message.c_str());
    return 1;
  }
  static int worker_init(void* plugin, uint32_t worker, void** state) {
    auto* that = static_cast<LuaPlugin*>(plugin);
    std::unique_ptr<LuaState> made;
    Status status = LuaState::open(that->sources_, &made);
    if (status.ok()) status = made->start(that->host_, that->number_, that->options_);
    if (status.ok()) status = made->call("worker_init", worker);
    if (!status.ok()) {
      const std::lock_guard lock(that->mutex_);
      that->failure_ = std::move(status.message);
      return 1;
    }
    *state = made.release();
    return 0;
  }
  static int handle(void* state, bricks_event* events, uint32_t count, uint32_t* at) {
    return static_cast<LuaState*>(state)->handle(events, count, at);
  }
  static void free_context(void* state, void* context) {
    static_cast<LuaState*>(state)->free_context(context);
  }
  static void worker_exit(void* state) {
    const std::unique_ptr<LuaState> last(static_cast<LuaState*>(state));
    (void)last->call("worker_exit", 0);
  }
  static std::string why(void* plugin, void* state) {
    if (state) return static_cast<LuaState*>(state)->error();
    auto* that = static_cast<LuaPlugin*>(plugin);
    const std::lock_guard lock(that->mutex_);
    return that->failure_;
  }
  static void exit(void* plugin) { (void)static_cast<LuaPlugin*>(plugin)->main_->call("exit", 0); }

 private:
  void declare() {
    const LuaDescription& d = main_->description();
    for (const LuaDescription::Option& option : d.options)
      option_list_.push_back({option.name.c_str(), option.summary.c_str(), option.type,
                              option.has_preset ? option.preset.c_str() : nullptr});
    option_list_.push_back({});
    for (const std::string& figure : d.figures) figure_list_.push_back(figure.c_str());
    figure_list_.push_back(nullptr);
    functions_ = {BRICKS_PLUGIN_ABI,
                  sizeof functions_,
                  d.name.c_str(),
                  d.summary.c_str(),
                  d.events,
                  d.protocols,
                  option_list_.data(),
                  figure_list_.data(),
                  init,
                  worker_init,
                  handle,
                  free_context,
                  worker_exit,
                  exit};
  }

  std::shared_ptr<LuaSources> sources_;
  std::unique_ptr<LuaState> main_;  // has been asked what there is; init and exit run in it
  std::vector<bricks_option> option_list_;
  std::vector<const char*> figure_list_;
  bricks_plugin functions_{};
  const bricks_host* host_ = nullptr;
  uint32_t number_ = 0;
  LuaOptions options_;
  std::mutex mutex_;
  std::string failure_;  // of the newest worker_init that failed
};

}  // namespace

Status load_lua(const PluginSpec& spec, PluginCode* code) {
  std::shared_ptr<LuaPlugin> plugin;
  if (Status status = LuaPlugin::load(spec, &plugin); !status.ok()) return status;
  code->functions = plugin->functions();
  code->keeper = std::move(plugin);
  code->collects = true;
  code->why = LuaPlugin::why;
  return {};
}

}  // namespace bricks
