// Stream integrity through an engine: a capture of a bad network, the Session brick, a plugin in C
// that writes down the payload it gets. It is what the model of the overlap policy says.
#include "pcap_bytes.hh"
#include "session_fixture.hh"
#include "session_house.hh"
#include "stream_fixture.hh"
#include "stream_network.hh"

namespace bricks::sessions {

namespace {

using stream_fixture::Event;
using stream_fixture::Step;

constexpr Ends kEnds = {1, 2, 40000, 4444};
constexpr uint32_t kOtherIsn = 77777;

class Capture {
 public:
  Capture(uint32_t isn, const std::vector<Step>& steps) : isn_(isn) {
    add(kEnds, isn_, 0, 2, "");
    add(kEnds.reversed(), kOtherIsn, isn_ + 1, 0x12, "");
    add(kEnds, isn_ + 1, kOtherIsn + 1, 0x10, "");
    for (const Step& step : steps) {
      const auto at = isn_ + 1 + static_cast<uint32_t>(step.at);
      if (step.bytes.empty()) {
        add(kEnds.reversed(), kOtherIsn + 1, at, 0x10, "");
      } else {
        add(kEnds, at, kOtherIsn + 1, 0x18, step.bytes);
      }
    }
  }
  const std::vector<conformance::Frame>& frames() const { return frames_; }

 private:
  void add(const Ends& ends, uint32_t seq, uint32_t ack, uint8_t flags, const std::string& text) {
    using namespace frames;
    const Bytes segment = be16(ends.source_port) + be16(ends.target_port) + be32(seq) + be32(ack) +
                          Bytes{0x50, flags} + be16(65535) + be32(0) +
                          Bytes(text.begin(), text.end());
    frames_.push_back(
        conformance::whole(ethernet(ends, 0x0800, ip4(ends, {}, segment)), time_ += 100000));
  }
  uint32_t isn_;
  Nanos time_ = kStart;
  std::vector<conformance::Frame> frames_;
};

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

// What the plugin wrote of the first direction.
std::vector<Event> read_events(const std::string& text) {
  static const char* const kReasons[] = {"", "ack_passed", "cap", "flush", "timeout"};
  std::vector<Event> events;
  for (const std::string& line : plugin_fixture::split(text, '\n')) {
    const std::vector<std::string> words = plugin_fixture::split(line, ' ');
    if (words.size() < 5 || words[0] != "0" || words[1] == "c") continue;
    const uint64_t offset = std::stoull(words[2]), length = std::stoull(words[3]);
    if (words[1] == "p") {
      const std::string bytes = from_hex(words[4]);
      CHECK_EQ(bytes.size(), length);
      stream_model::append_payload(&events, offset, bytes);
    } else if (length > 0) {
      const auto reason = static_cast<size_t>(std::stoi(words[4]));
      events.push_back({'g', offset, length, reason < 5 ? kReasons[reason] : "?"});
    }
  }
  return events;
}

std::string run_engine(const Capture& capture, const char* overlaps, const char* delivery) {
  captures::Folder folder;
  const std::string in =
      "pcap:" + folder.write("in.pcap", captures::pcap_file({}, capture.frames()));
  const std::string file = folder.path("events");
  {
    const Plugged plugged("stream_writer", {{"file", file}});  // closes it when it goes
    House house;
    run_to_the_end(
        house, session({in}, {"null:"}, plugged,
                       {{"overlaps", std::string(overlaps)}, {"delivery", std::string(delivery)}}));
  }
  return plugin_fixture::read_all(file);
}

}  // namespace

TEST(session_streams_through_chaos_are_what_the_policy_says) {
  using namespace streams;
  std::mt19937_64 random(stream_fixture::print_seed("session_streams"));
  stream_fixture::Network network(random);
  for (uint32_t round = 0; round < 2 * kOverlapPolicyCount; ++round) {
    const auto policy = static_cast<OverlapPolicy>(round % kOverlapPolicyCount);
    const Delivery delivery = round % 2 ? Delivery::acked : Delivery::immediate;
    const uint32_t isn = stream_fixture::kIsns[round % 5];
    const std::vector<Step> steps = network.steps();
    stream_model::Model model(policy, delivery);
    for (const Step& step : steps) {
      if (step.bytes.empty()) {
        model.ack(step.at);
      } else {
        model.segment(step.at, step.bytes);
      }
    }
    model.close();
    const std::vector<Event> seen =
        read_events(run_engine(Capture(isn, steps), policy_name(policy),
                               delivery == Delivery::acked ? "acked" : "immediate"));
    if (seen != model.events()) {
      std::printf("  %s, ISN %u, round %u: %zu events, not %zu\n", policy_name(policy), isn, round,
                  seen.size(), model.events().size());
    }
    CHECK(seen == model.events());
    if (check::failures) return;
  }
}

// Both versions of what differs, of bytes that were given out and of such that wait; what is the
// same again is none.
TEST(session_conflicts_are_told_with_both_versions) {
  std::vector<Step> steps;
  const auto say = [&](int64_t at, const char* bytes) { steps.push_back({at, bytes}); };
  say(0, "hello world");
  say(0, "hello world");
  say(2, "LLo");
  say(20, "waits");
  say(18, "ooweits.");
  steps.push_back({11, ""});
  const std::string told = run_engine(Capture(4294967290u, steps), "first", "immediate");
  std::vector<std::string> conflicts;
  for (const std::string& line : plugin_fixture::split(told, '\n')) {
    if (line.find(" c ") != std::string::npos) conflicts.push_back(line);
  }
  CHECK_EQ(conflicts.size(), size_t{2});
  if (conflicts.size() != 2) return;
  CHECK_EQ(conflicts[0], "0 c 2 2 1 6c6c 4c4c");
  CHECK_EQ(conflicts[1], "0 c 21 1 2 61 65");
}

}  // namespace bricks::sessions
