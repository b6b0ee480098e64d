#include "decoders/sip.hh"

#include "decoders/take_line.hh"

namespace bricks {

namespace {

constexpr uint32_t kLinesMax = 512;      // of a head
constexpr size_t kFirstLineMax = 2048;   // bytes
constexpr uint64_t kBodyMax = 1u << 30;  // a longer one is a lie
constexpr std::string_view kVersion = "SIP/2.0";

constexpr std::string_view kMethods[] = {"INVITE",  "ACK",     "BYE",    "CANCEL", "REGISTER",
                                         "OPTIONS", "PRACK",   "NOTIFY", "INFO",   "SUBSCRIBE",
                                         "REFER",   "MESSAGE", "UPDATE", "PUBLISH"};

struct Field {
  std::string_view name;
  char compact;
  bricks_text bricks_sip::*to;
};
constexpr Field kFields[] = {
    {"call-id", 'i', &bricks_sip::call_id},
    {"from", 'f', &bricks_sip::from},
    {"to", 't', &bricks_sip::to},
    {"contact", 'm', &bricks_sip::contact},
    {"via", 'v', &bricks_sip::via},
    {"user-agent", 0, &bricks_sip::user_agent},
    {"content-type", 'c', &bricks_sip::content_type},
};

bool is_named(std::string_view name, std::string_view wanted, char compact) noexcept {
  return same_word(name, wanted) ||
         (compact != 0 && name.size() == 1 && small_letter(name[0]) == compact);
}

void read_sequence(std::string_view value, bricks_sip* made) noexcept {
  const size_t blank = value.find_first_of(" \t");
  uint64_t number = 0;
  if (blank == std::string_view::npos || !read_number(value.substr(0, blank), UINT32_MAX, &number))
    return;
  made->sequence = static_cast<uint32_t>(number);
  made->cseq_method = text_of(trimmed(value.substr(blank)));
}

void read_field(std::string_view line, bricks_sip* made) noexcept {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = trimmed(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(colon + 1));
  for (const Field& field : kFields) {
    if (!is_named(name, field.name, field.compact)) continue;
    if ((made->*field.to).data == nullptr) made->*field.to = text_of(value);
    return;
  }
  uint64_t number = 0;
  if (same_word(name, "cseq")) {
    read_sequence(value, made);
  } else if (is_named(name, "content-length", 'l') && read_number(value, kBodyMax, &number)) {
    made->content_length = static_cast<int64_t>(number);
  }
}

bool read_first_line(std::string_view line, bricks_sip* made, bool* response) noexcept {
  *response = begins_with(line, kVersion);
  if (*response) {
    uint64_t status = 0;
    if (line.size() < 11 || line[7] != ' ' || !read_number(line.substr(8, 3), 999, &status)) {
      return false;
    }
    made->status = static_cast<uint16_t>(status);
    if (line.size() > 12) made->reason = text_of(line.substr(12));
    return true;
  }
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || last <= first) return false;
  if (line.substr(last + 1) != kVersion) return false;
  made->method = text_of(line.substr(0, first));
  made->uri = text_of(line.substr(first + 1, last - first - 1));
  return true;
}

}  // namespace

Guess guess_sip(std::string_view text) noexcept {
  const std::string_view start = text.substr(0, 8);
  if (start == "SIP/2.0 ") return Guess::yes;
  bool method = false;
  for (const std::string_view known : kMethods) {
    if (text.size() <= known.size()) {
      if (begins_with(known, text)) return Guess::maybe;
    } else {
      method |= begins_with(text, known) && text[known.size()] == ' ';
    }
  }
  if (!method) return begins_with("SIP/2.0 ", start) ? Guess::maybe : Guess::no;
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return text.size() < kFirstLineMax ? Guess::maybe : Guess::no;
  std::string_view line = text.substr(0, end);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  const bool said = line.size() > 8 && line.substr(line.size() - 8) == " SIP/2.0";
  return said ? Guess::yes : Guess::no;
}

bool read_sip(std::string_view text, bricks_sip* made, bool* response, size_t* used) noexcept {
  *made = {};
  made->content_length = -1;
  std::string_view rest = text;
  if (!read_first_line(take_line(rest), made, response)) return false;
  for (uint32_t lines = 0; !rest.empty() && lines < kLinesMax; ++lines) {
    std::string_view line = take_line(rest);
    if (line.empty()) break;
    // A line that begins with a blank goes on with the field before: as one text, as sent.
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) {
      const std::string_view more = take_line(rest);
      line = {line.data(), static_cast<size_t>(more.data() + more.size() - line.data())};
    }
    read_field(line, made);
  }
  size_t body = rest.size();
  if (made->content_length >= 0) body = static_cast<size_t>(made->content_length);
  made->body = text_of(rest.substr(0, body));
  *used = text.size() - rest.size() + body;
  return true;
}

}  // namespace bricks
