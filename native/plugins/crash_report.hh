// A crash in a plugin's machine code takes the process with it: the last words say whose it was.
#pragma once

namespace bricks {

// For SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT, once; handlers that were there are called next.
void install_crash_report() noexcept;
// For the calling thread, once: a plugin that has used up its stack can be named, too.
void give_signal_stack() noexcept;

}  // namespace bricks
