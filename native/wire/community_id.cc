#include "wire/community_id.hh"

#include <cstring>

#include "wire/sha1.hh"

namespace bricks {
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

struct Ports {
  uint16_t port[2];
  bool are_there, one_way;
};

Ports ports_of(const CommunityFlow& flow) noexcept {
  if (flow.has_icmp) {
    const int answer = flow.ip_version == 4 ? counterpart(kPairs4, flow.icmp_type)
                                            : counterpart(kPairs6, flow.icmp_type);
    const int other = answer < 0 ? flow.icmp_code : answer;
    return {{flow.icmp_type, static_cast<uint16_t>(other)}, true, answer < 0};
  }
  if (flow.protocol != 6 && flow.protocol != 17 && flow.protocol != 132)
    return {{0, 0}, false, false};
  return {{flow.port[0], flow.port[1]}, true, false};
}

char* add_base64(char* text, const uint8_t* bytes, size_t length) noexcept {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < length; i += 3) {
    const size_t left = length - i;
    const uint32_t word = static_cast<uint32_t>(bytes[i]) << 16 |
                          static_cast<uint32_t>(left > 1 ? bytes[i + 1] : 0) << 8 |
                          static_cast<uint32_t>(left > 2 ? bytes[i + 2] : 0);
    *text++ = kDigits[word >> 18];
    *text++ = kDigits[word >> 12 & 63];
    *text++ = left > 1 ? kDigits[word >> 6 & 63] : '=';
    *text++ = left > 2 ? kDigits[word & 63] : '=';
  }
  return text;
}

}  // namespace

void community_id(const CommunityFlow& flow, char (&text)[kCommunityIdSize]) noexcept {
  const Ports ports = ports_of(flow);
  const size_t size = flow.ip_version == 4 ? 4 : 16;
  const int order = std::memcmp(flow.address[0], flow.address[1], size);
  const bool swap = !ports.one_way && (order > 0 || (order == 0 && ports.port[0] > ports.port[1]));
  uint8_t message[2 + 16 + 16 + 2 + 4] = {0, 0};  // the seed first
  size_t length = 2;
  for (const bool second : {swap, !swap}) {
    std::memcpy(message + length, flow.address[second], size);
    length += size;
  }
  message[length++] = flow.protocol;
  message[length++] = 0;
  for (const bool second : {swap, !swap}) {
    if (!ports.are_there) break;
    message[length++] = static_cast<uint8_t>(ports.port[second] >> 8);
    message[length++] = static_cast<uint8_t>(ports.port[second]);
  }
  const auto digest = sha1(message, length);
  text[0] = '1', text[1] = ':';
  *add_base64(text + 2, digest.data(), digest.size()) = '\0';
}

}  // namespace bricks
