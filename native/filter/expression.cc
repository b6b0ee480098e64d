#include "filter/expression.hh"

#include <pcap/pcap.h>

#include <mutex>
#include <vector>

#include "filter/bpf_program.hh"

namespace bricks {
namespace {

// libpcap takes time in the square of the text, its optimiser more than that. Measured: 8 KiB (some
// 440 `host A or`) take 0.4 s for one link type, optimised 5 s; 2 KiB take 50 ms optimised.
constexpr size_t kExpressionBytesMax = 8192;
constexpr size_t kOptimisedBytesMax = 2048;
constexpr size_t kEveryLinkBytesMax = 1024;  // longer: only the link types of wire/link_type.hh
constexpr size_t kQuotedBytesMax = 80;

// Link types for which an expression is compiled: what a capture's header says, and what libpcap's
// compiler calls it. They differ below 104 only (pcap-linktype(7)). Same names stand side by side.
struct Link {
  uint16_t linktype;
  int dlt;
  bool decoded;  // named in wire/link_type.hh
};
constexpr Link kLinks[] = {
    {1, DLT_EN10MB, true},
    {0, DLT_NULL, true},
    {6, DLT_IEEE802, false},
    {7, DLT_ARCNET, false},
    {8, DLT_SLIP, false},
    {9, DLT_PPP, true},
    {10, DLT_FDDI, false},
    {12, DLT_RAW, true},
    {14, DLT_RAW, true},
    {101, DLT_RAW, true},
    {50, DLT_PPP_SERIAL, true},
    {51, DLT_PPP_ETHER, false},
    {100, DLT_ATM_RFC1483, false},
    {104, DLT_C_HDLC, true},
    {105, DLT_IEEE802_11, false},
    {107, DLT_FRELAY, false},
    {108, DLT_LOOP, true},
    {113, DLT_LINUX_SLL, true},
    {119, DLT_PRISM_HEADER, false},
    {122, DLT_IP_OVER_FC, false},
    {127, DLT_IEEE802_11_RADIO, false},
    {129, DLT_ARCNET_LINUX, false},
    {140, DLT_MTP2, false},
    {143, DLT_DOCSIS, false},
    {163, DLT_IEEE802_11_RADIO_AVS, false},
    {192, DLT_PPI, false},
    {228, DLT_IPV4, true},
    {229, DLT_IPV6, true},
    {239, DLT_NFLOG, false},
    {276, DLT_LINUX_SLL2, true},
    {281, DLT_DSA_TAG_BRCM, false},
    {282, DLT_DSA_TAG_BRCM_PREPEND, false},
    {284, DLT_DSA_TAG_DSA, false},
    {285, DLT_DSA_TAG_EDSA, false},
};
static_assert(kLinks[0].linktype == static_cast<uint16_t>(LinkType::ethernet),
              "Ethernet is compiled first: its error is the user's");

struct PcapCloser {
  void operator()(pcap_t* handle) const { pcap_close(handle); }
};

// The text as it may stand in a message: short, and printable.
std::string quoted(const std::string& text) {
  std::string shown = text.substr(0, kQuotedBytesMax);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return '"' + shown + (text.size() > kQuotedBytesMax ? "...\"" : "\"");
}

Status refused(const std::string& text, const std::string& why) {
  return {Code::invalid_argument, "the filter expression " + quoted(text) + " does not compile: " +
                                      why + "; pcap-filter(7) has the language, for example " +
                                      "\"tcp port 443 or udp port 53\""};
}

// libpcap's words in `why` when the result is false.
bool compile_for(const std::string& text, int dlt, BpfProgram* program, std::string* why) {
  const std::unique_ptr<pcap_t, PcapCloser> handle(pcap_open_dead(dlt, kFrameMax));
  if (handle == nullptr) {
    *why = "libpcap is out of memory";
    return false;
  }
  bpf_program compiled{};
  const int optimise = text.size() <= kOptimisedBytesMax;
  if (pcap_compile(handle.get(), &compiled, text.c_str(), optimise, PCAP_NETMASK_UNKNOWN) != 0) {
    *why = pcap_geterr(handle.get());
    return false;
  }
  const Status loaded = BpfProgram::load(compiled.bf_insns, compiled.bf_len, program);
  pcap_freecode(&compiled);
  *why = loaded.message;
  return loaded.ok();
}

class CompiledExpression final : public Expression {
 public:
  struct Entry {
    LinkType link;
    int dlt;
    std::shared_ptr<const BpfProgram> program;
  };

  CompiledExpression(std::string text, std::vector<Entry> entries)
      : text_(std::move(text)), entries_(std::move(entries)) {}

  uint32_t match(const Batch& batch, const Index* picks, uint32_t count,
                 Index* matched) const noexcept override {
    for (const Entry& entry : entries_) {
      if (entry.link == batch.link) return entry.program->match(batch, picks, count, matched);
    }
    return 0;
  }
  const std::string& text() const noexcept override { return text_; }

 private:
  std::string text_;
  std::vector<Entry> entries_;  // Ethernet first
};

}  // namespace

Status compile_expression(const std::string& text, std::unique_ptr<Expression>* expression) {
  if (text.find('\0') != std::string::npos) return refused(text, "it holds a NUL byte");
  if (text.size() > kExpressionBytesMax) {
    return refused(text, "it has " + std::to_string(text.size()) + " bytes, at most " +
                             std::to_string(kExpressionBytesMax) + " are allowed");
  }
  // Names of hosts, protocols and services are looked up with functions that share static memory.
  static std::mutex one_at_a_time;
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  std::vector<CompiledExpression::Entry> entries;
  for (const Link& link : kLinks) {
    if (!link.decoded && text.size() > kEveryLinkBytesMax) continue;
    const LinkType type{link.linktype};
    if (!entries.empty() && entries.back().dlt == link.dlt) {
      entries.push_back({type, link.dlt, entries.back().program});
      continue;
    }
    auto program = std::make_shared<BpfProgram>();
    std::string why;
    if (compile_for(text, link.dlt, program.get(), &why)) {
      entries.push_back({type, link.dlt, std::move(program)});
    } else if (link.dlt == DLT_EN10MB) {
      return refused(text, why);
    }
  }
  *expression = std::make_unique<CompiledExpression>(text, std::move(entries));
  return {};
}

}  // namespace bricks
