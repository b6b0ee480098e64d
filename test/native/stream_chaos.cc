// A network at its worst: loss before the capture, reordering, duplicates, and somebody who sends
// other bytes for the same place. What comes out is what the model says, byte by byte and gap by
// gap; memory stays within its caps.
#include "stream_fixture.hh"
#include "stream_network.hh"

using namespace stream_fixture;

namespace {

// Adds how many gaps and conflicts there were.
bool survives(const StreamOptions& options, uint32_t isn, const std::vector<Step>& steps,
              uint64_t* gaps, uint64_t* conflicts) {
  stream_model::Model model(options.policy, options.delivery);
  Talk talk(options, isn);
  talk.syn();
  for (const Step& step : steps) {
    if (step.bytes.empty()) {
      model.ack(step.at);
      talk.ack(step.at);
    } else {
      model.segment(step.at, step.bytes);
      talk.data(step.at, step.bytes);
    }
    CHECK(talk.position().memory <= options.direction_bytes + 24 * options.segments);
  }
  model.close();
  talk.close();
  for (const Event& event : model.events()) *gaps += event.kind == 'g';
  *conflicts += talk.log.conflicts.size();
  if (model.events() == talk.log.events[0]) return true;
  std::printf("  %s, ISN %u: %zu events of the model, %zu of the engine\n",
              policy_name(options.policy), isn, model.events().size(), talk.log.events[0].size());
  return false;
}

}  // namespace

TEST(streams_chaos_comes_out_as_the_policy_says) {
  std::mt19937_64 random(print_seed("streams_chaos"));
  Network network(random);
  uint64_t gaps = 0, conflicts = 0;
  for (uint32_t round = 0; round < 52; ++round) {
    StreamOptions options = small_options();
    options.policy = static_cast<OverlapPolicy>(round % kOverlapPolicyCount);
    options.delivery = round % 2 ? Delivery::acked : Delivery::immediate;
    const uint32_t isn = round < 20 ? kIsns[round % 5] : static_cast<uint32_t>(random());
    CHECK(survives(options, isn, network.steps(), &gaps, &conflicts));
    if (check::failures) return;
  }
  CHECK(gaps > 52);  // it was a bad network
  CHECK(conflicts > 52);
}

// Small caps: what is given out differs from the model, but never lies.
TEST(streams_chaos_under_small_caps_never_gives_a_byte_twice_or_untold) {
  std::mt19937_64 random(print_seed("streams_caps"));
  Network network(random);
  for (uint32_t round = 0; round < 60; ++round) {
    StreamOptions options = small_options();
    options.policy = static_cast<OverlapPolicy>(round % kOverlapPolicyCount);
    options.segments = 1 + static_cast<uint32_t>(random() % 6);
    options.direction_bytes = 80u << 10;
    options.session_bytes = 80u << 10;
    options.over_cap = round % 3 ? OverCap::skip : OverCap::refuse;
    Talk talk(options, static_cast<uint32_t>(random()));
    talk.syn();
    std::vector<Step> steps = network.steps();
    for (const Step& step : steps) {
      if (step.bytes.empty()) {
        talk.ack(step.at);
      } else {
        talk.data(step.at, step.bytes);
      }
      CHECK(talk.position().waiting <= options.segments);
    }
    talk.close();
    uint64_t next = 0;
    for (const Event& event : talk.log.events[0]) {
      CHECK_EQ(event.offset, next);
      next += event.length;
      if (event.kind != 'p') continue;
      for (uint64_t i = 0; i < event.length; i += 97) {  // somebody sent this byte for this place
        const auto at = static_cast<int64_t>(event.offset + i);
        CHECK(std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
          return step.at <= at && at < step.at + std::ssize(step.bytes) &&
                 step.bytes[static_cast<size_t>(at - step.at)] == event.bytes[i];
        }));
      }
    }
  }
}
