#include "decoders/ssh.hh"

namespace bricks {

namespace {

constexpr uint8_t kKexInit = 20;

bricks_text take_list(Cursor& cursor) noexcept { return text_of(cursor.take(cursor.u32())); }

}  // namespace

bool read_ssh_banner(std::string_view line, bricks_ssh_banner* made) noexcept {
  *made = {};
  if (!begins_with(line, "SSH-")) return false;
  line.remove_prefix(4);
  const size_t dash = line.find('-');
  if (dash == std::string_view::npos || dash == 0) return false;
  made->protocol = text_of(line.substr(0, dash));
  line.remove_prefix(dash + 1);
  const size_t blank = line.find(' ');
  made->software = text_of(line.substr(0, blank));
  if (blank != std::string_view::npos) made->comment = text_of(line.substr(blank + 1));
  return true;
}

bool read_ssh_kexinit(Bytes payload, bricks_ssh_kexinit* made) noexcept {
  *made = {};
  Cursor cursor(payload);
  if (cursor.u8() != kKexInit) return false;
  cursor.copy(made->cookie, sizeof made->cookie);
  made->key_exchange = take_list(cursor);
  made->host_keys = take_list(cursor);
  made->ciphers_to_server = take_list(cursor);
  made->ciphers_to_client = take_list(cursor);
  made->macs_to_server = take_list(cursor);
  made->macs_to_client = take_list(cursor);
  made->compression_to_server = take_list(cursor);
  made->compression_to_client = take_list(cursor);
  take_list(cursor);  // languages
  take_list(cursor);
  made->first_follows = cursor.u8() != 0;
  cursor.u32();
  return cursor.ok();
}

}  // namespace bricks
