// bricks-flows: the flows in captures, as rows.
#include "flows/flow_listing.hh"
#include "flows/options.hh"
#include "flows/program.hh"
#include "flows/row_writer.hh"

namespace bricks::flows {
namespace {

constexpr char kProgram[] = "bricks flows";

int print_rows(FlowTable& table, bool tsv) {
  Printer printer(kProgram);
  if (tsv) printer.text() = tsv_head();
  for (uint32_t row = 0; row < table.size(); ++row) {
    (tsv ? append_tsv : append_json)(table.at(row), &printer.text());
    if (!printer.print(false)) return printer.result();
  }
  printer.print(true);
  return printer.result();
}

// What is in no row, and why.
int say_left_out(const FlowListing& listing, const LedgerCell& cell, const FlowOptions& options) {
  const uint64_t bad = cell.dropped_total();
  if (!options.quiet && bad) {
    say(kProgram,
        "warning: " + std::to_string(bad) + " records cannot be packets; they are in no row");
  }
  if (!options.quiet && listing.not_ip()) {
    say(kProgram, std::to_string(listing.not_ip()) + " of " + std::to_string(listing.packets()) +
                      " packets have no IP header; they are in no row");
  }
  if (!listing.unlisted()) return kOk;
  say(kProgram, "there are more flows than " + std::to_string(options.rows) + ": " +
                    std::to_string(listing.unlisted()) +
                    " packets of others are in no row; raise --flows (up to " +
                    std::to_string(kFlowsMax) + ") or list fewer files at a time");
  return kConfiguration;
}

int list_flows(const FlowOptions& options) {
  std::unique_ptr<Input> input;
  const Status status = PcapInput::open(options.files, PcapReplay{}, &input);
  if (!status.ok()) {
    say(kProgram, status.message);
    return exit_code(status.code);
  }
  const auto listing = std::make_unique<FlowListing>(options.rows);
  LedgerCell cell;
  read_all(*input, &cell, [&](const Batch& batch) { listing->add(batch); });
  listing->finish();
  const std::string warning = input->take_warning();
  if (!warning.empty()) say(kProgram, "warning: " + warning);
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
  await_signals();
  return list_flows(options);
}
