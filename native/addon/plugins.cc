// Lists of plugins: between JavaScript and plugins/plugin_list.hh.
#include "addon/plugins.hh"

#include <cmath>

#include "addon/values.hh"
#include "plugins/plugin_list.hh"
#include "wire/application.hh"

namespace bricks::addon {

namespace {

constexpr double kNumberMax = 9007199254740991.0;

uint64_t to_list_number(const Napi::CallbackInfo& info) {
  const double number = to_number(info, 0, "list");
  if (!(number >= 0 && number <= kNumberMax) || number != std::floor(number)) {
    throw Napi::RangeError::New(info.Env(), "list must be a whole number");
  }
  return static_cast<uint64_t>(number);
}

std::shared_ptr<PluginList> to_list(const Napi::CallbackInfo& info) {
  const uint64_t number = to_list_number(info);
  std::shared_ptr<PluginList> list = find_plugin_list(number);
  if (!list) {
    check(info, {Code::invalid_argument,
                 "there is no list of plugins with the number " + std::to_string(number)});
  }
  return list;
}

PluginSpec to_spec(const Napi::CallbackInfo& info, const Napi::Value& entry, uint32_t place) {
  const std::string where = "plugins, #" + std::to_string(place);
  if (!entry.IsObject()) throw Napi::TypeError::New(info.Env(), where + " must be an object");
  const Napi::Object object = entry.As<Napi::Object>();
  Options parts[2];
  const char* const names[] = {"keys", "options"};
  for (int i = 0; i < 2; ++i) {
    const Napi::Value part = object.Get(names[i]);
    if (part.IsUndefined()) continue;
    if (!part.IsObject()) {
      throw Napi::TypeError::New(info.Env(), where + ": " + names[i] + " must be an object");
    }
    parts[i] = to_options(part.As<Napi::Object>(), where);
  }
  PluginSpec spec;
  check(info, read_plugin_spec(where, std::move(parts[0]), std::move(parts[1]), &spec));
  return spec;
}

Napi::Value open_list(const Napi::CallbackInfo& info) {
  uint64_t number = 0;
  check(info, open_plugin_list(&number));
  return Napi::Number::New(info.Env(), static_cast<double>(number));
}

Napi::Value close_list(const Napi::CallbackInfo& info) {
  close_plugin_list(to_list_number(info));
  return info.Env().Undefined();
}

Napi::Value set_plugins(const Napi::CallbackInfo& info) {
  if (!info[1].IsArray()) throw Napi::TypeError::New(info.Env(), "plugins must be an array");
  const Napi::Array array = info[1].As<Napi::Array>();
  std::vector<PluginSpec> specs;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::HandleScope scope(info.Env());
    specs.push_back(to_spec(info, array.Get(i), i + 1));
  }
  check(info, to_list(info)->set(std::move(specs)));
  return info.Env().Undefined();
}

Napi::Value reload_plugins(const Napi::CallbackInfo& info) {
  check(info, to_list(info)->reload());
  return info.Env().Undefined();
}

const char* kind_name(PluginKind kind) {
  switch (kind) {
    case PluginKind::c:
      return "c";
    case PluginKind::lua:
      return "lua";
    case PluginKind::script:
      break;
  }
  return "typescript";
}

Napi::Value list_plugins(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array made = Napi::Array::New(env);
  for (const PluginInfo& plugin : to_list(info)->list()) {
    const Napi::HandleScope scope(env);
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", plugin.spec.name);
    row.Set("kind", kind_name(plugin.spec.kind));
    row.Set("summary", plugin.summary);
    row.Set("generation", static_cast<double>(plugin.generation));
    row.Set("disabled", plugin.disabled);
    row.Set("keys", from_options(env, plugin.spec.keys));
    row.Set("options", from_options(env, plugin.spec.options));
    Napi::Object counts = Napi::Object::New(env);
    for (const auto& [name, value] : plugin.counts) counts.Set(name, static_cast<double>(value));
    row.Set("counts", counts);
    made.Set(made.Length(), row);
  }
  return made;
}

// Names of the bits that are set.
template <typename NameOf>
Napi::Array names_of(Napi::Env env, uint32_t bits, uint32_t count, NameOf name_of) {
  Napi::Array names = Napi::Array::New(env);
  for (uint32_t i = 0; i < count; ++i) {
    if (bits >> i & 1) names.Set(names.Length(), name_of(i));
  }
  return names;
}

Napi::Value describe_plugin(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = to_text(info, 0, "path");
  PluginSpec spec;
  check(info, read_plugin_spec(path, {{"path", path}}, {}, &spec));
  PluginCode code;
  check(info, load_code(spec, &code));
  const bricks_plugin& plugin = *code.functions;
  const auto text = [](const char* it) { return std::string(it ? it : ""); };
  Napi::Object made = Napi::Object::New(env);
  made.Set("name", text(plugin.name));
  made.Set("kind", kind_name(spec.kind));
  made.Set("summary", text(plugin.summary));
  const auto events = plugin_event_names();
  made.Set("events", names_of(env, plugin.events, static_cast<uint32_t>(events.size()),
                              [&](uint32_t i) { return events[i]; }));
  made.Set("protocols", names_of(env, plugin.protocols & ~1u, BRICKS_PROTOCOL_COUNT,
                                 [](uint32_t i) { return protocol_name(uint8_t(i)); }));
  Napi::Array options = Napi::Array::New(env);
  for (const bricks_option* option = plugin.options; option && option->name; ++option) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", option->name);
    row.Set("type", option->type == 'n' ? "number" : option->type == 'b' ? "boolean" : "text");
    row.Set("summary", text(option->summary));
    if (option->preset) row.Set("preset", option->preset);
    options.Set(options.Length(), row);
  }
  made.Set("options", options);
  Napi::Array figures = Napi::Array::New(env);
  for (uint32_t i = 0; plugin.figures && plugin.figures[i]; ++i) {
    figures.Set(i, plugin.figures[i]);
  }
  made.Set("figures", figures);
  return made;
}

Napi::Value list_warnings(const Napi::CallbackInfo& info) {
  Napi::Array made = Napi::Array::New(info.Env());
  for (const std::string& text : to_list(info)->warnings()) made.Set(made.Length(), text);
  return made;
}

Napi::Value list_keys(const Napi::CallbackInfo& info) {
  return from_descriptors(info.Env(), plugin_keys());
}

Napi::Value list_counts(const Napi::CallbackInfo& info) {
  return from_figure_table(info.Env(), kPluginCounts);
}

// Null: those options name none.
std::shared_ptr<PluginList> list_of(const Options& options) {
  const auto found = options.find("plugins");
  if (found == options.end()) return nullptr;
  const auto* number = std::get_if<int64_t>(&found->second);
  return number && *number > 0 ? find_plugin_list(static_cast<uint64_t>(*number)) : nullptr;
}

}  // namespace

void add_plugin_figures(Napi::Object& figures, const Options& options) {
  const std::shared_ptr<PluginList> list = list_of(options);
  if (!list) return;
  for (const PluginInfo& plugin : list->list()) {
    for (const auto& [name, value] : plugin.counts) {
      figures.Set(plugin.spec.name + "." + name, static_cast<double>(value));
    }
  }
}

void add_plugin_warnings(Napi::Array& warnings, const std::string& id, const Options& options) {
  const std::shared_ptr<PluginList> list = list_of(options);
  if (!list) return;
  for (const std::string& text : list->warnings()) {
    warnings.Set(warnings.Length(), id + ": plugin " + text);
  }
}

void export_plugins(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("pluginKeys", list_keys);
  add("pluginCounts", list_counts);
  add("openPlugins", open_list);
  add("closePlugins", close_list);
  add("setPlugins", set_plugins);
  add("reloadPlugins", reload_plugins);
  add("listPlugins", list_plugins);
  add("lookAtPlugin", describe_plugin);
  add("pluginWarnings", list_warnings);
}

}  // namespace bricks::addon
