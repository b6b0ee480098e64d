// Meters and shapers against what is known of them, and against arithmetic with fractions.
#include <cstdio>
#include <numeric>
#include <vector>

#include "check.hh"
#include "queues/counter_random.hh"
#include "queues/meters.hh"
#include "queues/shared_bucket.hh"

namespace bricks {
namespace {

constexpr Nanos kSecond = 1000000000;
using Wide = __int128;

// The same by another way: a bucket as a fraction, refilled in as many steps as one likes.
struct FractionBucket {
  Wide rate, size, tokens, at = 0;  // tokens in units of 1e-9 bytes
  FractionBucket(uint64_t r, uint64_t s) : rate(r), size(Wide(s) * kSecond), tokens(size) {}
  Wide refill(Nanos now) {
    const Wide all = tokens + (Wide(now) - at) * rate;
    at = now;
    tokens = all < size ? all : size;
    return all - tokens;
  }
};

const char* name(Colour colour) {
  return colour == Colour::green ? "green" : colour == Colour::yellow ? "yellow" : "red";
}

}  // namespace

TEST(queue_T_E1_meters_on_full_buckets) {
  const std::pair<uint64_t, Colour> blind[] = {
      {2047, Colour::green}, {2049, Colour::yellow}, {4095, Colour::yellow}, {4097, Colour::red}};
  for (const auto& [bytes, colour] : blind) {
    SingleRateMeter single(1000, 2048, 4096);
    CHECK_EQ(std::string(name(single.meter(bytes, 0))), name(colour));
    TwoRateMeter two(1000, 2048, 2000, 4096);
    CHECK_EQ(std::string(name(two.meter(bytes, 0))), name(colour));
    ExcessRateMeter excess(1000, 2048, 2000, 4096);
    CHECK_EQ(std::string(name(excess.meter(bytes, 0))), name(colour));
  }
  // A colour never gets better.
  for (const uint64_t bytes : {1u, 2047u, 2049u, 4095u, 4097u}) {
    for (const Colour before : {Colour::yellow, Colour::red}) {
      SingleRateMeter single(1000, 2048, 4096);
      CHECK(single.meter(bytes, 0, before) >= before);
      TwoRateMeter two(1000, 2048, 2000, 4096);
      CHECK(two.meter(bytes, 0, before) >= before);
      ExcessRateMeter excess(1000, 2048, 2000, 4096);
      CHECK(excess.meter(bytes, 0, before) >= before);
    }
  }
}

TEST(queue_T_E2_single_rate_meter) {
  SingleRateMeter meter(1000, 2000, 3000);
  const struct {
    double seconds;
    uint64_t bytes;
    Colour colour;
    uint64_t committed, excess;
  } steps[] = {
      {0, 1500, Colour::green, 500, 3000}, {0, 600, Colour::yellow, 500, 2400},
      {0, 1500, Colour::yellow, 500, 900}, {0, 1000, Colour::red, 500, 900},
      {0, 400, Colour::green, 100, 900},   {1, 1500, Colour::red, 1100, 900},
      {2.5, 2000, Colour::green, 0, 1500}, {10, 2000, Colour::green, 0, 3000},
      {10, 3000, Colour::yellow, 0, 0},    {10, 1, Colour::red, 0, 0},
  };
  for (const auto& step : steps) {
    const auto now = static_cast<Nanos>(step.seconds * 1e9);
    CHECK_EQ(std::string(name(meter.meter(step.bytes, now))), name(step.colour));
    CHECK_EQ(meter.committed(), step.committed);
    CHECK_EQ(meter.excess(), step.excess);
  }
}

TEST(queue_T_E3_shaper_departures) {
  Shaper shaper(125000, 3000);
  for (const Nanos milliseconds : {0, 0, 12, 24, 36, 48}) {
    CHECK_EQ(shaper.departure(1500, 0), milliseconds * 1000000);
  }
  CHECK_EQ(shaper.departure(3001, 0), UINT64_MAX);
}

TEST(queue_T_E4_token_bucket_empties) {
  TokenBucket bucket(6000, 6000);
  for (const uint64_t left : {4500u, 3000u, 1500u, 0u}) {
    CHECK(bucket.conform(1500, kSecond));
    CHECK_EQ(bucket.tokens(), left);
  }
  CHECK(!bucket.conform(1500, kSecond));
  CHECK_EQ(bucket.ready_at(1500), kSecond + kSecond / 4);
  CHECK(!bucket.conform(1500, kSecond + kSecond / 4 - 1));
  CHECK(bucket.conform(1500, kSecond + kSecond / 4));
}

// Refills in between change nothing, however many and whenever; nor does time that goes back.
TEST(queue_bucket_is_exact) {
  CounterRandom random(20261121);
  std::printf("  seed 20261121\n");
  for (int round = 0; round < 200; ++round) {
    const uint64_t rate = 1 + random.bits() % (uint64_t{1} << (random.bits() % 36));
    const uint64_t size = 1500 + random.bits() % 100000;
    TokenBucket once(rate, size), often(rate, size);
    FractionBucket model(rate, size);
    Nanos now = 1700000000 * kSecond;
    model.at = Wide(now);
    for (int i = 0; i < 100; ++i) {
      const Nanos before = now;
      now += random.bits() % (1 + 2 * size * kSecond / rate);
      for (int k = 0; k < 5; ++k) {
        often.refill(before + random.bits() % (now - before + 1));
        often.refill(before);
      }
      const uint64_t bytes = random.bits() % (size + 10);
      model.refill(now);
      const bool conforms = model.tokens >= Wide(bytes) * Wide(kSecond);
      if (conforms) model.tokens -= Wide(bytes) * Wide(kSecond);
      CHECK_EQ(once.conform(bytes, now), conforms);
      CHECK_EQ(often.conform(bytes, now), conforms);
      CHECK_EQ(once.tokens(), static_cast<uint64_t>(model.tokens / Wide(kSecond)));
    }
  }
}

// The stream of a shared bucket, at any rate: when it comes to a place, to the nanosecond, and how
// far it comes in half a year, to the token or 2^-62 of all.
TEST(queue_token_stream_is_exact) {
  CounterRandom random(99);
  std::printf("  seed 99\n");
  for (int round = 0; round < 20000; ++round) {
    const uint64_t rate = 1 + random.bits() % (uint64_t{1} << (1 + random.bits() % 36));
    const Nanos from = round % 2 ? 0 : 1700000000 * kSecond;
    const TokenStream stream = TokenStream::make(rate, 1500, from, random.bits());
    const Nanos now = 1700000000 * kSecond + random.bits() % (kSecond << (random.bits() % 24));
    const Nanos begin = 1700000000 * kSecond;
    const Wide amount = Wide(now - begin) * Wide(rate) * Wide(kTokensPerByte) / Wide(kSecond);
    const auto error =
        static_cast<int64_t>(stream.at(now) - stream.at(begin) - static_cast<uint64_t>(amount));
    CHECK(error >= -1 && error <= 2 + static_cast<int64_t>(amount >> 62));
    const uint64_t position =
        stream.at(now) + random.bits() % (uint64_t{1} << (random.bits() % 40));
    const Nanos when = stream.when(position, now);
    CHECK(when >= now);
    CHECK(static_cast<int64_t>(stream.at(when) - position) >= 0);
    CHECK(when == now || static_cast<int64_t>(stream.at(when - 1) - position) < 0);
  }
}

// Colours against the RFCs' words in fractions; sizes, times and colours at random.
TEST(queue_meters_agree_with_fractions) {
  CounterRandom random(7);
  std::printf("  seed 7\n");
  for (int round = 0; round < 100; ++round) {
    const uint64_t cir = 1000 + random.bits() % 1000000, pir = cir + random.bits() % 1000000;
    const uint64_t cbs = 1500 + random.bits() % 5000, ebs = 1500 + random.bits() % 5000;
    SingleRateMeter single(cir, cbs, ebs);
    TwoRateMeter two(cir, cbs, pir, ebs);
    ExcessRateMeter excess(cir, cbs, pir, ebs);
    FractionBucket c1(cir, cbs), e1(0, ebs), c2(cir, cbs), p2(pir, ebs), c3(cir, cbs), e3(pir, ebs);
    Nanos now = kSecond;
    for (FractionBucket* bucket : {&c1, &e1, &c2, &p2, &c3, &e3}) bucket->at = now;
    for (int i = 0; i < 300; ++i) {
      now += random.bits() % 10000000;
      const uint64_t bytes = 1 + random.bits() % 4000;
      const Wide cost = Wide(bytes) * Wide(kSecond);
      const auto before = static_cast<Colour>(random.bits() % 3);
      const auto take = [cost](FractionBucket& bucket, bool may) {
        if (!may || bucket.tokens < cost) return false;
        bucket.tokens -= cost;
        return true;
      };
      const Wide over = c1.refill(now);
      e1.tokens = e1.tokens + over < e1.size ? e1.tokens + over : e1.size;
      for (FractionBucket* bucket : {&c2, &p2, &c3, &e3}) bucket->refill(now);
      const bool green = before == Colour::green, not_red = before != Colour::red;
      const Colour s = take(c1, green)     ? Colour::green
                       : take(e1, not_red) ? Colour::yellow
                                           : Colour::red;
      CHECK_EQ(single.meter(bytes, now, before), s);
      const Colour t = !take(p2, not_red) ? Colour::red
                       : take(c2, green)  ? Colour::green
                                          : Colour::yellow;
      CHECK_EQ(two.meter(bytes, now, before), t);
      const Colour x = take(c3, green)     ? Colour::green
                       : take(e3, not_red) ? Colour::yellow
                                           : Colour::red;
      CHECK_EQ(excess.meter(bytes, now, before), x);
    }
  }
}

}  // namespace bricks
