// Which files a `pcap:` input reads: FILE, a directory, a pattern with '*', or a list of these.
#pragma once

#include <string>
#include <vector>

#include "mem/status.hh"

namespace bricks {

inline constexpr uint32_t kCaptureFilesMax = 100'000;  // files of one input

// The files `target` means, in reading order: a list's elements as given, a directory's and a
// pattern's files sorted by name, numbers in it by their value. A directory gives those that end in
// "pcap" or "pcapng", or in that and a number. "-" is standard input. Looks at names only, opens
// nothing. no_such_file, permission_denied, limit_reached.
Status expand_captures(const std::string& target, std::vector<std::string>* files);

}  // namespace bricks
