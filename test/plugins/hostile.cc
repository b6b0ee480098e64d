// Fails where its option `how` says.
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "plain_plugin.hh"

namespace {

std::string how;
volatile int *volatile nowhere;

int init(const bricks_start *start, void **) {
  how = start->text(start, "how");
  if (start->text(start, "nothing") || start->number(start, "how") != 0) return 77;
  if (how == "init") return start->fail(start, "the moon is full"), 5;
  if (how == "init throws") throw std::runtime_error("thrown by init");
  return 0;
}

int worker_init(void *, uint32_t, void **) {
  if (how == "worker throws") throw 1;
  return how == "worker" ? 9 : 0;
}

// What is wrong on purpose is not to be stopped by a sanitizer first.
[[gnu::no_sanitize("undefined")]] int handle(void *, bricks_event *events, uint32_t count,
                                             uint32_t *at) {
  if (how == "at") return *at = 4000000000u, 1;
  for (*at = 0; *at < count; ++*at) {
    if (how == "crash") *nowhere = 1;
    if (how == "abort") std::abort();
    if (how == "context") *events[*at].context = events;
  }
  return 0;
}

void free_context(void *, void *) {
  if (how == "context") throw std::runtime_error("thrown by free_context");
}
void worker_exit(void *) {
  if (how == "exit throws") throw 1;
}
void exit_plugin(void *) {
  if (how == "exit throws") throw 1;
}

const bricks_option options[] = {
    {"how", "what it does", 's', nullptr},
    {"times", "a number", 'n', "1"},
    {"really", "true or false", 'b', "false"},
    {nullptr, nullptr, 0, nullptr},
};

const bricks_plugin plugin = [] {
  bricks_plugin made =
      plain_plugin("hostile", "fails as it is told",
                   BRICKS_ON(BRICKS_EVENT_OPENING) | BRICKS_ON(BRICKS_EVENT_PACKET));
  made.options = options;
  made.init = init;
  made.worker_init = worker_init;
  made.handle = handle;
  made.free_context = free_context;
  made.worker_exit = worker_exit;
  made.exit = exit_plugin;
  return made;
}();

}  // namespace

BRICKS_PLUGIN_ENTRY(plugin)
