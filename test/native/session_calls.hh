// test/cases/session-calls.tsv against the plugin manager, with plugins of one language.
#pragma once

#include <map>
#include <string>

namespace session_calls {

// Vectors: first column is a T and a number. `path`: of a plugin that knows the file's actions.
void check_vector(const std::string& name, const std::string& path);
// All the others but those that are about something which that language has not: with why, which is
// printed.
void check_edges(const std::string& path, const std::map<std::string, const char*>& without = {});

}  // namespace session_calls
