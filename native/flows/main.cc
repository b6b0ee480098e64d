// bricks-flows: the flows in captures, as rows.
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "flows/flow_listing.hh"
#include "flows/options.hh"
#include "flows/row_writer.hh"
#include "ports/pcap_input.hh"
#include "wire/decode.hh"

namespace bricks::flows {
namespace {

constexpr int kSliceMs = 200;               // a wait is this long; then signals are looked at
constexpr size_t kWriteBytes = 256 * 1024;  // rows are written in pieces of at least that
volatile sig_atomic_t stop_signal = 0;

void on_signal(int number) { stop_signal = number; }

int exit_code(Code code) noexcept {  // as src/errors.ts has them
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

void say(const std::string& text) { fprintf(stderr, "bricks flows: %s\n", text.c_str()); }

void say_warnings(Input& input) {
  const std::string text = input.take_warning();
  if (!text.empty()) say("warning: " + text);
}

// Until the input ends or a signal comes.
void read_all(Input& input, FlowListing* listing, LedgerCell* cell) {
  static Batch batch;
  while (!stop_signal) {
    batch.count = 0;
    if (input.receive(batch, kBatchMax, 0, *cell) > 0) {
      decode(batch, process_hash_seed());
      listing->add(batch);
      input.release(batch);
    } else if (input.finished()) {
      return;
    } else if (input.wait_fd() >= 0) {
      pollfd wait{input.wait_fd(), POLLIN, 0};
      (void)poll(&wait, 1, kSliceMs);
    }
  }
}

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

// Who reads may stop (`| head`): that is no failure.
int print_rows(FlowTable& table, bool tsv) {
  std::string text = tsv ? tsv_head() : "";
  for (uint32_t row = 0; row <= table.size(); ++row) {
    if (row < table.size()) (tsv ? append_tsv : append_json)(table.at(row), &text);
    if (row < table.size() && text.size() < kWriteBytes) continue;
    const int error = write_out(&text);
    if (error == EPIPE) return kOk;
    if (error) {
      say(system_error("cannot write to standard output", error).message);
      return kFailed;
    }
  }
  return kOk;
}

// What is in no row, and why.
int say_left_out(const FlowListing& listing, const LedgerCell& cell, const FlowOptions& options) {
  const uint64_t bad = cell.dropped_total();
  if (!options.quiet && bad) {
    say("warning: " + std::to_string(bad) + " records cannot be packets; they are in no row");
  }
  if (!options.quiet && listing.not_ip()) {
    say(std::to_string(listing.not_ip()) + " of " + std::to_string(listing.packets()) +
        " packets have no IP header; they are in no row");
  }
  if (!listing.unlisted()) return kOk;
  say("there are more flows than " + std::to_string(options.flows) + ": " +
      std::to_string(listing.unlisted()) +
      " packets of others are in no row; raise --flows (up to " + std::to_string(kFlowsMax) +
      ") or list fewer files at a time");
  return kConfiguration;
}

int list_flows(const FlowOptions& options) {
  std::unique_ptr<Input> input;
  const Status status = PcapInput::open(options.files, PcapReplay{}, &input);
  if (!status.ok()) {
    say(status.message);
    return exit_code(status.code);
  }
  const auto listing = std::make_unique<FlowListing>(options.flows);
  LedgerCell cell;
  read_all(*input, listing.get(), &cell);
  listing->finish();
  say_warnings(*input);
  const int left_out = say_left_out(*listing, cell, options);
  const int printed = print_rows(listing->table(), options.tsv);
  if (printed != kOk) return printed;
  return stop_signal ? kSignal + stop_signal : left_out;
}

}  // namespace
}  // namespace bricks::flows

int main(int argc, char** argv) {
  using namespace bricks::flows;
  FlowOptions options;
  const int parsed = parse_options(argc, argv, &options);
  if (parsed >= 0) return parsed;
  // Once: a second Ctrl-C ends us even where writing is stuck.
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return list_flows(options);
}
