// core_bench [--json] [NAME...]: measures, prints a table, or the same as data.
#include <cstdio>
#include <cstring>
#include <set>

#include "figure.hh"

namespace {

void print_json(const bench::Figures& figures) {
  std::printf("[");
  const char* separator = "";
  for (const bench::Figure& f : figures) {
    std::printf(
        "%s{\"name\":\"%s\",\"input\":\"%s\",\"unit\":\"%s\",\"min\":%.4g,\"median\":%.4g,"
        "\"max\":%.4g",
        separator, f.name.c_str(), f.input.c_str(), f.unit.c_str(), f.value.minimum, f.value.median,
        f.value.maximum);
    if (f.limit > 0) {
      std::printf(",\"limit\":%.4g,\"share\":%.3g", f.limit, f.value.median / f.limit);
    }
    std::printf("}");
    separator = ",\n";
  }
  std::printf("]\n");
}

void print_table(const bench::Figures& figures) {
  std::printf("%-16s %-34s %10s %10s %10s  %-22s %8s %6s\n", "name", "input", "min", "median",
              "max", "unit", "limit", "share");
  for (const bench::Figure& f : figures) {
    std::printf("%-16s %-34s %10.4g %10.4g %10.4g  %-22s", f.name.c_str(), f.input.c_str(),
                f.value.minimum, f.value.median, f.value.maximum, f.unit.c_str());
    if (f.limit > 0) std::printf(" %8.4g %6.2f", f.limit, f.value.median / f.limit);
    std::printf("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  std::set<std::string> names;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0)
      json = true;
    else
      names.insert(argv[i]);
  }
  const bench::Wanted wanted = [&](const std::string& name) {
    return names.empty() || names.count(name) != 0;
  };
  bench::Figures figures;
  bench::measure_with_consumer(wanted, figures);  // forks: before anything makes threads
  bench::measure_netmap_pipe(wanted, figures);
  bench::measure_steering(wanted, figures);
  bench::measure_in_process(wanted, figures);
  bench::measure_filter_rules(wanted, figures);
  bench::measure_queues(wanted, figures);
  bench::measure_sessions(wanted, figures);
  bench::measure_decoders(wanted, figures);
  bench::measure_session_events(wanted, figures);
  bench::measure_lua_events(wanted, figures);
  bench::measure_streams(wanted, figures);
  bench::measure_files_and_devices(wanted, figures);
  bench::measure_xdp(wanted, figures);
  bench::measure_tool_ports(wanted, figures);
  if (json)
    print_json(figures);
  else
    print_table(figures);
  return 0;
}
