// One rule of TCP, or of ours, in each test.
#include "stream_fixture.hh"

using namespace stream_fixture;

namespace {

const Event kHello{'p', 0, 5, "hello"};

}  // namespace

TEST(streams_in_order_bytes_are_the_packets_own) {
  struct : Sink {
    const uint8_t* at = nullptr;
    void payload(uint32_t, uint64_t, std::span<const uint8_t> given) override { at = given.data(); }
    void gap(uint32_t, uint64_t, uint64_t, GapReason) override {}
  } sink;
  Talk talk;
  talk.syn();
  TcpSegment segment;
  const uint8_t payload[3] = {1, 2, 3};
  segment.seq = 1001;
  segment.payload = payload;
  segment.length = 3;
  CHECK_EQ(talk.streams().segment(talk.connection(), 0, segment, sink), Taken::in_order);
  CHECK(sink.at == payload);
}

TEST(streams_a_hole_waits_and_is_filled) {
  Talk talk;
  talk.syn();
  CHECK_EQ(talk.data(3, "lo"), Taken::waiting);
  CHECK_EQ(talk.position().waiting, 1u);
  CHECK(talk.log.events[0].empty());
  CHECK_EQ(talk.data(0, "hel"), Taken::in_order);
  CHECK(talk.log.events[0] == std::vector<Event>{kHello});
  CHECK_EQ(talk.position().waiting, 0u);
}

TEST(streams_wrap_at_two_to_the_32) {
  // 8 GiB in 32 KiB segments, one in sixteen swapped with the next: the number wraps twice.
  Talk talk(small_options(), 0xfffffff0u);
  talk.syn();
  struct : Sink {
    uint64_t next = 0, gaps = 0;
    void payload(uint32_t, uint64_t offset, std::span<const uint8_t> given) override {
      CHECK_EQ(offset, next);
      next += given.size();
    }
    void gap(uint32_t, uint64_t, uint64_t, GapReason) override { ++gaps; }
  } sink;
  const std::vector<uint8_t> payload(32768, 'x');
  const uint64_t count = (uint64_t{1} << 33) / payload.size();
  for (uint64_t i = 0; i < count; ++i) {
    TcpSegment segment;
    const uint64_t place = i % 16 == 14 ? i + 1 : i % 16 == 15 ? i - 1 : i;
    segment.seq = static_cast<uint32_t>(0xfffffff1u + place * payload.size());
    segment.payload = payload.data();
    segment.length = static_cast<uint32_t>(payload.size());
    talk.streams().segment(talk.connection(), 0, segment, sink);
    talk.streams().recycle();
  }
  CHECK_EQ(sink.next, uint64_t{1} << 33);
  CHECK_EQ(sink.gaps, 0u);
}

TEST(streams_data_of_the_syn_is_first) {
  Talk talk;
  TcpSegment segment;
  segment.seq = 1000;
  segment.flags = kSyn;
  segment.payload = reinterpret_cast<const uint8_t*>("hel");
  segment.length = 3;
  CHECK_EQ(talk.pass(0, segment), Taken::in_order);
  talk.data(3, "lo");
  CHECK(talk.log.events[0] == std::vector<Event>{kHello});
  CHECK_EQ(talk.log.midstream, 0u);
}

TEST(streams_a_syn_again_is_nothing_and_another_only_before_an_answer) {
  Talk talk;
  talk.syn();
  talk.syn();
  TcpSegment other;
  other.seq = 5000;
  other.flags = kSyn;
  CHECK_EQ(talk.pass(0, other), Taken::nothing);  // nobody answered the first one
  CHECK_EQ(talk.pass(0, other), Taken::nothing);
  TcpSegment answer;
  answer.flags = kSyn | kAck;
  answer.seq = 1;
  answer.ack = 5001;
  answer.window = 1000;
  talk.pass(1, answer);
  CHECK_EQ(talk.streams().counts().bad_syn, 0u);
  CHECK_EQ(talk.syn(), Taken::invalid);  // now it is 5000
  CHECK_EQ(talk.streams().counts().bad_syn, 1u);
  TcpSegment data;
  data.seq = 5001;
  data.payload = reinterpret_cast<const uint8_t*>("hello");
  data.length = 5;
  CHECK_EQ(talk.pass(0, data), Taken::in_order);
  CHECK(talk.log.events[0] == std::vector<Event>{kHello});
}

TEST(streams_what_comes_before_the_handshake_does_not_end_it) {
  Talk talk;  // Suricata's "bug 3286": a forged FIN, then a SYN-ACK for another SYN
  talk.syn();
  TcpSegment forged;
  forged.flags = kFin | kAck;
  forged.seq = 0;
  forged.ack = 1001;
  talk.pass(1, forged);
  CHECK_EQ(talk.log.ends, std::string("1@0fin "));
  TcpSegment answer;
  answer.flags = kSyn | kAck;
  answer.seq = 500;
  answer.ack = 4242;
  CHECK_EQ(talk.pass(1, answer), Taken::invalid);
  answer.seq = 700;
  answer.ack = 1001;
  CHECK_EQ(talk.pass(1, answer), Taken::nothing);
  TcpSegment data;
  data.flags = kAck;
  data.ack = 1001;
  data.seq = 701;
  data.payload = reinterpret_cast<const uint8_t*>("hello");
  data.length = 5;
  CHECK_EQ(talk.pass(1, data), Taken::in_order);
  CHECK(talk.log.events[1] == std::vector<Event>{kHello});
}

TEST(streams_the_fin_ends_and_what_is_behind_it_is_not_of_the_stream) {
  Talk talk;
  talk.syn();
  CHECK_EQ(talk.data(5, "behind"), Taken::waiting);
  CHECK_EQ(talk.data(0, "hello", kFin), Taken::in_order);
  CHECK_EQ(talk.log.ends, std::string("0@5fin "));
  CHECK(talk.position().finished);
  CHECK_EQ(talk.data(6, "more"), Taken::invalid);
  CHECK_EQ(talk.data(0, "hello", kFin), Taken::old);
  CHECK_EQ(talk.streams().counts().beyond_fin, 2u);
  talk.close();
  CHECK(talk.log.events[0] == std::vector<Event>{kHello});
}

TEST(streams_a_fin_ahead_waits_and_one_that_is_run_over_was_none) {
  Talk talk;
  talk.syn();
  talk.data(5, "", kFin);
  CHECK_EQ(talk.log.ends, std::string());
  talk.data(0, "hello");
  CHECK_EQ(talk.log.ends, std::string("0@5fin "));

  Talk other;
  other.syn();
  other.data(3, "", kFin);
  other.data(0, "hello");
  CHECK_EQ(other.log.ends, std::string());
  CHECK_EQ(other.streams().counts().bad_fin, 1u);
  CHECK_EQ(other.data(5, " you", kFin), Taken::in_order);
  CHECK_EQ(other.log.ends, std::string("0@9fin "));
}

TEST(streams_a_rst_carries_no_data) {
  Talk talk;
  talk.syn();
  CHECK_EQ(talk.data(0, "hello", kRst), Taken::nothing);
  CHECK_EQ(talk.data(0, "hello"), Taken::in_order);
  CHECK(talk.log.events[0] == std::vector<Event>{kHello});
  CHECK(talk.log.conflicts.empty());
}

TEST(streams_keep_alives_are_no_data_and_no_conflict) {
  Talk talk;
  talk.syn();
  talk.data(0, "hello");
  CHECK_EQ(talk.data(4, ""), Taken::nothing);
  CHECK_EQ(talk.data(4, "\xff"), Taken::nothing);
  CHECK_EQ(talk.streams().counts().keep_alives, 1u);
  CHECK(talk.log.conflicts.empty());
  CHECK(talk.log.events[0] == std::vector<Event>{kHello});
}

TEST(streams_a_zero_window_probe_counts_when_it_is_taken) {
  Talk refused;  // by the receiver: the byte comes again, differently
  refused.syn();
  refused.data(0, "hell");
  refused.ack(4, 0);
  CHECK_EQ(refused.data(4, "X"), Taken::nothing);
  refused.ack(4, 0);
  CHECK_EQ(refused.data(4, "X"), Taken::nothing);
  refused.ack(4, 100);
  CHECK_EQ(refused.data(4, "o, you"), Taken::in_order);
  CHECK_EQ(refused.streams().counts().probes, 2u);
  CHECK_EQ(refused.log.text(), std::string("p0+10:hello, you "));

  Talk taken;
  taken.syn();
  taken.data(0, "hell");
  taken.ack(4, 0);
  taken.data(4, "o");
  taken.ack(5, 100);
  CHECK(taken.log.events[0] == std::vector<Event>{kHello});

  Talk unseen;  // its acknowledgement was not captured: the sender goes on
  unseen.syn();
  unseen.data(0, "hell");
  unseen.ack(4, 0);
  unseen.data(4, "o");
  unseen.data(5, " you");
  CHECK_EQ(unseen.log.text(), std::string("p0+9:hello you "));
}

TEST(streams_urgent_bytes_by_each_policy) {
  const auto run = [](UrgentPolicy policy, Talk** made) {
    StreamOptions options = small_options();
    options.urgent = policy;
    auto* talk = new Talk(options);
    talk->syn();
    TcpSegment segment;
    segment.seq = 1001;
    segment.flags = kUrgent | kAck;
    segment.urgent = 3;  // one behind the urgent byte (RFC 6093)
    segment.payload = reinterpret_cast<const uint8_t*>("hello");
    segment.length = 5;
    talk->pass(0, segment);
    *made = talk;
    return talk->log.text();
  };
  Talk* talk;
  CHECK_EQ(run(UrgentPolicy::in_line, &talk), std::string("p0+5:hello "));
  delete talk;
  CHECK_EQ(run(UrgentPolicy::out_of_band, &talk), std::string("p0+2:he p3+2:lo "));
  CHECK_EQ(talk->log.urgent_bytes, std::string("l"));
  delete talk;
  CHECK_EQ(run(UrgentPolicy::drop, &talk), std::string("p0+2:he p3+2:lo "));
  CHECK_EQ(talk->log.urgent_bytes, std::string());
  delete talk;
  CHECK_EQ(run(UrgentPolicy::gap, &talk), std::string("p0+2:he g2+1:urgent p3+2:lo "));
  delete talk;
}

TEST(streams_gap_when_the_receiver_acknowledged_what_was_never_seen) {
  Talk talk;
  talk.syn();
  talk.data(0, "hello");
  talk.data(9, "you");
  talk.ack(9);  // what lies behind the hole may still be on its way
  CHECK_EQ(talk.log.text(), std::string("p0+5:hello "));
  talk.ack(12);
  CHECK_EQ(talk.log.text(), std::string("p0+5:hello g5+4:ack_passed p9+3:you "));
  talk.ack(100);  // nothing was seen beyond: nothing to pass
  talk.data(20, "late");
  CHECK_EQ(talk.position().waiting, 1u);
  talk.close();
  CHECK_EQ(talk.log.text(),
           std::string("p0+5:hello g5+4:ack_passed p9+3:you g12+8:flush p20+4:late "
                       "g24+76:ack_passed "));
}

TEST(streams_gap_by_time) {
  StreamOptions options = small_options();
  options.hole_timeout = 100;
  Talk talk(options);
  talk.syn();
  talk.time = 1000;
  talk.data(2, "cd");
  talk.data(6, "gh");
  talk.streams().expire(talk.connection(), 1100, talk.log);
  CHECK(talk.log.events[0].empty());
  talk.streams().expire(talk.connection(), 1101, talk.log);
  CHECK_EQ(talk.log.text(), std::string("g0+2:timeout p2+2:cd "));
  talk.time = 1202;  // by the packets' own time, too
  talk.data(8, "ij");
  CHECK_EQ(talk.log.text(), std::string("g0+2:timeout p2+2:cd g4+2:timeout p6+4:ghij "));
}

TEST(streams_midstream_begins_with_what_is_seen) {
  Talk talk;
  talk.data(0, "hello");
  CHECK_EQ(talk.log.midstream, 1u);
  CHECK_EQ(talk.data(-3, "bef"), Taken::invalid);
  CHECK_EQ(talk.data(-3, "befhello you"), Taken::in_order);
  CHECK_EQ(talk.streams().counts().before_start, 1u);
  CHECK_EQ(talk.log.text(), std::string("p0+9:hello you "));
}

TEST(streams_without_midstream_data_waits_for_the_syn) {
  StreamOptions options = small_options();
  options.midstream = false;
  Talk talk(options, 0xffffffff);
  CHECK_EQ(talk.data(3, "lo"), Taken::waiting);
  CHECK_EQ(talk.data(-4, "old"), Taken::waiting);
  CHECK_EQ(talk.data(0, "hel"), Taken::waiting);
  CHECK(talk.log.events[0].empty());
  talk.syn();
  CHECK(talk.log.events[0] == std::vector<Event>{kHello});
  CHECK_EQ(talk.log.midstream, 0u);
  CHECK_EQ(talk.streams().counts().before_start, 1u);
  talk.close();

  Talk never(options);
  never.data(3, "lo");
  never.data(0, "hel");
  never.ack(5);  // whoever acknowledges has had the SYN
  CHECK(never.log.events[0] == std::vector<Event>{kHello});
  CHECK_EQ(never.log.midstream, 1u);
}

TEST(streams_too_far_ahead_is_not_believed) {
  Talk talk;
  talk.syn();
  CHECK_EQ(talk.data((int64_t{1} << 30) + 1, "x"), Taken::invalid);
  CHECK_EQ(talk.streams().counts().beyond_window, 1u);
  CHECK_EQ(talk.position().waiting, 0u);
}

TEST(streams_a_capture_that_cut_packets_leaves_holes) {
  Talk talk;
  talk.syn();
  TcpSegment segment;
  segment.seq = 1001;
  segment.payload = reinterpret_cast<const uint8_t*>("hello");
  segment.length = 5;
  segment.wire_length = 9;
  talk.pass(0, segment);
  talk.data(9, "you", kFin);
  talk.ack(13);
  CHECK_EQ(talk.log.text(), std::string("p0+5:hello g5+4:ack_passed p9+3:you "));
  CHECK_EQ(talk.log.ends, std::string("0@12fin "));
}

TEST(streams_depth_is_where_looking_ends) {
  StreamOptions options = small_options();
  options.depth = 7;
  Talk talk(options);
  talk.syn();
  talk.data(0, "hello");
  talk.data(5, " you");
  CHECK_EQ(talk.log.text(), std::string("p0+7:hello y "));
  CHECK_EQ(talk.log.ends, std::string("0@9depth "));
  CHECK_EQ(talk.data(9, "!"), Taken::stopped);
  CHECK_EQ(talk.streams().bytes_used(), 0u);
}

TEST(streams_acked_delivery_waits_for_the_receiver) {
  StreamOptions options = small_options();
  options.delivery = Delivery::acked;
  options.policy = OverlapPolicy::last;
  Talk talk(options);
  talk.syn();
  CHECK_EQ(talk.data(0, "hexxx"), Taken::waiting);
  CHECK_EQ(talk.data(2, "llo"), Taken::waiting);  // in time
  talk.ack(4);
  CHECK_EQ(talk.log.text(), std::string("p0+4:hell "));
  talk.data(3, "YY");  // too late for one byte of two
  talk.ack(5);
  CHECK_EQ(talk.log.text(), std::string("p0+5:hellY "));
  CHECK_EQ(talk.streams().counts().rexmit_conflict, 3u);
}
