// bricks-streams: the bytes of TCP streams in captures, as rows.
#include <arpa/inet.h>

#include "flows/program.hh"
#include "flows/row_text.hh"
#include "flows/stream_listing.hh"
#include "flows/stream_options.hh"

namespace bricks::flows {
namespace {

constexpr char kProgram[] = "bricks streams";
constexpr const char* kColumns[] = {"ip_a",   "port_a",   "ip_b", "port_b", "bytes",
                                    "sha256", "complete", "gaps", "missing"};

void append(const Stream& stream, uint32_t direction, bool json, std::string* text) {
  const StreamSide& side = stream.side[direction];
  Row row(kColumns, json, text);
  for (const uint32_t end : {direction, 1 - direction}) {
    const int of_key = static_cast<int>(end ^ stream.a);
    row.word(address_text(stream.key, of_key));
    row.number(ntohs(stream.key.port[of_key]));
  }
  row.number(side.bytes);
  row.word(side.bytes ? side.sha256.hex() : "-");
  row.truth(side.gaps == 0 && !side.is_stopped);
  row.number(side.gaps);
  row.number(side.missing);
  row.end();
}

int print_rows(const StreamListing& listing, bool tsv) {
  Printer printer(kProgram);
  if (tsv) printer.text() = tsv_head(kColumns);
  for (const Stream& stream : listing.streams()) {
    for (const uint32_t direction : {0u, 1u}) append(stream, direction, !tsv, &printer.text());
    if (!printer.print(false)) return printer.result();
  }
  printer.print(true);
  return printer.result();
}

int list_streams(const StreamListOptions& options) {
  std::unique_ptr<Input> input;
  std::unique_ptr<StreamListing> listing;
  Status status = PcapInput::open(options.files, PcapReplay{}, &input);
  if (status.ok()) status = StreamListing::create(options.rows, options.policy, &listing);
  if (!status.ok()) {
    say(kProgram, status.message);
    return exit_code(status.code);
  }
  LedgerCell cell;
  read_all(*input, &cell, [&](const Batch& batch) { listing->add(batch); });
  listing->finish();
  const std::string warning = input->take_warning();
  if (!warning.empty()) say(kProgram, "warning: " + warning);
  int result = kOk;
  if (listing->unlisted()) {
    say(kProgram, "there are more streams than " + std::to_string(options.rows) + ": " +
                      std::to_string(listing->unlisted()) +
                      " segments of others are in no row; raise --streams (up to " +
                      std::to_string(kStreamsMax) + ") or list fewer files at a time");
    result = kConfiguration;
  }
  const int printed = print_rows(*listing, options.tsv);
  if (printed != kOk) return printed;
  return stop_signal ? kSignal + stop_signal : result;
}

}  // namespace
}  // namespace bricks::flows

int main(int argc, char** argv) {
  using namespace bricks::flows;
  StreamListOptions options;
  const int parsed = parse_stream_options(argc, argv, &options);
  if (parsed >= 0) return parsed;
  await_signals();
  return list_streams(options);
}
