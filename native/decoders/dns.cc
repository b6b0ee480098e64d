#include "decoders/dns.hh"

namespace bricks {

namespace {

constexpr uint32_t kNameMax = 255;  // RFC 1035: bytes of a name on the wire
constexpr uint16_t kOpt = 41;

// Appends a byte of a label, escaped where it has to be; false: no room.
bool put(DnsScratch* scratch, uint8_t byte) noexcept {
  if (scratch->used + 4 > sizeof scratch->text) return false;
  char* to = scratch->text + scratch->used;
  if (byte > 0x20 && byte < 0x7f && byte != '.' && byte != '\\') {
    *to = static_cast<char>(byte);
    scratch->used += 1;
    return true;
  }
  to[0] = '\\';
  to[1] = static_cast<char>('0' + byte / 100);
  to[2] = static_cast<char>('0' + byte / 10 % 10);
  to[3] = static_cast<char>('0' + byte % 10);
  scratch->used += 4;
  return true;
}

// Moves `at` behind a name without following it; false: it does not end.
bool skip_name(Bytes message, size_t* at) noexcept {
  for (uint32_t length = 0; length <= kNameMax;) {
    if (*at >= message.size()) return false;
    const uint8_t label = message[*at];
    if (label >= 0xc0) {
      *at += 2;
      return *at <= message.size();
    }
    if (label >= 0x40) return false;
    *at += label + 1u;
    length += label + 1u;
    if (label == 0) return *at <= message.size();
  }
  return false;
}

// The name at `from` as text. Pointers have to go back further each time, so there is no loop.
bool read_name(Bytes message, size_t from, DnsScratch* scratch, bricks_text* name) noexcept {
  const uint32_t begin = scratch->used;
  size_t at = from, before = from;
  for (uint32_t length = 0; length <= kNameMax;) {
    if (at >= message.size()) return false;
    const uint8_t label = message[at];
    if (label >= 0xc0) {
      if (at + 1 >= message.size()) return false;
      at = static_cast<size_t>(label & 0x3f) << 8 | message[at + 1];
      if (at >= before) return false;
      before = at;
      continue;
    }
    if (label >= 0x40 || at + label >= message.size()) return false;
    length += label + 1u;
    if (label == 0) {
      if (scratch->used == begin) {
        if (scratch->used == sizeof scratch->text) return false;
        scratch->text[scratch->used++] = '.';
      }
      *name = text_of(std::string_view{scratch->text + begin, scratch->used - begin});
      return length <= kNameMax;
    }
    if (scratch->used > begin) {
      if (scratch->used == sizeof scratch->text) return false;
      scratch->text[scratch->used++] = '.';
    }
    for (uint32_t i = 1; i <= label; ++i) {
      if (!put(scratch, message[at + i])) return false;
    }
    at += label + 1u;
  }
  return false;
}

// Where in its data a record of that type has a name; -1: nowhere.
int32_t name_within(uint16_t type) noexcept {
  switch (type) {
    case 2:   // NS
    case 5:   // CNAME
    case 6:   // SOA
    case 12:  // PTR
    case 39:  // DNAME
      return 0;
    case 15:  // MX
      return 2;
    case 33:  // SRV
      return 6;
    default:
      return -1;
  }
}

bool read_target(Bytes message, size_t data, uint32_t length, DnsScratch* scratch,
                 bricks_dns_record* record) noexcept {
  const int32_t within = name_within(record->type);
  if (within < 0) return true;
  const auto skipped = static_cast<size_t>(within);
  if (length <= skipped) return false;
  if (within >= 2) record->preference = load_be16(message.data() + data);
  if (within == 6) record->port = load_be16(message.data() + data + 4);
  // Where the name has to end: only the pointers in it may lead elsewhere.
  size_t end = data + skipped;
  if (!skip_name(message.subspan(0, data + length), &end)) return false;
  return read_name(message, data + skipped, scratch, &record->target);
}

void read_opt(const bricks_dns_record& record, bricks_dns* made) noexcept {
  made->edns = 1;
  made->edns_size = record.class_;
  made->edns_version = static_cast<uint8_t>(record.ttl >> 16);
  made->edns_flags = static_cast<uint16_t>(record.ttl);
  made->rcode = static_cast<uint16_t>((record.ttl >> 24) << 4 | (made->flags & 15));
}

// One record at `at`. A record that has no room is passed over.
bool read_record(Bytes message, size_t* at, uint8_t section, DnsScratch* scratch,
                 bricks_dns* made) noexcept {
  const size_t name_at = *at;
  if (!skip_name(message, at) || message.size() - *at < 10) return false;
  bricks_dns_record record{};
  record.type = load_be16(&message[*at]);
  record.class_ = load_be16(&message[*at + 2]);
  record.ttl = load_be32(&message[*at + 4]);
  record.section = section;
  const uint32_t length = load_be16(&message[*at + 8]);
  const size_t data = *at + 10;
  if (message.size() - data < length) return false;
  *at = data + length;
  record.data = text_of(message.subspan(data, length));
  if (record.type == kOpt) {
    read_opt(record, made);
    return true;
  }
  if (made->records_count < BRICKS_DNS_RECORDS_MAX && scratch->used + 8192 < sizeof scratch->text) {
    if (!read_name(message, name_at, scratch, &record.name)) return false;
    if (!read_target(message, data, length, scratch, &record)) return false;
    scratch->records[made->records_count++] = record;
  }
  ++made->records_total;
  return true;
}

bool read_questions(Bytes message, size_t* at, DnsScratch* scratch, bricks_dns* made) noexcept {
  for (uint32_t i = 0; i < made->questions; ++i) {
    const size_t name_at = *at;
    if (!skip_name(message, at) || message.size() - *at < 4) return false;
    if (i == 0) {
      if (!read_name(message, name_at, scratch, &made->name)) return false;
      made->type = load_be16(&message[*at]);
      made->class_ = load_be16(&message[*at + 2]);
    }
    *at += 4;
  }
  return true;
}

}  // namespace

bool read_dns(Bytes message, DnsScratch* scratch, bricks_dns* made, size_t* used) noexcept {
  *made = {};
  scratch->used = 0;
  made->records = scratch->records;
  if (message.size() < 12) return false;
  made->id = load_be16(&message[0]);
  made->flags = load_be16(&message[2]);
  made->response = (made->flags & 0x8000) != 0;
  made->opcode = made->flags >> 11 & 15;
  made->rcode = made->flags & 15;
  made->truncated = made->flags >> 9 & 1;
  made->questions = load_be16(&message[4]);
  made->answers = load_be16(&message[6]);
  made->authorities = load_be16(&message[8]);
  made->additionals = load_be16(&message[10]);
  size_t at = 12;
  *used = at;
  if (!read_questions(message, &at, scratch, made)) {
    made->malformed = 1;
    return made->name.length > 0;
  }
  *used = at;
  const uint16_t counts[] = {made->answers, made->authorities, made->additionals};
  for (uint8_t section = 0; section < 3; ++section) {
    for (uint32_t i = 0; i < counts[section]; ++i) {
      if (!read_record(message, &at, section, scratch, made)) {
        made->malformed = 1;
        return true;
      }
      *used = at;
    }
  }
  return true;
}

bool is_dns(const bricks_dns& message, size_t length, size_t used, bool port_hint) noexcept {
  const uint64_t records = uint64_t{message.answers} + message.authorities + message.additionals;
  if (message.opcode == 3 || message.opcode > 6) return false;
  if (message.questions * 5u + records * 11 > length) return false;
  if (message.questions + records == 0) return port_hint && message.response;
  if (port_hint) return true;
  const uint16_t family = message.class_ & 0x7fff;
  return message.questions == 1 && !message.malformed && used == length && message.type != 0 &&
         (family == 1 || family == 3 || family == 4 || family == 255);
}

}  // namespace bricks
