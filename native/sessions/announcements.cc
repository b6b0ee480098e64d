#include "sessions/announcements.hh"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "decoders/ftp.hh"
#include "decoders/take_line.hh"

namespace bricks {

namespace {

constexpr uint8_t kTcp = 6, kUdp = 17;
constexpr uint32_t kPortMin = 1024;  // media below are not believed
constexpr uint32_t kLinesMax = 256;  // of a body; the rest is passed over

std::string_view text_in(Payload payload) noexcept {
  return {reinterpret_cast<const char*>(payload.data()), payload.size()};
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool begins(std::string_view text, std::string_view with) noexcept {
  return text.size() >= with.size() &&
         std::equal(with.begin(), with.end(), text.begin(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

// Digits at the beginning of `text`, which are taken off; false: none, or more than `most`.
bool take_number(std::string_view& text, uint32_t most, uint32_t* value) noexcept {
  uint32_t number = 0;
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    number = number * 10 + static_cast<uint32_t>(text[digits++] - '0');
    if (number > most) return false;
  }
  text.remove_prefix(digits);
  *value = number;
  return digits > 0;
}

Announced endpoint(uint32_t port, uint8_t protocol) noexcept {
  Announced made{};
  made.port = htons(static_cast<uint16_t>(port));
  made.protocol = protocol;
  made.sender = true;
  return made;
}

bool read_address(std::string_view text, uint8_t ip_version, uint8_t* address) noexcept {
  char copy[INET6_ADDRSTRLEN];
  const size_t length = text.find_first_of("/ \t");
  text = text.substr(0, length);
  if (text.empty() || text.size() >= sizeof copy) return false;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = 0;
  return inet_pton(ip_version == 4 ? AF_INET : AF_INET6, copy, address) == 1;
}

void add_pair(uint32_t port, const Announced& like, Announced* to, uint32_t* count) noexcept {
  for (uint32_t next = port; next <= port + 1; ++next) {
    if (next < kPortMin || next > 65535 || *count == kAnnouncedMax) return;
    to[*count] = like;
    to[(*count)++].port = htons(static_cast<uint16_t>(next));
  }
}

}  // namespace

uint32_t read_ftp(Payload payload, Announced* to) noexcept {
  std::string_view text = text_in(payload);
  uint32_t count = 0;
  for (uint32_t lines = 0; !text.empty() && lines < kLinesMax && count < kAnnouncedMax; ++lines) {
    const std::string_view line = take_line(text);
    bricks_ftp said;
    if (!read_ftp_reply(line, &said) && !read_ftp_command(line, &said)) continue;
    // The address is not used: translators change it and attackers choose it.
    if (said.port != 0) to[count++] = endpoint(said.port, kTcp);
  }
  return count;
}

uint32_t read_sdp(Payload payload, uint8_t ip_version, Announced* to) noexcept {
  std::string_view text = text_in(payload);
  const std::string_view connection = ip_version == 4 ? "c=IN IP4 " : "c=IN IP6 ";
  Announced like = endpoint(0, kUdp);
  uint32_t count = 0, first_of_media = 0;
  bool in_media = false;
  for (uint32_t lines = 0; !text.empty() && lines < kLinesMax && count < kAnnouncedMax; ++lines) {
    std::string_view line = take_line(text);
    uint32_t port = 0;
    if (begins(line, connection)) {
      Announced at = like;
      at.sender = !read_address(line.substr(connection.size()), ip_version, at.address);
      if (at.sender) continue;
      // In a medium it is that medium's, before all of them everybody's.
      if (!in_media) like = at;
      for (uint32_t i = first_of_media; i < count; ++i) {
        std::memcpy(to[i].address, at.address, sizeof at.address);
        to[i].sender = false;
      }
    } else if (begins(line, "m=")) {
      in_media = true;
      first_of_media = count;
      const size_t space = line.find(' ');
      if (space == std::string_view::npos) continue;
      line.remove_prefix(space + 1);
      if (!take_number(line, 65535, &port) || line.find("RTP/") == std::string_view::npos) continue;
      add_pair(port, like, to, &count);
    } else if (begins(line, "a=rtcp:") && count > first_of_media) {
      line.remove_prefix(7);
      if (!take_number(line, 65535, &port) || port < kPortMin) continue;
      to[count] = to[first_of_media];
      to[count++].port = htons(static_cast<uint16_t>(port));
    }
  }
  return count;
}

uint32_t read_rtsp(Payload payload, bool from_client, Announced* to) noexcept {
  std::string_view text = text_in(payload);
  uint32_t count = 0;
  for (uint32_t lines = 0; !text.empty() && lines < kLinesMax && count < kAnnouncedMax; ++lines) {
    std::string_view line = take_line(text);
    if (line.empty()) break;  // the body
    if (!begins(line, "Transport:")) continue;
    for (const bool client : {true, false}) {
      const std::string_view name = client ? "client_port=" : "server_port=";
      std::string_view ports = line;
      const size_t at = ports.find(name);
      if (at == std::string_view::npos) continue;
      ports.remove_prefix(at + name.size());
      uint32_t port = 0;
      if (!take_number(ports, 65535, &port)) continue;
      Announced like = endpoint(port, kUdp);
      like.sender = client == from_client;
      like.other = !like.sender;
      add_pair(port, like, to, &count);
    }
  }
  return count;
}

uint32_t read_tftp(Payload payload, uint16_t source_port, Announced* to) noexcept {
  if (payload.size() < 4 || payload[0] != 0 || (payload[1] != 1 && payload[1] != 2)) return 0;
  to[0] = endpoint(ntohs(source_port), kUdp);
  return 1;
}

}  // namespace bricks
