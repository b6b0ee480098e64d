#include "flows/program.hh"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "wire/decode.hh"

namespace bricks::flows {
namespace {

constexpr int kSliceMs = 200;               // a wait is this long; then signals are looked at
constexpr size_t kWriteBytes = 256 * 1024;  // rows are written in pieces of at least that

void on_signal(int number) { stop_signal = number; }

// 0, or errno.
int write_out(std::string* text) noexcept {
  for (size_t done = 0; done < text->size();) {
    const ssize_t wrote = write(STDOUT_FILENO, text->data() + done, text->size() - done);
    if (wrote < 0 && errno == EAGAIN) {
      pollfd wait{STDOUT_FILENO, POLLOUT, 0};
      (void)poll(&wait, 1, -1);
    } else if (wrote < 0 && errno != EINTR) {
      return errno;
    } else if (wrote > 0) {
      done += static_cast<size_t>(wrote);
    }
  }
  text->clear();
  return 0;
}

}  // namespace

volatile sig_atomic_t stop_signal = 0;

void await_signals() noexcept {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

int exit_code(Code code) noexcept {
  switch (code) {
    case Code::invalid_argument:
    case Code::not_a_capture:
    case Code::limit_reached:
      return kConfiguration;
    case Code::permission_denied:
      return 5;
    case Code::no_such_file:
      return 6;
    default:
      return kFailed;
  }
}

void say(const char* program, const std::string& text) {
  fprintf(stderr, "%s: %s\n", program, text.c_str());
}

void read_all(Input& input, LedgerCell* cell, const std::function<void(const Batch&)>& take) {
  static Batch batch;
  while (!stop_signal) {
    batch.count = 0;
    if (input.receive(batch, kBatchMax, 0, *cell) > 0) {
      decode(batch, process_hash_seed());
      take(batch);
      input.release(batch);
    } else if (input.finished()) {
      return;
    } else if (input.wait_fd() >= 0) {
      pollfd wait{input.wait_fd(), POLLIN, 0};
      (void)poll(&wait, 1, kSliceMs);
    }
  }
}

bool Printer::print(bool last) {
  if (!last && text_.size() < kWriteBytes) return true;
  const int error = write_out(&text_);
  if (error == 0) return true;
  if (error != EPIPE) {
    say(program_, system_error("cannot write to standard output", error).message);
    result_ = kFailed;
  }
  return false;
}

}  // namespace bricks::flows
