// What all kinds of plugins go through when they are loaded.
#include "plugins/loaded_plugin.hh"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include "plugins/crash_report.hh"
#include "plugins/line_writer.hh"
#include "plugins/loaders.hh"
#include "plugins/plugin_call.hh"

namespace bricks {

// What init is given: the C struct first.
struct PluginStart : bricks_start {
  LoadedPlugin* loaded;

  static const bricks_option* find(const bricks_start* start, const char* name, char type,
                                   const std::string** value);
  static const char* get_text(const bricks_start* start, const char* option) {
    const std::string* value = nullptr;
    return find(start, option, 's', &value) ? value->c_str() : nullptr;
  }
  static double get_number(const bricks_start* start, const char* option) {
    const std::string* value = nullptr;
    return find(start, option, 'n', &value) ? std::strtod(value->c_str(), nullptr) : 0;
  }
  static int get_flag(const bricks_start* start, const char* option) {
    const std::string* value = nullptr;
    return find(start, option, 'b', &value) ? *value == "true" : 0;
  }
  static void fail_with(const bricks_start* start, const char* why) {
    if (why) static_cast<const PluginStart*>(start)->loaded->failure_ = why;
  }
};

const bricks_option* PluginStart::find(const bricks_start* start, const char* name, char type,
                                       const std::string** value) {
  const LoadedPlugin& plugin = *static_cast<const PluginStart*>(start)->loaded;
  const bricks_option* option = plugin.functions().options;
  for (size_t i = 0; option && option->name && name; ++option, ++i) {
    if (option->type != type || std::strcmp(option->name, name) != 0) continue;
    *value = &plugin.texts_[i];
    return option;
  }
  return nullptr;
}

namespace {

struct Registry {
  std::mutex mutex;
  std::map<uint32_t, std::weak_ptr<LoadedPlugin>> plugins;
  uint32_t last = 0;
};

Registry& registry() {
  static Registry* const all = new Registry;  // engines that end with the process use it
  return *all;
}

std::string option_names(const bricks_option* options) {
  std::string names;
  for (; options && options->name; ++options) {
    names += (names.empty() ? "" : ", ") + std::string(options->name);
  }
  return names.empty() ? "it has none" : "options: " + names;
}

// The value of an option as text, or what is wrong with it.
Status option_value(const std::string& where, const bricks_option& option, OptionValue value,
                    std::string* text) {
  OptionDescriptor one = {option.name, OptionType::text, "", -1.7e308, 1.7e308, nullptr, ""};
  // A list of texts has a line for each.
  if (const auto* list = std::get_if<std::vector<std::string>>(&value);
      list && option.type == 's') {
    std::string lines;
    for (const std::string& line : *list) lines += (lines.empty() ? "" : "\n") + line;
    value = lines;
  }
  if (option.type == 'n') one.type = OptionType::number;
  if (option.type == 'b') one.type = OptionType::boolean;
  Options checked = {{option.name, std::move(value)}};
  if (Status status = check_options(where, {&one, 1}, &checked); !status.ok()) return status;
  const OptionValue& made = checked.at(option.name);
  char digits[40];
  if (option.type == 'b') {
    *text = std::get<bool>(made) ? "true" : "false";
  } else if (option.type == 'n') {
    std::snprintf(digits, sizeof digits, "%.17g", std::get<double>(made));
    *text = digits;
  } else {
    *text = std::get<std::string>(made);
  }
  return {};
}

// Reports and metrics call a figure PLUGIN.FIGURE, beside the counts of all plugins.
Status check_figures(const std::string& where, const char* const* figures) {
  std::set<std::string> taken;
  for (const FigureDescriptor& count : kPluginCounts) taken.insert(count.name);
  for (uint32_t i = 0; figures && figures[i]; ++i) {
    if (i == kPluginFiguresMax) {
      return {Code::limit_reached, where + ": it has more than " +
                                       std::to_string(kPluginFiguresMax) +
                                       " figures (kPluginFiguresMax)"};
    }
    const std::string name(figures[i], strnlen(figures[i], kNameMax + 1));
    const bool letter = !name.empty() && name[0] >= 'a' && name[0] <= 'z';
    if (!letter || name.size() > kNameMax ||
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != name.npos) {
      return {Code::invalid_argument,
              where + ": figure " + std::to_string(i + 1) +
                  " is to be a name of small letters, digits and _, a letter first, not \"" + name +
                  '"'};
    }
    if (!taken.insert(name).second) {
      return {Code::invalid_argument, where + ": figure " + std::to_string(i + 1) +
                                          " has a name that another figure or a count of all "
                                          "plugins has: " +
                                          name};
    }
  }
  return {};
}

Status check_functions(const std::string& where, const bricks_plugin* plugin) {
  if (plugin->abi != BRICKS_PLUGIN_ABI) {
    return {Code::unsupported, where + ": it is made for plugin ABI " +
                                   std::to_string(plugin->abi) + ", and this bricks has " +
                                   std::to_string(BRICKS_PLUGIN_ABI) +
                                   "; build it with the header of this bricks"};
  }
  if (plugin->size != sizeof(bricks_plugin)) {
    return {Code::unsupported, where + ": its bricks_plugin has " + std::to_string(plugin->size) +
                                   " bytes, not " + std::to_string(sizeof(bricks_plugin)) +
                                   "; build it with the header of this bricks"};
  }
  if (plugin->events && !plugin->handle) {
    return {Code::invalid_argument, where + ": it wants events and has no handle()"};
  }
  if (plugin->events >> (BRICKS_EVENT_CONFLICT + 1)) {
    return {Code::invalid_argument,
            where + ": it wants events that there are not: " + std::to_string(plugin->events)};
  }
  return check_figures(where, plugin->figures);
}

}  // namespace

Status LoadedPlugin::read_options() {
  const bricks_option* table = functions().options;
  for (const auto& [name, value] : spec_.options) {
    const bricks_option* option = table;
    while (option && option->name && name != option->name) ++option;
    if (option && option->name) continue;
    return {Code::invalid_argument,
            spec_.name + ": there is no option \"" + name + "\"; " + option_names(table)};
  }
  const Options& given_options = spec_.options;
  for (const bricks_option* option = table; option && option->name; ++option) {
    const auto given = given_options.find(option->name);
    if (given == given_options.end() && !option->preset) {
      return {Code::invalid_argument,
              spec_.name + ": option " + option->name + " must be given: " + option->summary};
    }
    OptionValue value =
        given == given_options.end() ? OptionValue{std::string(option->preset)} : given->second;
    std::string text;
    Status status = option_value(spec_.name, *option, std::move(value), &text);
    if (!status.ok()) return status;
    texts_.push_back(std::move(text));
  }
  return {};
}

Status LoadedPlugin::start() {
  PluginStart start{};
  start.host = plugin_host();
  start.plugin = number_;
  start.name = spec_.name.c_str();
  start.text = PluginStart::get_text;
  start.number = PluginStart::get_number;
  start.flag = PluginStart::get_flag;
  start.fail = PluginStart::fail_with;
  start.loaded = this;
  const char* file = PluginStart::get_text(&start, "file");
  if (file && *file) {
    std::unique_ptr<LineWriter> writer;
    Status status = LineWriter::open(file, counts_, &writer);
    if (!status.ok()) return {status.code, spec_.name + ": file: " + status.message};
    writer_ = std::move(writer);
  }
  int failed = 0;
  if (functions().init) {
    const RunningPlugin running(spec_.name.c_str());
    try {
      failed = functions().init(&start, &instance_);
    } catch (const std::exception& error) {
      failed = -1;
      failure_ = error.what();
    } catch (...) {
      failed = -1;
      failure_ = "it threw something";
    }
  }
  started_ = failed == 0;
  if (started_) return {};
  return {Code::failed, spec_.name + ": init failed (" + std::to_string(failed) + ")" +
                            (failure_.empty() ? "; it did not say why" : ": " + failure_)};
}

Status load_code(const PluginSpec& spec, PluginCode* code) {
  const PluginLoader loader = plugin_loader(spec.kind);
  if (!loader) {
    return {Code::unsupported, spec.name + ": " + spec.path +
                                   ": this build of bricks has no host "
                                   "for plugins of that language"};
  }
  if (Status status = loader(spec, code); !status.ok()) return status;
  return check_functions(spec.name + ": " + spec.path, code->functions);
}

Status LoadedPlugin::load(const PluginSpec& spec, std::shared_ptr<PluginCounts> counts,
                          std::shared_ptr<LoadedPlugin>* plugin) {
  install_crash_report();
  std::shared_ptr<LoadedPlugin> made(new LoadedPlugin);
  made->spec_ = spec;
  made->counts_ = std::move(counts);
  if (Status status = load_code(spec, &made->code_); !status.ok()) return status;
  if (Status status = made->read_options(); !status.ok()) return status;
  {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    made->number_ = ++all.last;
    all.plugins[made->number_] = made;
  }
  if (Status status = made->start(); !status.ok()) return status;
  *plugin = std::move(made);
  return {};
}

LoadedPlugin::~LoadedPlugin() {
  if (number_) {
    const std::lock_guard lock(registry().mutex);
    registry().plugins.erase(number_);
  }
  if (started_ && functions().exit) {
    const RunningPlugin running(spec_.name.c_str());
    try {
      functions().exit(instance_);
    } catch (...) {
      counts_->add(PluginCount::errors);
    }
  }
  writer_.reset();  // before the code goes: with all its lines
}

bool LoadedPlugin::count_error() noexcept {
  const uint64_t errors = errors_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (!spec_.max_errors_total || errors < spec_.max_errors_total) return false;
  return !disabled_.exchange(true, std::memory_order_relaxed);
}

int LoadedPlugin::emit(const char* line, size_t length) noexcept {
  return writer_ ? writer_->put(line, length) : BRICKS_ENOENT;
}

int LoadedPlugin::add_figure(uint32_t figure, int64_t value) noexcept {
  const char* const* names = functions().figures;
  if (!names || figure >= kPluginFiguresMax) return BRICKS_ENOENT;
  for (uint32_t i = 0; i <= figure; ++i) {
    if (!names[i]) return BRICKS_ENOENT;
  }
  counts_->figure[figure].fetch_add(value, std::memory_order_relaxed);
  return BRICKS_DONE;
}

void* plugin_keeper(const bricks_start* start) noexcept {
  return static_cast<const PluginStart*>(start)->loaded->keeper();
}

std::shared_ptr<LoadedPlugin> find_plugin(uint32_t number) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  const auto found = all.plugins.find(number);
  return found == all.plugins.end() ? nullptr : found->second.lock();
}

}  // namespace bricks
