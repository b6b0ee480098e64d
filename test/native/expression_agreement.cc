// Our loop against libpcap's own interpreter: the same answer for every packet, expression,
// program.
#include <pcap/pcap.h>

#include <array>

#include "check.hh"
#include "expression_packets.hh"
#include "filter/bpf_program.hh"
#include "filter/expression.hh"

using namespace bricks;
using namespace expression_test;

namespace {

struct Link {
  LinkType link;
  int dlt;
};
constexpr Link kLinks[] = {
    {LinkType::ethernet, DLT_EN10MB},     {LinkType::raw, DLT_RAW},
    {LinkType::raw_bsd, DLT_RAW},         {LinkType::null, DLT_NULL},
    {LinkType::loop, DLT_LOOP},           {LinkType::ppp, DLT_PPP},
    {LinkType::ppp_hdlc, DLT_PPP_SERIAL}, {LinkType::c_hdlc, DLT_C_HDLC},
    {LinkType::linux_sll, DLT_LINUX_SLL}, {LinkType::linux_sll2, DLT_LINUX_SLL2},
    {LinkType::ipv4, DLT_IPV4},           {LinkType::ipv6, DLT_IPV6},
};

struct Reference {
  bpf_program program{};
  bool compiled = false;

  Reference(const std::string& text, int dlt) {
    pcap_t* handle = pcap_open_dead(dlt, 65535);
    compiled = pcap_compile(handle, &program, text.c_str(), 1, PCAP_NETMASK_UNKNOWN) == 0;
    pcap_close(handle);
  }
  ~Reference() {
    if (compiled) pcap_freecode(&program);
  }
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;
};

std::vector<Index> by_libpcap(const bpf_insn* program, const Packets& packets) {
  std::vector<Index> matched;
  for (Index pick : packets.picks) {
    const Packet& packet = packets.batch.packets[pick];
    if (bpf_filter(program, packet.data, wire_length(packets.batch, pick), packet.length)) {
      matched.push_back(pick);
    }
  }
  return matched;
}

uint64_t packets_compared = 0;
uint64_t packets_matched = 0;

// Counts a failure, with the text, where the two disagree.
void compare(const std::string& what, const std::vector<Index>& expected,
             const std::vector<Index>& actual, uint32_t count) {
  packets_compared += count;
  packets_matched += expected.size();
  if (actual == expected) return;
  std::printf("  disagrees: %s\n", what.c_str());
  ++check::failures;
}

constexpr uint64_t kSeed = 20260101;

}  // namespace

TEST(expression_agrees_with_libpcap) {
  Random random(kSeed);
  packets_compared = packets_matched = 0;
  int compiled = 0, refused = 0;
  for (int round = 0; round < 600; ++round) {
    const std::string text = make_expression(random);
    std::unique_ptr<Expression> expression;
    const Status status = compile_expression(text, &expression);
    CHECK_EQ(status.ok(), Reference(text, DLT_EN10MB).compiled);
    if (!status.ok()) {
      ++refused;
      continue;
    }
    ++compiled;
    for (const Link& link : kLinks) {
      if (link.link != LinkType::ethernet && below(random, 3)) continue;
      const Packets packets(random, link.link, 1 + below(random, kBatchMax));
      const Reference reference(text, link.dlt);
      const std::vector<Index> expected = reference.compiled
                                              ? by_libpcap(reference.program.bf_insns, packets)
                                              : std::vector<Index>{};
      std::vector<Index> matched(packets.picks.size());
      matched.resize(expression->match(packets.batch, packets.picks.data(), packets.batch.count,
                                       matched.data()));
      compare(text + " on link type " + std::to_string(static_cast<int>(link.link)), expected,
              matched, packets.batch.count);
    }
  }
  std::printf("  seed %llu: %d expressions (%d refused by both), %llu packets, %llu matched\n",
              static_cast<unsigned long long>(kSeed), compiled, refused,
              static_cast<unsigned long long>(packets_compared),
              static_cast<unsigned long long>(packets_matched));
  CHECK(compiled > 400);
  CHECK(packets_matched > packets_compared / 20 && packets_matched < packets_compared);
}

TEST(expression_agrees_at_every_length) {
  Random random(kSeed + 1);
  static const char* const kTexts[] = {"tcp port 443 or udp port 53",
                                       "ip6 protochain 17",
                                       "tcp[tcpflags] & tcp-syn != 0",
                                       "vlan and udp port 53",
                                       "len > 700",
                                       "ether[1513] >= 0",
                                       "ip[20:4] != 0"};
  for (const char* text : kTexts) {
    std::unique_ptr<Expression> expression;
    CHECK(compile_expression(text, &expression).ok());
    const Reference reference(text, DLT_EN10MB);
    for (uint32_t length = 0; length <= 1514; ++length) {
      Bytes frame = make_packet(random, LinkType::ethernet);
      frame.resize(length);
      Packets packets;
      packets.add(frame, random);
      Index matched[1];
      const uint32_t count = expression->match(packets.batch, packets.picks.data(), 1, matched);
      compare(text, by_libpcap(reference.program.bf_insns, packets),
              std::vector<Index>(matched, matched + count), 1);
    }
  }
}

namespace {

constexpr uint16_t kOperations[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_MOD,
                                    BPF_AND, BPF_OR,  BPF_XOR, BPF_LSH, BPF_RSH};
constexpr uint16_t kConditions[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
constexpr uint16_t kLoads[] = {
    BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS,  BPF_LD | BPF_B | BPF_ABS,
    BPF_LD | BPF_W | BPF_IND, BPF_LD | BPF_H | BPF_IND,  BPF_LD | BPF_B | BPF_IND,
    BPF_LD | BPF_W | BPF_LEN, BPF_LDX | BPF_W | BPF_LEN, BPF_LDX | BPF_MSH | BPF_B,
    BPF_LD | BPF_IMM,         BPF_LDX | BPF_IMM};
constexpr uint16_t kMoves[] = {BPF_LD | BPF_MEM,   BPF_LDX | BPF_MEM,  BPF_ST,           BPF_STX,
                               BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA, BPF_ALU | BPF_NEG};

template <size_t N>
uint16_t one_code(Random& random, const uint16_t (&codes)[N]) {
  return codes[below(random, N)];
}

bpf_insn random_instruction(Random& random, uint32_t left) {
  bpf_insn in{};
  switch (below(random, 4)) {
    case 0:
      in.code = one_code(random, kLoads);
      in.k = below(random, 20) ? below(random, 70) : static_cast<uint32_t>(random());
      break;
    case 1:
      in.code = BPF_ALU | one_code(random, kOperations) | (below(random, 2) ? BPF_K : BPF_X);
      in.k = 1 + below(random, 31);
      break;
    case 2:
      in.code = BPF_JMP | one_code(random, kConditions) | (below(random, 4) ? BPF_K : BPF_X);
      in.jt = static_cast<uint8_t>(below(random, left));
      in.jf = static_cast<uint8_t>(below(random, left));
      in.k = below(random, 256);
      if (below(random, 6) == 0) in = {BPF_JMP | BPF_JA, 0, 0, below(random, left)};
      break;
    default:
      in.code = one_code(random, kMoves);
      in.k = below(random, BPF_MEMWORDS);
  }
  return in;
}

// All 16 words of memory are written first: libpcap leaves them as they are.
std::vector<bpf_insn> random_program(Random& random) {
  std::vector<bpf_insn> program;
  for (uint32_t word = 0; word < BPF_MEMWORDS; ++word) {
    program.push_back({BPF_LD | BPF_IMM, 0, 0, static_cast<uint32_t>(random())});
    program.push_back({BPF_ST, 0, 0, word});
  }
  program.push_back({BPF_LD | BPF_IMM, 0, 0, below(random, 100)});
  const uint32_t length = 2 + below(random, 40);
  for (uint32_t i = 0; i < length; ++i) {
    program.push_back(random_instruction(random, length - i));
  }
  if (below(random, 2)) program.push_back({BPF_RET | BPF_A, 0, 0, 0});
  program.push_back({BPF_RET | BPF_K, 0, 0, below(random, 2)});
  return program;
}

}  // namespace

TEST(expression_programs_agree_with_libpcap) {
  Random random(kSeed + 2);
  packets_compared = packets_matched = 0;
  for (int round = 0; round < 4000; ++round) {
    const std::vector<bpf_insn> code = random_program(random);
    CHECK(bpf_validate(code.data(), static_cast<int>(code.size())) != 0);
    BpfProgram program;
    const uint32_t count = static_cast<uint32_t>(code.size());
    const Status status = BpfProgram::load(code.data(), count, &program);
    CHECK_EQ(status.message, "");
    if (!status.ok()) continue;
    const Packets packets(random, LinkType::ethernet, 16);
    std::vector<Index> matched(16);
    matched.resize(program.match(packets.batch, packets.picks.data(), 16, matched.data()));
    compare("program " + std::to_string(round) + " of seed " + std::to_string(kSeed + 2),
            by_libpcap(code.data(), packets), matched, 16);
  }
  CHECK(packets_matched > packets_compared / 20 && packets_matched < packets_compared);
}

TEST(expression_programs_that_make_no_sense_are_refused) {
  const bpf_insn end = {BPF_RET | BPF_K, 0, 0, 1};
  const std::vector<std::pair<const char*, std::vector<bpf_insn>>> kCases = {
      {"is empty", {}},
      {"is not an instruction", {{0xffff, 0, 0, 0}, end}},
      {"uses memory", {{BPF_ST, 0, 0, 16}, end}},
      {"uses memory", {{BPF_LDX | BPF_MEM, 0, 0, 0xffffffff}, end}},
      {"divides by 0", {{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0}, end}},
      {"divides by 0", {{BPF_ALU | BPF_MOD | BPF_K, 0, 0, 0}, end}},
      {"shifts by more", {{BPF_ALU | BPF_LSH | BPF_K, 0, 0, 32}, end}},
      {"jumps out", {{BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0}, end}},
      {"jumps out", {{BPF_JMP | BPF_JEQ | BPF_K, 0, 255, 0}, end}},
      {"jumps out", {{BPF_JMP | BPF_JA, 0, 0, 1}, end}},
      {"jumps out", {{BPF_JMP | BPF_JA, 0, 0, 0xfffffffe}, end}},
      {"does not return", {{BPF_LD | BPF_IMM, 0, 0, 1}}},
  };
  for (const auto& [words, code] : kCases) {
    BpfProgram program;
    const uint32_t count = static_cast<uint32_t>(code.size());
    const Status status = BpfProgram::load(code.data(), count, &program);
    CHECK_EQ(status.code, Code::invalid_argument);
    CHECK(status.message.find(words) != std::string::npos);
    CHECK(program.empty());
  }
}

TEST(expression_endless_program_ends) {
  const bpf_insn loop[] = {{BPF_LD | BPF_IMM, 0, 0, 1},
                           {BPF_JMP | BPF_JA, 0, 0, 0xfffffffe},
                           {BPF_RET | BPF_K, 0, 0, 1}};
  BpfProgram program;
  CHECK(BpfProgram::load(loop, 3, &program).ok());
  Random random(1);
  Packets packets(random, LinkType::ethernet, 2);
  Index matched[2];
  CHECK_EQ(program.match(packets.batch, packets.picks.data(), 2, matched), 0u);
}
