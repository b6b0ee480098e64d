// The keys of an entry of a list of plugins.
#include "plugins/plugin_spec.hh"

#include <iterator>

#include "abi/bricks_plugin.h"
#include "mem/limits.hh"

namespace bricks {

namespace {

constexpr OptionDescriptor kKeys[] = {
    {"path", OptionType::text, "", 0, 0, nullptr,
     "the plugin's file: .so, .lua, .ts, .js or .mjs; the entry's first value is the same"},
    {"name", OptionType::text, "", 0, 0, nullptr,
     "what it is called in messages and figures; the file's name without its ending"},
    {"required", OptionType::boolean, "true", 0, 0, nullptr,
     "false: if it cannot be loaded, the list is used without it, and a warning says so"},
    {"events", OptionType::text_list, "", 0, 0, nullptr,
     "opening, active, packet, payload, gap, protocol, closing, conflict: the ones it is to get, "
     "of "
     "those it asks for; empty: all"},
    {"on_error", OptionType::text, "pass", 0, 0, "pass|drop|close",
     "what its errors do to the session: its packets pass, or are dropped from then on, or it is "
     "closed at once"},
    {"takeover_error", OptionType::text, "", 0, 0, "|pass|drop|close",
     "the same for sessions that it has taken over; empty: as on_error"},
    {"max_errors", OptionType::integer, "1", 1, 255, nullptr,
     "errors in one session after which it is detached from that"},
    {"max_errors_total", OptionType::integer, "0", 0, 9007199254740991.0, nullptr,
     "errors after which it is called for no session any more; 0: no limit"},
    {"mode", OptionType::text, "sync", 0, 0, "sync|async",
     "TypeScript: the engine waits for its answer; or does not, and what it says holds from the "
     "session's next packet on"},
    {"timeout_ms", OptionType::integer, "1000", 1, kScriptTimeoutMaxMs, nullptr,
     "TypeScript: longest that it may be silent; then its thread is ended and begins again"},
    {"memory_mb", OptionType::integer, "256", 16, 65536, nullptr,
     "TypeScript: most memory of its objects, in MiB"},
};

constexpr const char* kEventNames[] = {"opening", "active",   "packet",  "payload",
                                       "gap",     "protocol", "closing", "conflict"};
static_assert(std::size(kEventNames) == BRICKS_EVENT_CONFLICT + 1);

OnError error_policy(const std::string& text) {
  if (text == "drop") return OnError::drop;
  return text == "close" ? OnError::close : OnError::pass;
}

bool ends_with(const std::string& text, const char* ending) {
  return std::string_view(text).ends_with(ending);
}

}  // namespace

std::span<const OptionDescriptor> plugin_keys() noexcept { return kKeys; }
std::span<const char* const> plugin_event_names() noexcept { return kEventNames; }

Status read_plugin_events(const std::string& where, const std::vector<std::string>& names,
                          uint32_t* events) {
  *events = names.empty() ? UINT32_MAX : 0;
  for (const std::string& name : names) {
    uint32_t type = 0;
    while (type < std::size(kEventNames) && name != kEventNames[type]) ++type;
    if (type == std::size(kEventNames)) {
      std::string all;
      for (const char* known : kEventNames) all += (all.empty() ? "" : ", ") + std::string(known);
      return {Code::invalid_argument,
              where + ": events: there is no event \"" + name + "\"; events: " + all};
    }
    *events |= BRICKS_ON(type);
  }
  return {};
}

Status read_plugin_spec(const std::string& where, Options keys, Options options, PluginSpec* spec) {
  if (Status status = check_options(where, plugin_keys(), &keys); !status.ok()) return status;
  PluginSpec made;
  made.path = option_text(keys, "path");
  if (made.path.empty()) {
    return {Code::invalid_argument,
            where + ": no file is given; like \"fw.so\" or { path = \"fw.so\", options = {} }"};
  }
  const size_t slash = made.path.rfind('/');
  const std::string file = slash == std::string::npos ? made.path : made.path.substr(slash + 1);
  if (ends_with(file, ".so")) {
    made.kind = PluginKind::c;
  } else if (ends_with(file, ".lua")) {
    made.kind = PluginKind::lua;
  } else if (ends_with(file, ".ts") || ends_with(file, ".js") || ends_with(file, ".mjs")) {
    made.kind = PluginKind::script;
  } else {
    return {Code::invalid_argument, where + ": " + made.path +
                                        " is no plugin by its name: they end with .so (C), .lua, "
                                        ".ts, .js or .mjs"};
  }
  made.name = option_text(keys, "name");
  if (made.name.empty()) made.name = file.substr(0, file.rfind('.'));
  if (made.name.size() > kNameMax || made.name.find_first_of(" \t\n\"{}") != std::string::npos) {
    return {Code::invalid_argument, where + ": \"" + made.name +
                                        "\" is no name: no blanks, quotes or braces, " +
                                        std::to_string(kNameMax) + " bytes at most"};
  }
  const auto& events = std::get<std::vector<std::string>>(keys.at("events"));
  if (Status status = read_plugin_events(where, events, &made.events); !status.ok()) return status;
  made.required = option_flag(keys, "required");
  made.on_error = error_policy(option_text(keys, "on_error"));
  const std::string& takeover = option_text(keys, "takeover_error");
  made.takeover_error = takeover.empty() ? made.on_error : error_policy(takeover);
  made.max_errors = static_cast<uint32_t>(option_integer(keys, "max_errors"));
  made.max_errors_total = static_cast<uint64_t>(option_integer(keys, "max_errors_total"));
  made.keys = std::move(keys);
  made.options = std::move(options);
  *spec = std::move(made);
  return {};
}

}  // namespace bricks
