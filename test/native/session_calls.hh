// test/cases/session-calls.tsv against the plugin manager, with plugins of one language.
#pragma once

#include <set>
#include <string>

namespace session_calls {

// Vectors: first column is a T and a number. `path`: of a plugin that knows the file's actions.
void check_vector(const std::string& name, const std::string& path);
// All the others but those named, which that language has not; returns how many.
int check_edges(const std::string& path, const std::set<std::string>& without = {});

}  // namespace session_calls
