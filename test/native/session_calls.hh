// test/cases/session-calls.tsv against the plugin manager, with plugins of one language.
#pragma once

#include <map>
#include <string>

namespace session_calls {

// Vectors: first column is a T and a number. `path`: of a plugin that knows the file's actions.
void check_vector(const std::string& name, const std::string& path);
// All the others; returns how many.
int check_edges(const std::string& path);

}  // namespace session_calls
