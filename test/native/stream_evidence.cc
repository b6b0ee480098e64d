// Bytes that come again, and what is remembered of those that were given out.
#include "stream_fixture.hh"

using namespace stream_fixture;

namespace {

std::string bytes(size_t length, char first = 'a') {
  std::string text;
  for (size_t i = 0; i < length; ++i) text += static_cast<char>(first + i % 23);
  return text;
}

}  // namespace

TEST(streams_conflicts_are_told_with_both_versions) {
  Talk talk;
  talk.syn();
  talk.data(0, "the old bytes");
  talk.data(4, "new");
  CHECK_EQ(talk.log.conflicts.size(), 1u);
  CHECK_EQ(talk.log.conflicts[0].offset, 4u);
  CHECK_EQ(talk.log.conflicts[0].length, 3u);
  CHECK(talk.log.conflicts[0].delivered);
  CHECK(talk.log.conflicts[0].had != talk.log.conflicts[0].came);
  talk.data(0, "the old bytes");
  CHECK_EQ(talk.streams().counts().rexmit_same, 1u);
  talk.data(20, "waits");
  talk.data(20, "WaitS");
  CHECK_EQ(talk.log.conflicts.size(), 2u);
  CHECK_EQ(talk.log.conflicts[1].offset, 20u);
  CHECK_EQ(talk.log.conflicts[1].length, 5u);
  CHECK(!talk.log.conflicts[1].delivered);
}

TEST(streams_evidence_reaches_as_far_back_as_was_asked) {
  for (const uint32_t evidence : {0u, 1000u, 4096u, 100000u}) {
    StreamOptions options = small_options();
    options.evidence = evidence;
    Talk talk(options);
    talk.syn();
    for (int i = 0; i < 200; ++i) talk.data(i * 1000, bytes(1000));
    const auto before = talk.streams().counts();
    talk.data(200000 - int64_t{evidence}, bytes(std::max(evidence, 1u), 'A'));
    if (evidence) CHECK_EQ(talk.streams().counts().rexmit_conflict, before.rexmit_conflict + 1);
    talk.data(0, "long ago");
    CHECK_EQ(talk.streams().counts().rexmit_unknown, before.rexmit_unknown + 1);
    CHECK(talk.position().memory <= evidence + 2 * 2048);
    talk.close();
  }
}
