// What a list of plugins says of one of them: where it is, what it is to be told, and what happens
// when it fails. Options of all kinds of plugins in one table, for checks, help and docs.
#pragma once

#include <span>
#include <string>

#include "mem/limits.hh"
#include "mem/option.hh"

namespace bricks {

enum class PluginKind : uint8_t { c, lua, script };

// What a plugin's error does to the session it happened in, once the plugin has had max_errors
// there and is detached from it.
enum class OnError : uint8_t {
  pass,   // its packets go on, as if the plugin had detached itself
  drop,   // from this one on they are dropped
  close,  // it is closed at once: CLOSING for the others, reason BRICKS_CLOSE_POISONED
};

struct PluginSpec {
  std::string name;  // unique in its list; the file's without its ending where none is given
  std::string path;
  PluginKind kind = PluginKind::c;
  Options keys;     // of plugin_keys(), complete
  Options options;  // the plugin's own, as given: `options = { ... }`

  OnError on_error = OnError::pass;
  OnError takeover_error = OnError::pass;  // the same, where it owned the session
  uint32_t events = UINT32_MAX;            // BRICKS_ON(...) | ...: of those it asks for
  uint32_t max_errors = 1;                 // in one session
  uint64_t max_errors_total = 0;           // then it is called for no session at all; 0: no limit
  bool required = true;                    // false: the list is loaded without it, with a warning
};

// name, path, required, on_error, ...: what an entry of a list may say beside `options`.
std::span<const OptionDescriptor> plugin_keys() noexcept;

// By number: "opening", "active", ...
std::span<const char* const> plugin_event_names() noexcept;
// Events by their names; none: all. invalid_argument.
Status read_plugin_events(const std::string& where, const std::vector<std::string>& names,
                          uint32_t* events);
// From an entry of a list. `where`: for messages, like `plugins, #2`. invalid_argument: an unknown
// key, an ending that is no plugin's.
Status read_plugin_spec(const std::string& where, Options keys, Options options, PluginSpec* spec);

}  // namespace bricks
