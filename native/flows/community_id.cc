#include "flows/community_id.hh"

#include <cstring>

#include "flows/sha1.hh"
#include "flows/transport.hh"
#include "wire/bytes.hh"

namespace bricks::flows {
namespace {

// Types of ICMP that are asked and answered.
struct Pair {
  uint8_t asked, answered;
};
constexpr Pair kPairs4[] = {{8, 0}, {10, 9}, {13, 14}, {15, 16}, {17, 18}};
constexpr Pair kPairs6[] = {{128, 129}, {130, 131}, {133, 134}, {135, 136}, {139, 140}, {144, 145}};

// The type that goes the other way; -1: none does.
template <size_t kCount>
int counterpart(const Pair (&pairs)[kCount], uint8_t type) noexcept {
  for (const Pair& pair : pairs) {
    if (pair.asked == type) return pair.answered;
    if (pair.answered == type) return pair.asked;
  }
  return -1;
}

struct Ends {
  const uint8_t* address[2];  // from, to
  uint16_t port[2];
  bool has_ports, one_way;
};

Ends ends_of(const Flow& flow) noexcept {
  const uint8_t from = flow.a, to = 1 - flow.a;
  const FlowKey& key = flow.key;
  Ends ends{{key.address[from], key.address[to]}, {0, 0}, false, false};
  if (flow.has_icmp) {
    const int answer = key.ip_version == 4 ? counterpart(kPairs4, flow.icmp_type)
                                           : counterpart(kPairs6, flow.icmp_type);
    ends.has_ports = true;
    ends.one_way = answer < 0;
    ends.port[0] = flow.icmp_type;
    ends.port[1] = answer < 0 ? flow.icmp_code : static_cast<uint16_t>(answer);
  } else if (key.protocol == 6 || key.protocol == 17 || key.protocol == 132) {
    ends.has_ports = true;
    ends.port[0] = load_be16(reinterpret_cast<const uint8_t*>(&key.port[from]));
    ends.port[1] = load_be16(reinterpret_cast<const uint8_t*>(&key.port[to]));
  }
  return ends;
}

std::string base64(const uint8_t* bytes, size_t length) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < length; i += 3) {
    const size_t left = length - i;
    const uint32_t word = static_cast<uint32_t>(bytes[i]) << 16 |
                          static_cast<uint32_t>(left > 1 ? bytes[i + 1] : 0) << 8 |
                          static_cast<uint32_t>(left > 2 ? bytes[i + 2] : 0);
    text += kDigits[word >> 18];
    text += kDigits[word >> 12 & 63];
    text += left > 1 ? kDigits[word >> 6 & 63] : '=';
    text += left > 2 ? kDigits[word & 63] : '=';
  }
  return text;
}

}  // namespace

std::string community_id(const Flow& flow) {
  const Ends ends = ends_of(flow);
  const size_t size = flow.key.ip_version == 4 ? 4 : 16;
  const int order = std::memcmp(ends.address[0], ends.address[1], size);
  const bool swap = !ends.one_way && (order > 0 || (order == 0 && ends.port[0] > ends.port[1]));
  uint8_t message[2 + 16 + 16 + 2 + 4] = {0, 0};  // the seed first
  size_t length = 2;
  for (const bool second : {swap, !swap}) {
    std::memcpy(message + length, ends.address[second], size);
    length += size;
  }
  message[length++] = flow.key.protocol;
  message[length++] = 0;
  for (const bool second : {swap, !swap}) {
    if (!ends.has_ports) break;
    message[length++] = static_cast<uint8_t>(ends.port[second] >> 8);
    message[length++] = static_cast<uint8_t>(ends.port[second]);
  }
  const auto digest = sha1(message, length);
  return "1:" + base64(digest.data(), digest.size());
}

}  // namespace bricks::flows
