// The vectors of "what would that system read": V1 to V14 for 13 policies and 5 initial sequence
// numbers, every relation that two and three segments can have, and random ones.
#include "stream_fixture.hh"

using namespace stream_fixture;

namespace {

struct Part {
  char letter;
  int at, length;
};
struct Vector {
  std::vector<Part> parts;
  // As they are at offsets 0 to 9: first and vista; last; bsd and its like; linux; old-linux;
  // solaris and hpux11.
  const char* expected[6];
};

uint32_t group_of(OverlapPolicy policy) {
  switch (policy) {
    case OverlapPolicy::first:
    case OverlapPolicy::vista:
      return 0;
    case OverlapPolicy::last:
      return 1;
    case OverlapPolicy::linux_classic:
      return 3;
    case OverlapPolicy::old_linux:
      return 4;
    case OverlapPolicy::solaris:
    case OverlapPolicy::hpux11:
      return 5;
    default:
      return 2;
  }
}

// A letter is a sequence of its own: no two bytes of a vector are the same.
std::string bytes_of(const Part& part) {
  std::string bytes;
  for (int i = 0; i < part.length; ++i) {
    bytes += static_cast<char>((part.letter - 'A') * 16 + part.at + i);
  }
  return bytes;
}

// Offsets begin at 1: before that is a hole, so everything waits and the policy decides.
void play(const Vector& vector, OverlapPolicy policy, uint32_t isn) {
  StreamOptions options = small_options();
  options.policy = policy;
  Talk talk(options, isn);
  talk.syn();
  for (const Part& part : vector.parts) talk.data(part.at + 1, bytes_of(part));
  talk.close();
  std::string seen(10, '.');
  for (const Event& event : talk.log.events[0]) {
    if (event.kind != 'p') continue;
    for (size_t i = 0; i < event.bytes.size(); ++i) {
      const auto byte = static_cast<uint8_t>(event.bytes[i]);
      const size_t at = event.offset - 1 + i;
      CHECK_EQ(byte & 15u, at);
      seen[at] = static_cast<char>('A' + (byte >> 4));
    }
  }
  const std::string expected = vector.expected[group_of(policy)];
  if (seen != expected) std::printf("  %s, ISN %u\n", policy_name(policy), isn);
  CHECK_EQ(seen, expected);
}

void play_all(const Vector& vector) {
  for (uint32_t i = 0; i < kOverlapPolicyCount; ++i) {
    for (const uint32_t isn : kIsns) play(vector, static_cast<OverlapPolicy>(i), isn);
  }
}

}  // namespace

TEST(streams_V1_the_same_again) {
  play_all({{{'A', 2, 4}, {'B', 2, 4}},
            {"..AAAA....", "..BBBB....", "..AAAA....", "..AAAA....", "..BBBB....", "..BBBB...."}});
}
TEST(streams_V2_the_same_start_and_longer) {
  play_all({{{'A', 2, 4}, {'B', 2, 6}},
            {"..AAAABB..", "..BBBBBB..", "..AAAABB..", "..BBBBBB..", "..BBBBBB..", "..BBBBBB.."}});
}
TEST(streams_V3_the_same_start_and_shorter) {
  play_all({{{'A', 2, 4}, {'B', 2, 2}},
            {"..AAAA....", "..BBAA....", "..AAAA....", "..AAAA....", "..AAAA....", "..AAAA...."}});
}
TEST(streams_V4_from_before_into_it) {
  play_all({{{'A', 4, 4}, {'B', 2, 4}},
            {"..BBAAAA..", "..BBBBAA..", "..BBBBAA..", "..BBBBAA..", "..BBBBAA..", "..BBAAAA.."}});
}
TEST(streams_V5_from_before_to_its_end) {
  play_all({{{'A', 4, 4}, {'B', 2, 6}},
            {"..BBAAAA..", "..BBBBBB..", "..BBBBBB..", "..BBBBBB..", "..BBBBBB..", "..BBBBBB.."}});
}
TEST(streams_V6_all_around_it) {
  play_all({{{'A', 4, 4}, {'B', 2, 8}},
            {"..BBAAAABB", "..BBBBBBBB", "..BBBBBBBB", "..BBBBBBBB", "..BBBBBBBB", "..BBBBBBBB"}});
}
TEST(streams_V7_inside_it) {
  play_all({{{'A', 2, 8}, {'B', 4, 4}},
            {"..AAAAAAAA", "..AABBBBAA", "..AAAAAAAA", "..AAAAAAAA", "..AAAAAAAA", "..AAAAAAAA"}});
}
TEST(streams_V8_inside_it_to_its_end) {
  play_all({{{'A', 2, 6}, {'B', 4, 4}},
            {"..AAAAAA..", "..AABBBB..", "..AAAAAA..", "..AAAAAA..", "..AAAAAA..", "..AAAAAA.."}});
}
TEST(streams_V9_from_inside_beyond_it) {
  play_all({{{'A', 2, 4}, {'B', 4, 6}},
            {"..AAAABBBB", "..AABBBBBB", "..AAAABBBB", "..AAAABBBB", "..AAAABBBB", "..AABBBBBB"}});
}
TEST(streams_V10_around_two) {
  play_all({{{'A', 2, 3}, {'B', 5, 3}, {'C', 1, 8}},
            {".CAAABBBC.", ".CCCCCCCC.", ".CCCCCCCC.", ".CCCCCCCC.", ".CCCCCCCC.", ".CCCCCCCC."}});
}
TEST(streams_V11_just_over_two) {
  play_all({{{'A', 2, 3}, {'B', 5, 3}, {'C', 2, 6}},
            {"..AAABBB..", "..CCCCCC..", "..AAACCC..", "..CCCCCC..", "..CCCCCC..", "..CCCCCC.."}});
}
TEST(streams_V12_from_one_into_another) {
  play_all({{{'A', 2, 2}, {'B', 7, 2}, {'C', 3, 5}},
            {"..AACCCBB.", "..ACCCCCB.", "..AACCCCB.", "..AACCCCB.", "..AACCCCB.", "..ACCCCBB."}});
}
TEST(streams_V13_from_before_into_the_second) {
  play_all({{{'A', 4, 3}, {'B', 7, 3}, {'C', 0, 9}},
            {"CCCCAAABBB", "CCCCCCCCCB", "CCCCCCCCCB", "CCCCCCCCCB", "CCCCCCCCCB", "CCCCCCCBBB"}});
}
TEST(streams_V14_three_in_a_heap) {
  play_all({{{'A', 3, 4}, {'B', 1, 4}, {'C', 3, 6}},
            {".BBAAAACC.", ".BBCCCCCC.", ".BBBBAACC.", ".BBBBCCCC.", ".BBBBCCCC.", ".BBCCCCCC."}});
}

TEST(streams_policies_have_names) {
  for (uint32_t i = 0; i < kOverlapPolicyCount; ++i) {
    OverlapPolicy found;
    CHECK(policy_from_name(policy_name(static_cast<OverlapPolicy>(i)), &found));
    CHECK_EQ(static_cast<uint32_t>(found), i);
  }
  OverlapPolicy untouched = OverlapPolicy::irix;
  CHECK(!policy_from_name("beos", &untouched));
  CHECK_EQ(untouched, OverlapPolicy::irix);
}

namespace {

// Plays segments both ways and compares what comes out, offsets and gaps too.
struct Both {
  stream_model::Model model;
  Talk talk;
  Both(const StreamOptions& options, uint32_t isn)
      : model(options.policy, options.delivery), talk(options, isn) {
    talk.syn();
  }
  void segment(int64_t at, const std::string& bytes) {
    model.segment(at, bytes);
    talk.data(at, bytes);
  }
  bool agree(const std::string& what) {
    model.close();
    talk.close();
    if (model.events() == talk.log.events[0]) return true;
    std::printf("  %s:\n    model  %s\n    engine %s\n", what.c_str(),
                stream_model::show(model.events()).c_str(), talk.log.text().c_str());
    return false;
  }
};

std::string letters(char first, int64_t at, int64_t end) {
  std::string bytes;
  for (int64_t i = at; i < end; ++i) bytes += static_cast<char>(first + i % 26);
  return bytes;
}

}  // namespace

// Six bounds: every way in which three intervals can lie to each other (and two of them).
TEST(streams_all_relations_of_three_segments) {
  struct Interval {
    int start, end;
  };
  std::vector<Interval> all;
  for (int start = 1; start < 7; ++start) {
    for (int end = start + 1; end < 7; ++end) all.push_back({start, end});
  }
  uint64_t played = 0, wrong = 0;
  for (uint32_t policy = 0; policy < kOverlapPolicyCount && !wrong; ++policy) {
    StreamOptions options = small_options();
    options.policy = static_cast<OverlapPolicy>(policy);
    Talk talk(options);
    for (const Interval& a : all) {
      for (const Interval& b : all) {
        for (const Interval& c : all) {
          const uint32_t isn = kIsns[played++ % 5];
          stream_model::Model model(options.policy, options.delivery);
          Log log;
          const uint32_t connection = talk.streams().open();
          TcpSegment segment;
          segment.flags = kSyn;
          segment.seq = isn;
          talk.streams().segment(connection, 0, segment, log);
          const auto send = [&](char first, int start, int end) {
            const std::string bytes = letters(first, start, end);
            model.segment(start, bytes);
            segment = TcpSegment{};
            segment.seq = isn + 1 + static_cast<uint32_t>(start);
            segment.payload = reinterpret_cast<const uint8_t*>(bytes.data());
            segment.length = static_cast<uint32_t>(bytes.size());
            talk.streams().segment(connection, 0, segment, log);
          };
          send('a', a.start, a.end);
          send('A', b.start, b.end);
          send('0', c.start, c.end);
          send('!', 0, 1);  // the hole before is filled: what waits goes out
          model.close();
          talk.streams().close(connection, log);
          talk.streams().recycle();
          if (model.events() != log.events[0]) {
            ++wrong;
            std::printf("  %s: [%d,%d) [%d,%d) [%d,%d)\n    model  %s\n    engine %s\n",
                        policy_name(options.policy), a.start, a.end, b.start, b.end, c.start, c.end,
                        stream_model::show(model.events()).c_str(), log.text().c_str());
          }
        }
      }
    }
  }
  CHECK_EQ(wrong, 0u);
  CHECK_EQ(played, uint64_t{13} * 15 * 15 * 15);
}

TEST(streams_random_segments_agree_with_the_model) {
  std::mt19937_64 random(print_seed("streams_random"));
  const auto up_to = [&](uint64_t most) { return static_cast<int64_t>(random() % (most + 1)); };
  bool agrees = true;
  for (int round = 0; round < 4000 && agrees; ++round) {
    StreamOptions options = small_options();
    options.policy = static_cast<OverlapPolicy>(random() % kOverlapPolicyCount);
    options.delivery = random() % 2 ? Delivery::acked : Delivery::immediate;
    options.evidence = random() % 2 ? 4096 : 0;
    // Blocks are 2 KiB: their edges, and the wrap, lie among the segments.
    const uint32_t edge = random() % 2 ? 0u : 1u << 11;
    const uint32_t isn = round < 20 ? kIsns[round % 5] : edge - static_cast<uint32_t>(up_to(60));
    Both both(options, isn);
    const int64_t space = 20 + up_to(200), longest = 1 + up_to(40);
    int64_t sent = 0;
    for (int i = 0; i < 60; ++i) {
      const int64_t at = up_to(static_cast<uint64_t>(space));
      const int64_t end = at + 1 + up_to(static_cast<uint64_t>(longest - 1));
      both.segment(at, letters(static_cast<char>('A' + i % 40), at, end));
      sent = std::max(sent, end);
      if (random() % 8 == 0) {
        const int64_t ack = up_to(static_cast<uint64_t>(sent));
        both.model.ack(ack);
        both.talk.ack(ack);
      }
    }
    agrees = both.agree(std::string(policy_name(options.policy)) + " round " +
                        std::to_string(round) + " ISN " + std::to_string(isn));
  }
  CHECK(agrees);
}
