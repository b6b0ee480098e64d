#include "decoders/ftp.hh"

#include <arpa/inet.h>

namespace bricks {

namespace {

constexpr std::string_view kCommands[] = {"USER", "PASS", "AUTH", "FEAT", "SYST", "PASV",
                                          "PORT", "EPSV", "EPRT", "CWD",  "PWD",  "TYPE",
                                          "LIST", "RETR", "STOR", "ACCT", "PBSZ", "PROT"};

bool take_number(std::string_view& text, uint32_t most, uint32_t* value) noexcept {
  size_t digits = 0;
  uint32_t number = 0;
  while (digits < text.size() && digits < 6 && text[digits] >= '0' && text[digits] <= '9') {
    number = number * 10 + static_cast<uint32_t>(text[digits++] - '0');
  }
  text.remove_prefix(digits);
  *value = number;
  return digits > 0 && number <= most;
}

// h1,h2,h3,h4,p1,p2
void read_host_port(std::string_view text, bricks_ftp* made) noexcept {
  uint32_t parts[6];
  for (uint32_t i = 0; i < 6; ++i) {
    if (i > 0) {
      if (text.empty() || text[0] != ',') return;
      text.remove_prefix(1);
    }
    if (!take_number(text, 255, &parts[i])) return;
  }
  for (uint32_t i = 0; i < 4; ++i) made->address[i] = static_cast<uint8_t>(parts[i]);
  made->ip_version = 4;
  made->port = static_cast<uint16_t>(parts[4] << 8 | parts[5]);
}

// |1|address|port|, with any character for |; in a reply family and address are empty.
void read_extended(std::string_view text, bricks_ftp* made) noexcept {
  if (text.empty()) return;
  std::string_view parts[3];
  const char bar = text.front();
  text.remove_prefix(1);
  for (std::string_view& part : parts) {
    const size_t end = text.find(bar);
    if (end == std::string_view::npos) return;
    part = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  uint64_t port = 0;
  if (!read_number(parts[2], 65535, &port)) return;
  made->port = static_cast<uint16_t>(port);
  char address[INET6_ADDRSTRLEN];
  if (parts[1].empty() || parts[1].size() >= sizeof address) return;
  std::memcpy(address, parts[1].data(), parts[1].size());
  address[parts[1].size()] = 0;
  const int family = parts[0] == "2" ? AF_INET6 : AF_INET;
  uint8_t binary[16] = {};
  if (inet_pton(family, address, binary) != 1) return;
  std::memcpy(made->address, binary, sizeof binary);
  made->ip_version = family == AF_INET6 ? 6 : 4;
}

}  // namespace

bool read_ftp_command(std::string_view line, bricks_ftp* made) noexcept {
  *made = {};
  const size_t blank = std::min(line.find(' '), line.size());
  const std::string_view command = line.substr(0, blank);
  if (command.size() < 3 || command.size() > 8) return false;
  for (const char c : command) {
    const char small = small_letter(c);
    if (small < 'a' || small > 'z') return false;
  }
  made->command = text_of(command);
  if (blank < line.size()) made->text = text_of(line.substr(blank + 1));
  if (same_word(command, "PORT")) read_host_port(view_of(made->text), made);
  if (same_word(command, "EPRT")) read_extended(view_of(made->text), made);
  return true;
}

bool read_ftp_reply(std::string_view line, bricks_ftp* made) noexcept {
  *made = {};
  uint64_t code = 0;
  if (line.size() < 3 || !read_number(line.substr(0, 3), 699, &code) || code < 100) return false;
  if (line.size() > 3 && line[3] != ' ') return false;
  made->code = static_cast<uint16_t>(code);
  if (line.size() <= 4) return true;
  const std::string_view text = line.substr(4);
  made->text = text_of(text);
  if (code == 227) {
    // Some servers leave the brackets out: the first digit is meant.
    const size_t digit = text.find_first_of("0123456789");
    if (digit != std::string_view::npos) read_host_port(text.substr(digit), made);
  } else if (code == 229) {
    const size_t bracket = text.find('(');
    if (bracket != std::string_view::npos) read_extended(text.substr(bracket + 1), made);
  }
  return true;
}

bool is_ftp_command(std::string_view line) noexcept {
  bricks_ftp command;
  if (!read_ftp_command(line, &command)) return false;
  for (const std::string_view known : kCommands) {
    if (same_word(view_of(command.command), known)) return true;
  }
  return false;
}

}  // namespace bricks
