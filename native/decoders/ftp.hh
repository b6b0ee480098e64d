// FTP's control connection (RFC 959, 2428).
#pragma once

#include "decoders/cursor.hh"

namespace bricks {

// Lines without their ends.
bool read_ftp_command(std::string_view line, bricks_ftp* made) noexcept;
// A reply's last line: three digits and a blank. False: it is another one.
bool read_ftp_reply(std::string_view line, bricks_ftp* made) noexcept;
// A command that FTP has, and SMTP, POP3 and their like do not have as their first one.
bool is_ftp_command(std::string_view line) noexcept;

}  // namespace bricks
