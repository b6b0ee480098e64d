#include "flows/stream_options.hh"

namespace bricks::flows {
namespace {

constexpr char kUsageText[] =
    "usage: bricks streams FILE... [--tsv] [--policy NAME] [--streams N]\n"
    "\n"
    "Puts TCP streams in captures together, a row for each direction: who sent, who received, how\n"
    "many bytes, their SHA-256 (- where there are none), whether all is there, how many gaps "
    "there\n"
    "are and how many bytes are known to be missing in them. A SYN on the same ports is another\n"
    "stream. Fragments are put together first. Several files are read one after the other as one\n"
    "capture; '-' is standard input.\n"
    "\n"
    "      --tsv          tab-separated rows under a line of column names\n"
    "      --json         JSON lines (the default)\n"
    "      --policy NAME  whose reading of overlapping segments: first, last, bsd (the default),\n"
    "                     linux, old-linux, solaris, hpux10, hpux11, irix, macos, windows,\n"
    "                     windows2k3, vista\n"
    "      --streams N    list at most N streams; segments of others are counted on stderr "
    "(exit 3)\n"
    "  -h, --help         this text\n"
    "\n"
    "  bricks streams eth3.pcap | jq -c 'select(.complete | not)'\n";

}  // namespace

int parse_stream_options(int argc, char** argv, StreamListOptions* options) {
  const Listing listing = {"streams",
                           kStreamsMax,
                           kUsageText,
                           {{"policy", required_argument, nullptr, 'p'}},
                           "",
                           [options](int, const char* value) {
                             if (streams::policy_from_name(value, &options->policy))
                               return std::string();
                             return "--policy wants the name of an overlap policy, not '" +
                                    std::string(value) + "'";
                           }};
  return parse_listing(argc, argv, listing, options);
}

}  // namespace bricks::flows
