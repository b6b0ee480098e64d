// What programs that read captures and print rows have in common.
#pragma once

#include <csignal>
#include <functional>
#include <string>

#include "flows/options.hh"
#include "ports/pcap_input.hh"

namespace bricks::flows {

extern volatile sig_atomic_t stop_signal;  // SIGINT or SIGTERM, once it came

// Signals end the reading; once: a second Ctrl-C ends the program even where writing is stuck.
void await_signals() noexcept;
int exit_code(Code code) noexcept;  // as src/errors.ts has them
// A line on stderr, with `program` before it.
void say(const char* program, const std::string& text);
// Decodes and gives every batch, until the input ends or a signal comes.
void read_all(Input& input, LedgerCell* cell, const std::function<void(const Batch&)>& take);

// Writes to standard output in large pieces.
class Printer {
 public:
  explicit Printer(const char* program) : program_(program) {}
  std::string& text() noexcept { return text_; }
  // Writes where there is enough, or `last`. False: who reads has stopped, or it failed.
  bool print(bool last);
  int result() const noexcept {
    return result_;
  }  // kOk also where who reads has stopped (`| head`)

 private:
  const char* program_;
  std::string text_;
  int result_ = kOk;
};

}  // namespace bricks::flows
