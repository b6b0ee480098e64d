// Does what a number made of seed, session and event says (test/native/plugin_random.cc knows how),
// and appends its letter and the event to the session's "calls".
#include <cstdlib>
#include <string>

#include "../native/random_choice.hh"
#include "plain_plugin.hh"

namespace {

struct Plugin {
  const bricks_host *host;
  uint32_t seed;
  char letter;
};

int handle(void *state, bricks_event *events, uint32_t count, uint32_t *at) {
  const Plugin &plugin = *static_cast<Plugin *>(state);
  const bricks_host &host = *plugin.host;
  for (*at = 0; *at < count; ++*at) {
    const bricks_event &event = events[*at];
    bricks_value_type type;
    void *value = nullptr;
    size_t size = 0;
    std::string calls;
    if (host.get_metadata(event.session, "calls", &type, &value, &size) == 0)
      calls.assign(static_cast<char *>(value), size);
    calls += plugin.letter;
    calls += static_cast<char>('0' + event.type);
    host.set_metadata(event.session, "calls", BRICKS_BYTES, calls.data(), calls.size(), nullptr);
    if (!*event.context) *event.context = std::malloc(1);
    switch (random_choice(plugin.seed, event.session->flow->id, event.type, plugin.letter)) {
      case Choice::detach:
        std::free(*event.context);
        *event.context = nullptr;
        host.detach_me(event.session);
        break;
      case Choice::take_over:
        host.take_over(event.session);
        break;
      case Choice::fail:
        return 1;
      case Choice::raise:
        throw 1;
      case Choice::nothing:
        break;
    }
  }
  return 0;
}

int init(const bricks_start *start, void **plugin) {
  *plugin = new Plugin{start->host, static_cast<uint32_t>(start->number(start, "seed")),
                       *start->text(start, "letter")};
  return 0;
}

const bricks_option options[] = {
    {"letter", "what it is called", 's', nullptr},
    {"seed", "of its choices", 'n', nullptr},
    {nullptr, nullptr, 0, nullptr},
};

const bricks_plugin plugin = [] {
  bricks_plugin made =
      plain_plugin("random", "chooses",
                   BRICKS_ON(BRICKS_EVENT_OPENING) | BRICKS_ON(BRICKS_EVENT_ACTIVE) |
                       BRICKS_ON(BRICKS_EVENT_PACKET) | BRICKS_ON(BRICKS_EVENT_CLOSING));
  made.options = options;
  made.init = init;
  made.handle = handle;
  free_at_the_end<Plugin>(&made);
  return made;
}();

}  // namespace

BRICKS_PLUGIN_ENTRY(plugin)
