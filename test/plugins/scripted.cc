// A plugin that does what its options say, for test/cases/session-calls.tsv: `do` is a list of
// EVENT.ACTION[:ARGUMENTS], events are O (opening), 1 (active), 2 (packet), C (conflict), X
// (closing). Each call appends its letter and event to the session's "calls"; results that are not
// 0 go to `file`, as EVENT.ACTION=CODE.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "plain_plugin.hh"

namespace {

struct Action {
  char event;
  std::string name, argument;
};

struct Plugin {
  const bricks_host *host;
  uint32_t number;
  std::string letter;
  std::vector<Action> actions;
  std::vector<bricks_session *> children;
};

std::vector<std::string> split(const std::string &text, char by) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == by)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

char letter_of(uint8_t type) {
  switch (type) {
    case BRICKS_EVENT_OPENING:
      return 'O';
    case BRICKS_EVENT_ACTIVE:
      return '1';
    case BRICKS_EVENT_PACKET:
      return '2';
    case BRICKS_EVENT_CONFLICT:
      return 'C';
    default:
      return type == BRICKS_EVENT_CLOSING ? 'X' : '?';
  }
}

void append_call(const Plugin &plugin, bricks_session *session, const std::string &call) {
  bricks_value_type type;
  void *value = nullptr;
  size_t size = 0;
  std::string calls;
  if (plugin.host->get_metadata(session, "calls", &type, &value, &size) == 0)
    calls.assign(static_cast<char *>(value), size);
  calls += (calls.empty() ? "" : " ") + call;
  plugin.host->set_metadata(session, "calls", BRICKS_BYTES, calls.data(), calls.size(), nullptr);
}

void release(void *value, size_t) { std::free(value); }
const bricks_host *freeing_host;
bricks_session *freeing_session;
int freeing_result;
void reenter(void *value, size_t) {
  bricks_value_type type;
  void *other;
  size_t size;
  const int got = freeing_host->get_metadata(freeing_session, "calls", &type, &other, &size);
  const int set = freeing_host->set_metadata(freeing_session, "n", BRICKS_OPAQUE, 0, 0, nullptr);
  const int del = freeing_host->del_metadata(freeing_session, "calls");
  freeing_result = got == set && set == del ? got : 1;
  std::free(value);
}
void throwing(void *value, size_t) {
  std::free(value);
  throw 1;
}

int set(const Plugin &plugin, bricks_session *session, const std::string &argument) {
  const auto parts = split(argument, '=');
  std::string key = parts[0];
  if (key == "long") key = std::string(64, 'k');
  if (key == "longest") key = std::string(63, 'k');
  const std::string value = parts.size() > 1 ? parts[1] : "";
  char *copy = static_cast<char *>(std::malloc(value.size() + 1));
  std::memcpy(copy, value.c_str(), value.size() + 1);
  const int result =
      plugin.host->set_metadata(session, key.c_str(), BRICKS_OPAQUE, copy, value.size(), release);
  if (result) std::free(copy);
  return result;
}

// Kinds of values and of frees.
int special(Plugin &plugin, bricks_session *session, const std::string &name) {
  const bricks_host &host = *plugin.host;
  bricks_value_type type;
  void *value;
  size_t size;
  if (name == "same") {
    if (const int error = host.get_metadata(session, "k", &type, &value, &size)) return error;
    return host.set_metadata(session, "k", BRICKS_OPAQUE, value, size, release);
  }
  if (name == "flag") return host.set_metadata(session, "f", BRICKS_OPAQUE, nullptr, 0, nullptr);
  if (name == "hollow") return host.set_metadata(session, "f", BRICKS_OPAQUE, nullptr, 8, nullptr);
  if (name == "types") {
    int64_t whole = -7;
    double number = 2.5;
    uint8_t yes = 1;
    if (host.set_metadata(session, "i", BRICKS_INTEGER, &whole, 8, nullptr)) return 1;
    if (host.set_metadata(session, "d", BRICKS_NUMBER, &number, 8, nullptr)) return 2;
    if (host.set_metadata(session, "b", BRICKS_BOOLEAN, &yes, 1, nullptr)) return 3;
    whole = 0;
    if (host.get_metadata(session, "i", &type, &value, &size)) return 4;
    if (type != BRICKS_INTEGER || *static_cast<int64_t *>(value) != -7) return 5;
    // A borrowed value of the same key, as another type.
    if (host.set_metadata(session, "i", BRICKS_BYTES, value, 8, nullptr)) return 6;
    if (host.get_metadata(session, "i", &type, &value, &size) || type != BRICKS_BYTES) return 7;
    if (host.set_metadata(session, "i", BRICKS_INTEGER, value, 8, nullptr)) return 8;
    if (host.get_metadata(session, "i", &type, &value, &size)) return 9;
    return *static_cast<int64_t *>(value) == -7 ? 0 : 10;
  }
  if (name == "short") {
    int64_t whole = 1;
    return host.set_metadata(session, "i", BRICKS_INTEGER, &whole, 4, nullptr);
  }
  if (name == "big") {
    const std::string bytes(17000, 'x');
    return host.set_metadata(session, "big", BRICKS_BYTES, const_cast<char *>(bytes.data()),
                             bytes.size(), nullptr);
  }
  if (name == "many") {
    int result = 0;
    for (int i = 0; i < 33 && !result; ++i) {
      const std::string key = "m" + std::to_string(i);
      result = host.set_metadata(session, key.c_str(), BRICKS_OPAQUE, nullptr, 0, nullptr);
    }
    return result;
  }
  if (name == "reenter" || name == "throwing") {
    freeing_host = &host;
    freeing_session = session;
    return host.set_metadata(session, "r", BRICKS_OPAQUE, std::malloc(1), 1,
                             name == "reenter" ? reenter : throwing);
  }
  if (name == "reentered") return freeing_result;
  if (name == "get_untouched") {
    int same = 0;
    value = &same;
    size = 77;
    const int error = host.get_metadata(session, "none", &type, &value, &size);
    return value == &same && size == 77 ? error : 1;
  }
  return 99;
}

// BEFORE=NOW, behind the first byte of the stream, given out before.
int versions(const bricks_event &event, const std::string &argument) {
  const auto expected = split(argument, '=');
  if (event.type != BRICKS_EVENT_CONFLICT || event.offset != 1) return 1;
  if (event.reason != BRICKS_CONFLICT_DELIVERED || event.length != expected[0].size()) return 2;
  const auto &conflict = *static_cast<const bricks_conflict *>(event.data);
  if (std::memcmp(conflict.before, expected[0].data(), event.length) != 0) return 3;
  if (std::memcmp(conflict.now, expected[1].data(), event.length) != 0) return 4;
  return conflict.before_digest == conflict.now_digest ? 5 : 0;
}

int perform(Plugin &plugin, bricks_event &event, const Action &action) {
  const bricks_host &host = *plugin.host;
  bricks_session *session = event.session;
  const std::string &name = action.name, &argument = action.argument;
  const auto number = [&] { return static_cast<uint32_t>(std::strtoul(argument.c_str(), 0, 10)); };
  if (name == "take_over") return host.take_over(session);
  if (name == "detach") return host.detach_me(session);
  if (name == "drop") return host.drop_packet(session);
  if (name == "lock") return host.lock(session, plugin.number);
  if (name == "unlock") return host.unlock(session, plugin.number);
  if (name == "lock_as") return host.lock(session, plugin.number + number());
  if (name == "unlock_as") return host.unlock(session, plugin.number + number());
  if (name == "set") return set(plugin, session, argument);
  if (name == "del") return host.del_metadata(session, argument.c_str());
  if (name == "nokey") return host.set_metadata(session, nullptr, BRICKS_OPAQUE, 0, 0, nullptr);
  if (name == "kill") return host.kill(session);
  if (name == "output") return host.set_output(session, number());
  if (name == "group") return host.add_group(session, number(), -1);
  if (name == "group_wrong") return host.add_group(session, 1, 2);
  if (name == "ungroup") return host.remove_group(session, number());
  if (name == "make_group") return host.create_group(number(), 1000000, 100000);
  if (name == "unmake_group") return host.delete_group(number());
  if (name == "bad_group") return host.create_group(number(), 0, 0);
  if (name == "nobody") return host.detach_me(nullptr);
  if (name == "stranger") {
    bricks_session other = *session;
    return host.drop_packet(&other);
  }
  if (name == "context") {
    *event.context = std::malloc(8);
    return 0;
  }
  if (name == "uncontext") {
    std::free(*event.context);
    *event.context = nullptr;
    return 0;
  }
  if (name == "child") {
    bricks_session *child = nullptr;
    const int error = host.open_child(session, number(), &child);
    if (!error) plugin.children.push_back(child);
    return error;
  }
  if (name == "child_meta") {
    return host.set_metadata(plugin.children.at(0), "x", BRICKS_OPAQUE, 0, 0, nullptr);
  }
  if (name == "close_child") return host.close_child(plugin.children.at(0));
  if (name == "close_parent") return host.close_child(session);
  if (name == "emit") return host.emit(plugin.number, argument.data(), argument.size());
  if (name == "figure") return host.add_figure(plugin.number, number(), 5);
  if (name == "versions") return versions(event, argument);
  if (name == "throw") throw std::runtime_error("as asked");
  if (name == "throw_int") throw 7;
  return special(plugin, session, name);
}

int handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  Plugin &plugin = *static_cast<Plugin *>(state);
  for (*at = 0; *at < count; ++*at) {
    bricks_event &event = events[*at];
    const char letter = letter_of(event.type);
    std::string call = plugin.letter + letter;
    if (event.session->flow->child_type) {
      call = plugin.letter + "c" + letter;
      std::string line = "child=" + std::string(1, letter);
      if (letter == 'X') line += std::to_string(event.reason);
      plugin.host->emit(plugin.number, line.data(), line.size());
      continue;
    }
    bool fails = false;
    for (const Action &action : plugin.actions) {
      if (action.event == letter && action.name.rfind("throw", 0) == 0 && action.name != "throwing")
        fails = true;
      if (action.event == letter && action.name == "fail") fails = true;
    }
    append_call(plugin, event.session, call + (fails ? "!" : ""));
    for (const Action &action : plugin.actions) {
      if (action.event != letter) continue;
      if (action.name == "fail") return 5;
      const int result = perform(plugin, event, action);
      if (!result) continue;
      const std::string line =
          std::string(1, letter) + "." + action.name + "=" + std::to_string(result);
      plugin.host->emit(plugin.number, line.data(), line.size());
    }
  }
  return 0;
}

int init(const bricks_start *start, void **plugin) {
  auto *made = new Plugin{start->host, start->plugin, start->text(start, "letter"), {}, {}};
  for (const std::string &word : split(start->text(start, "do"), ' ')) {
    if (word.size() < 3) continue;
    const size_t colon = word.find(':');
    made->actions.push_back({word[0], word.substr(2, colon == word.npos ? colon : colon - 2),
                             colon == word.npos ? "" : word.substr(colon + 1)});
  }
  *plugin = made;
  return 0;
}


const bricks_option options[] = {
    {"letter", "what it is called in \"calls\"", 's', "?"},
    {"do", "list of EVENT.ACTION[:ARGUMENTS]", 's', ""},
    {"file", "where results go", 's', ""},
    {nullptr, nullptr, 0, nullptr},
};
const char *const figures[] = {"fives", nullptr};

const bricks_plugin plugin = [] {
  bricks_plugin made =
      plain_plugin("scripted", "does what its options say",
                   BRICKS_ON(BRICKS_EVENT_OPENING) | BRICKS_ON(BRICKS_EVENT_ACTIVE) |
                       BRICKS_ON(BRICKS_EVENT_PACKET) | BRICKS_ON(BRICKS_EVENT_CLOSING) |
                       BRICKS_ON(BRICKS_EVENT_CONFLICT));
  made.options = options;
  made.figures = figures;
  made.init = init;
  made.handle = handle;
  free_at_the_end<Plugin>(&made);
  return made;
}();

}  // namespace

BRICKS_PLUGIN_ENTRY(plugin)
