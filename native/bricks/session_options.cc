#include "bricks/session_options.hh"

namespace bricks {

namespace {

constexpr OptionDescriptor kOptions[] = {
    {"plugins", OptionType::integer, "0", 0, 9007199254740991.0, nullptr,
     "a list of plugins: in scripts, files or tables with name, path and options "
     "(docs/plugins.md)"},
#define X(name, seconds, text) \
  {#name, OptionType::number, #seconds, 0.001, 3600, nullptr, "seconds of silence that end " text},
    BRICKS_SESSION_CLASSES(X)
#undef X
        {"midstream", OptionType::boolean, "false", 0, 0, nullptr,
         "a TCP session may begin with any segment, not only with its handshake"},
    {"udp_active_on_first", OptionType::boolean, "false", 0, 0, nullptr,
     "all but TCP is active with its first packet, not with its answer"},
    {"tenant", OptionType::boolean, "false", 0, 0, nullptr,
     "the VLAN id and the VNI are part of the session"},
    {"on_full", OptionType::text, "pass", 0, 0, "pass|drop",
     "packets of new sessions for which the engine's table has no room"},
    {"opening_share", OptionType::integer, "25", 1, 100, nullptr,
     "percent of the table that sessions seen in one direction only may have, so that a flood of "
     "them leaves the others alone; the oldest gives way"},
    {"emergency_enter", OptionType::integer, "95", 2, 100, nullptr,
     "percent of the table from which on time-outs are a sixth of what they are"},
    {"emergency_leave", OptionType::integer, "70", 1, 99, nullptr,
     "and down to which they stay so"},
    {"duplicates", OptionType::text, "off", 0, 0, "off|count|mark|drop",
     "the same packet again, as mirror ports and taps show it: is counted, shown to plugins with "
     "`duplicate` set, or dropped"},
    {"duplicate_window", OptionType::number, "2", 0.001, 60, nullptr,
     "seconds within which it is one"},
    {"duplicate_packets", OptionType::integer, "3", 1, 1000000, nullptr,
     "how many packets of a session, from its first on, are compared"},
    {"overlaps", OptionType::text, "bsd", 0, 0,
     "first|last|bsd|linux|old-linux|solaris|hpux10|hpux11|irix|macos|windows|windows2k3|vista",
     "which of two TCP segments has the bytes that both have: as that system would say"},
    {"delivery", OptionType::text, "immediate", 0, 0, "immediate|acked",
     "when TCP payload in order is given to plugins: at once, or when its receiver has "
     "acknowledged it"},
    {"urgent", OptionType::text, "inline", 0, 0, "inline|drop|gap",
     "TCP's urgent byte: as all others, left out, or a gap"},
    {"stream_sessions", OptionType::integer, "65536", 1, kSessionsMax, nullptr,
     "TCP sessions whose payload is put in order at a time; others have none"},
    {"stream_memory", OptionType::integer, "64", 1, 65536, nullptr,
     "megabytes of TCP payload that may wait"},
    {"stream_depth", OptionType::integer, "0", 0, 9007199254740991.0, nullptr,
     "bytes of each direction that are put in order; 0: all"},
    {"identify", OptionType::boolean, "false", 0, 0, nullptr,
     "finds out what sessions speak (dns, http, tls, quic, ssh, sip, rtp, ftp, dhcp, ntp) also "
     "where no plugin asks for it: for rules and balancers behind it that go by application"},
    {"queue_packets", OptionType::integer, "65536", 256, kQueuePacketsMax, nullptr,
     "packets that may wait for the rates of their groups"},
    {"stream_hole", OptionType::number, "0", 0, 3600, nullptr,
     "seconds that a missing TCP segment is waited for; 0: until its receiver acknowledges it"},
};

Nanos seconds(const Options& options, const char* name) {
  return static_cast<Nanos>(option_number(options, name) * 1e9);
}

Duplicates duplicates_of(const std::string& text) {
  return text == "count"  ? Duplicates::count
         : text == "mark" ? Duplicates::mark
         : text == "drop" ? Duplicates::drop
                          : Duplicates::off;
}

void read_payload(const Options& options, PayloadOptions* made) {
  streams::StreamOptions& streams = made->streams;
  streams.connections = static_cast<uint32_t>(option_integer(options, "stream_sessions"));
  streams.bytes = static_cast<uint64_t>(option_integer(options, "stream_memory")) << 20;
  streams::policy_from_name(option_text(options, "overlaps"), &streams.policy);
  if (option_text(options, "delivery") == "acked") streams.delivery = streams::Delivery::acked;
  const std::string& urgent = option_text(options, "urgent");
  streams.urgent = urgent == "drop"  ? streams::UrgentPolicy::drop
                   : urgent == "gap" ? streams::UrgentPolicy::gap
                                     : streams::UrgentPolicy::in_line;
  streams.depth = static_cast<uint64_t>(option_integer(options, "stream_depth"));
  streams.hole_timeout = seconds(options, "stream_hole");
  made->identify = option_flag(options, "identify");
}

}  // namespace

std::span<const OptionDescriptor> session_option_table() noexcept { return kOptions; }

Status read_session_options(const Options& options, const BrickPlace& place,
                            SessionSettings* made) {
  SessionRules& rules = made->rules;
  size_t at = 0;
#define X(name, preset, text) rules.idle[at++] = seconds(options, #name);
  BRICKS_SESSION_CLASSES(X)
#undef X
  rules.midstream = option_flag(options, "midstream");
  rules.udp_active_on_first = option_flag(options, "udp_active_on_first");
  rules.tenant = option_flag(options, "tenant");
  rules.drop_when_full = option_text(options, "on_full") == "drop";
  rules.opening_percent = static_cast<uint32_t>(option_integer(options, "opening_share"));
  rules.emergency_enter = static_cast<uint32_t>(option_integer(options, "emergency_enter"));
  rules.emergency_leave = static_cast<uint32_t>(option_integer(options, "emergency_leave"));
  if (rules.emergency_leave >= rules.emergency_enter) {
    return {Code::invalid_argument, place.id + ": emergency_leave is " +
                                        std::to_string(rules.emergency_leave) +
                                        "; it must be below emergency_enter, which is " +
                                        std::to_string(rules.emergency_enter)};
  }
  rules.duplicates = duplicates_of(option_text(options, "duplicates"));
  rules.duplicate_window = seconds(options, "duplicate_window");
  rules.duplicate_packets = static_cast<uint32_t>(option_integer(options, "duplicate_packets"));
  read_payload(options, &made->payload);
  return {};
}

bool same_payload_options(const Options& a, const Options& b) {
  for (const char* name : {"overlaps", "delivery", "urgent", "stream_sessions", "stream_memory",
                           "stream_depth", "stream_hole", "queue_packets", "identify"}) {
    if (a.at(name) != b.at(name)) return false;
  }
  return true;
}

}  // namespace bricks
