// Shared libraries. Each load is of a copy in memory: dlopen would give what it has already for a
// file of the same name, and a file that is overwritten would change under running code.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "plugins/loaded_plugin.hh"
#include "plugins/plugin_call.hh"

namespace bricks {

namespace {

struct Library {
  void* handle = nullptr;
  int memory = -1;  // stays open: its number is the library's name
  ~Library() {
    if (handle) dlclose(handle);
    if (memory >= 0) close(memory);
  }
};

Status copy_file(const std::string& where, const std::string& path, int to) {
  const int from = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (from < 0) return system_error(where, errno);
  struct stat file;
  Status status;
  if (fstat(from, &file) != 0 || !S_ISREG(file.st_mode)) {
    status = {Code::invalid_argument, where + ": it is not a file"};
  }
  std::string bytes(1 << 16, 0);
  while (status.ok()) {
    const ssize_t count = read(from, bytes.data(), bytes.size());
    if (count == 0) break;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 || write(to, bytes.data(), static_cast<size_t>(count)) != count) {
      status = system_error(where, errno);
    }
  }
  close(from);
  return status;
}

// dlerror's words, with the file's name for that of the copy.
std::string reason(const std::string& copy, const std::string& path) {
  const char* words = dlerror();
  std::string text = words ? words : "no reason is given";
  for (size_t at; (at = text.find(copy)) != std::string::npos;) text.replace(at, copy.size(), path);
  return text;
}

}  // namespace

Status load_c(const PluginSpec& spec, PluginCode* code) {
  const std::string where = spec.name + ": " + spec.path;
  auto library = std::make_shared<Library>();
  library->memory = memfd_create(spec.name.substr(0, 200).c_str(), MFD_CLOEXEC);
  if (library->memory < 0) return system_error(where + ": memory for its code", errno);
  if (Status status = copy_file(where, spec.path, library->memory); !status.ok()) return status;
  const std::string copy = "/proc/self/fd/" + std::to_string(library->memory);
  const RunningPlugin running(spec.name.c_str());
  library->handle = dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library->handle) {
    return {Code::invalid_argument, spec.name + ": " + reason(copy, spec.path)};
  }
  using Entry = const bricks_plugin* (*)(uint32_t);
  const auto entry = reinterpret_cast<Entry>(dlsym(library->handle, "bricks_plugin_entry"));
  if (!entry) {
    return {Code::invalid_argument,
            where + ": it does not export bricks_plugin_entry, as plugins do (bricks_plugin.h)"};
  }
  try {
    code->functions = entry(BRICKS_PLUGIN_ABI);
  } catch (...) {
    return {Code::failed, where + ": bricks_plugin_entry threw something"};
  }
  if (!code->functions) {
    return {Code::unsupported, where + ": it cannot work with plugin ABI " +
                                   std::to_string(BRICKS_PLUGIN_ABI) +
                                   ", which this bricks has; build it with its header"};
  }
  code->keeper = std::move(library);
  return {};
}

}  // namespace bricks
