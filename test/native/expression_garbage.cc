// Text that is no expression, or hardly one: never a crash, always a message that says what is
// wrong.
#include <sched.h>

#include <thread>

#include "check.hh"
#include "expression_packets.hh"
#include "filter/expression.hh"

using namespace bricks;
using namespace expression_test;

namespace {

constexpr uint64_t kSeed = 20260102;

std::string garbage(Random& random) {
  static const std::vector<std::string> kWords{
      "tcp",       "port",     "and",      "or",     "not",         "(",
      ")",         "[",        "]",        "443",    "ip",          "&",
      "=",         "!",        "host",     "net",    "/",           "255.255.255.256",
      "::",        "10.0.0.1", "vlan",     "mpls",   "99999999999", "0x",
      "\\",        "ether",    "-1",       "<<",     ">",           "proto",
      "portrange", "1-",       "len",      ":4",     "type",        "mgt",
      "inbound",   "gateway",  "\xff\xfe", "\t",     "%s%n",        "protochain",
      "geneve",    "1.2",      "00:11",    "action", "if"};
  std::string text;
  if (below(random, 3) == 0) {
    text = make_expression(random);
    for (uint32_t n = 1 + below(random, 3); n > 0 && !text.empty(); --n) {
      text[below(random, static_cast<uint32_t>(text.size()))] = static_cast<char>(random());
    }
  } else if (below(random, 2)) {
    for (uint32_t n = below(random, 60); n > 0; --n) text += static_cast<char>(random());
  } else {
    for (uint32_t n = below(random, 12); n > 0; --n) text += one_of(random, kWords) + " ";
  }
  return text;
}

// Runs `body` where no name server can be reached, as far as we may: unknown words are host names
// to libpcap, and nobody's answer about them belongs in a test.
void without_network(void (*body)()) {
  std::thread([body] {
    (void)unshare(CLONE_NEWNET);
    body();
  }).join();
}

Status compile(const std::string& text) {
  std::unique_ptr<Expression> expression;
  return compile_expression(text, &expression);
}

void compile_garbage() {
  Random random(kSeed);
  int refused = 0, compiled = 0;
  for (int round = 0; round < 4000; ++round) {
    const std::string text = garbage(random);
    std::unique_ptr<Expression> expression;
    const Status status = compile_expression(text, &expression);
    CHECK_EQ(status.ok(), expression != nullptr);
    if (status.ok()) {
      ++compiled;
      CHECK_EQ(expression->text(), text);
      continue;
    }
    ++refused;
    CHECK_EQ(status.code, Code::invalid_argument);
    CHECK(status.message.find("does not compile: ") != std::string::npos);
    CHECK(status.message.find("pcap-filter(7)") != std::string::npos);
    CHECK(status.message.size() < 700);
    for (char c : status.message) CHECK(static_cast<unsigned char>(c) >= 0x20);
  }
  std::printf("  seed %llu: %d refused, %d compiled after all\n",
              static_cast<unsigned long long>(kSeed), refused, compiled);
  CHECK(refused > 1000);
}

}  // namespace

TEST(expression_garbage_is_refused_with_words) { without_network(compile_garbage); }

TEST(expression_limits_are_named) {
  CHECK(compile(std::string("tcp\0port 80", 11)).message.find("NUL") != std::string::npos);
  CHECK(compile(std::string(9000, ' ')).message.find("8192") != std::string::npos);
  CHECK(!compile(std::string(8000, '(')).ok());
  CHECK(!compile("tcp port 99999").ok());
  CHECK(!compile("ip[0] / 0 = 1").ok());
  CHECK(compile(std::string(4000, '(') + "ip" + std::string(4000, ')')).message.size() < 700);
}

TEST(expression_long_list_of_hosts) {
  std::string text = "host 192.168.1.1";
  for (int i = 0; i < 120; ++i) text += " or host 10.9.8." + std::to_string(i);
  std::unique_ptr<Expression> expression;
  CHECK(compile_expression(text, &expression).ok());
  Random random(kSeed);
  const Packets packets(random, LinkType::ethernet, 256);
  std::unique_ptr<Expression> one;
  CHECK(compile_expression("host 192.168.1.1", &one).ok());
  std::vector<Index> by_list(256), by_one(256);
  by_list.resize(expression->match(packets.batch, packets.picks.data(), 256, by_list.data()));
  by_one.resize(one->match(packets.batch, packets.picks.data(), 256, by_one.data()));
  CHECK(!by_one.empty());
  CHECK(by_list == by_one);
}

TEST(expression_empty_matches_everything) {
  std::unique_ptr<Expression> expression;
  CHECK(compile_expression("", &expression).ok());
  Random random(kSeed);
  const Packets packets(random, LinkType::ethernet, 100);
  Index matched[100];
  CHECK_EQ(expression->match(packets.batch, packets.picks.data(), 100, matched), 100u);
  CHECK_EQ(expression->match(packets.batch, packets.picks.data(), 0, matched), 0u);
}

TEST(expression_without_meaning_for_a_link_type_matches_nothing) {
  std::unique_ptr<Expression> expression;
  CHECK(compile_expression("ether host 00:01:02:00:01:02 or not arp", &expression).ok());
  Random random(kSeed);
  Packets packets(random, LinkType::raw, 50);
  Index matched[50];
  CHECK_EQ(expression->match(packets.batch, packets.picks.data(), 50, matched), 0u);
  packets.batch.link = static_cast<LinkType>(64999);
  CHECK_EQ(expression->match(packets.batch, packets.picks.data(), 50, matched), 0u);
}
