// Merge: all inputs into one output; the engine has already put packets of one batch into order.
// With a window, by time.
#include "bricks/merge_by_time.hh"
#include "bricks/pass_through.hh"

namespace bricks {
namespace {

constexpr OptionDescriptor kOptions[] = {
    {"window", OptionType::number, "0", 0, 60000, nullptr,
     "milliseconds a packet waits for older ones of other inputs; 0: none waits"},
    {"packets", OptionType::integer, "65536", 1024, kMergePacketsMax, nullptr,
     "how many may wait; beyond that the oldest goes on"},
};

constexpr FigureDescriptor kFigures[] = {
    {"late", FigureKind::counter,
     "packets older than one that had left: they went on at once, out of order"},
    {"forced", FigureKind::counter,
     "packets that left before their time, because as many waited as may"},
    {"clock_back", FigureKind::counter,
     "how often an input's clock was set back, or its file began again"},
};

Status make(const Options& options, const BrickPlace& place, std::unique_ptr<Brick>* brick) {
  const double window = option_number(options, "window");
  if (window == 0) return make_pass_through(options, place, brick);
  return MergeByTime::create(static_cast<Nanos>(window * 1e6),
                             static_cast<uint32_t>(option_integer(options, "packets")), brick);
}

}  // namespace

extern const BrickType kMerge = {
    .name = "Merge",
    .summary = "brings several inputs together in one output",
    .details =
        "Inputs are ports or links of other bricks. Packets that came in together leave in the "
        "order they came; inputs take turns, a batch each. With a window packets leave in the "
        "order of their times: each waits until all other inputs have given something later, have "
        "ended, or have had nothing for the length of the window. Capture files always have "
        "something until they end, so they are merged exactly, however fast they are read. A "
        "packet older than one that has left goes on at once and is counted as late.",
    .inputs = {1, kInletsMax},
    .outputs = {1, 1},
    .duplicates = false,
    .reads_flows = false,
    .cuts = false,
    .holds = true,
    .options = kOptions,
    .figures = kFigures,
    .make = make,
};

}  // namespace bricks
