// What a signal handler may do, and nothing else: write(2), sigaction(2), raise(3).
#include "plugins/crash_report.hh"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <mutex>

#include "plugins/plugin_call.hh"

namespace bricks {

namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr const char* kNames[] = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT"};
constexpr uint32_t kSignalCount = sizeof kSignals / sizeof kSignals[0];
constexpr size_t kSignalStack = 64 << 10;
struct sigaction before[kSignalCount];

void add(char* text, size_t room, size_t* length, const char* more) noexcept {
  for (; *more && *length < room; ++more) text[(*length)++] = *more;
}

void report(int number, siginfo_t* info, void* context) noexcept {
  uint32_t i = 0;
  while (i < kSignalCount && kSignals[i] != number) ++i;
  if (i == kSignalCount) return;
  if (const char* plugin = running_plugin) {
    char text[512];
    size_t length = 0;
    add(text, sizeof text, &length, "bricks: ");
    add(text, sizeof text, &length, kNames[i]);
    add(text, sizeof text, &length, " in plugin ");
    add(text, sizeof text, &length, plugin);
    add(text, sizeof text, &length,
        ": machine code in this process, whose crash it cannot survive. Find it with a debugger, "
        "or take the plugin out of its list.\n");
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, length);
  }
  // Whoever was there before has its turn; else the system's end of the process, with its core.
  if (before[i].sa_flags & SA_SIGINFO) return before[i].sa_sigaction(number, info, context);
  if (before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN) {
    return before[i].sa_handler(number);
  }
  sigaction(number, &before[i], nullptr);
  raise(number);
}

}  // namespace

void install_crash_report() noexcept {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_sigaction = report;
    action.sa_flags = SA_ONSTACK | SA_SIGINFO;
    sigemptyset(&action.sa_mask);  // a fault of the one that is called next is not held back
    for (uint32_t i = 0; i < kSignalCount; ++i) sigaction(kSignals[i], &action, &before[i]);
  });
}

void give_signal_stack() noexcept {
  stack_t now;
  if (sigaltstack(nullptr, &now) != 0 || !(now.ss_flags & SS_DISABLE)) return;
  // Stays the thread's; engines' threads are few, and as long-lived as their engine.
  void* memory =
      mmap(nullptr, kSignalStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  const stack_t stack = {.ss_sp = memory, .ss_flags = 0, .ss_size = kSignalStack};
  if (sigaltstack(&stack, nullptr) != 0) munmap(memory, kSignalStack);
}

}  // namespace bricks
