#include "ports/capture_list.hh"

#include <dirent.h>
#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bricks {
namespace {

bool is_directory(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

// As a reader would: numbers by their value, so that a.pcap10 comes after a.pcap9.
void sort_names(std::vector<std::string>& names) {
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return strverscmp(a.c_str(), b.c_str()) < 0;
  });
}

Status add_directory(const std::string& path, std::vector<std::string>* files) {
  DIR* directory = opendir(path.c_str());
  if (!directory) return system_error("cannot list the captures in " + path, errno);
  std::vector<std::string> found;
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    // The number of a file that follows another is no part of the ending.
    const std::string plain = name.substr(0, name.find_last_not_of("0123456789") + 1);
    if (!plain.ends_with("pcap") && !plain.ends_with("pcapng")) continue;
    const std::string file = path + (path.ends_with('/') ? "" : "/") + name;
    if (!is_directory(file)) found.push_back(file);
  }
  closedir(directory);
  if (found.empty()) {
    return {Code::no_such_file, "no captures in " + path +
                                    ": none of its files ends in pcap or pcapng; name a file, or "
                                    "a pattern such as pcap:" +
                                    path + (path.ends_with('/') ? "*" : "/*")};
  }
  sort_names(found);
  files->insert(files->end(), found.begin(), found.end());
  return {};
}

Status add_pattern(const std::string& pattern, std::vector<std::string>* files) {
  glob_t matches{};
  const int result = glob(pattern.c_str(), GLOB_NOSORT, nullptr, &matches);
  std::vector<std::string> found;
  for (size_t i = 0; result == 0 && i < matches.gl_pathc; ++i)
    if (!is_directory(matches.gl_pathv[i])) found.emplace_back(matches.gl_pathv[i]);
  globfree(&matches);
  if (result == GLOB_NOSPACE) return system_error("cannot list " + pattern, ENOMEM);
  if (found.empty()) {
    return {Code::no_such_file, "no file matches " + pattern + "; try ls " + pattern};
  }
  sort_names(found);
  files->insert(files->end(), found.begin(), found.end());
  return {};
}

Status add(const std::string& path, std::vector<std::string>* files) {
  if (is_directory(path)) return add_directory(path, files);
  if (path.find('*') != std::string::npos && !exists(path)) return add_pattern(path, files);
  files->push_back(path);
  return {};
}

}  // namespace

Status expand_captures(const std::string& target, std::vector<std::string>* files) {
  files->clear();
  // A file that has a comma in its name is still a file.
  const bool whole = target.find(',') == std::string::npos || exists(target);
  for (size_t from = 0; from <= target.size();) {
    const size_t comma = whole ? std::string::npos : target.find(',', from);
    const std::string path = target.substr(from, comma - from);
    if (path.empty()) {
      return {Code::no_such_file, "the list of captures \"" + target.substr(0, 200) +
                                      "\" has an empty name; write pcap:FILE,FILE,..."};
    }
    Status status = add(path, files);
    if (!status.ok()) return status;
    if (files->size() > kCaptureFilesMax) {
      return {Code::limit_reached, "one pcap: input reads at most " +
                                       std::to_string(kCaptureFilesMax) + " files; \"" +
                                       target.substr(0, 200) + "\" has more"};
    }
    if (comma == std::string::npos) break;
    from = comma + 1;
  }
  return {};
}

}  // namespace bricks
