// The syntax of port names: what is a scheme, a pipe, an interface, and what makes no sense.
#include <algorithm>
#include <cctype>
#include <string_view>

#include "mem/limits.hh"
#include "ports/port_registry.hh"

namespace bricks {
namespace {

constexpr const char* kExamples =
    "right ones are eth3, eth3{0, pcap:in.pcap, packet:eth3, gen:60?flows=1000, null:";
// Every scheme a name may begin with; which of them this build opens, port_registry.cc knows.
constexpr std::string_view kSchemes[] = {"pcap", "packet", "gen", "null", "pipe", "netmap",
                                         "xdp",  "fifo",   "tap", "veth", "tcp"};

constexpr std::string_view kRest = "filter=";
constexpr const char* kKernelPipe = "kernel";  // netmap:eth3{0?kernel: the module's, not ours

// A name as it can be shown: its beginning, with what is not printable as '?'.
std::string shown(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 60)) out += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
  return text.size() > 60 ? out + "..." : out;
}

Status refuse(std::string_view text, const std::string& why) {
  return {Code::invalid_port_name,
          "\"" + shown(text) + "\" is not a port name: " + why + "; " + kExamples};
}

bool is_scheme_text(std::string_view text) {
  if (text.empty() || !std::isalpha(static_cast<unsigned char>(text[0]))) return false;
  for (char c : text)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-' && c != '.') {
      return false;
    }
  return true;
}

bool is_known_scheme(std::string_view scheme) {
  for (std::string_view known : kSchemes)
    if (known == scheme) return true;
  return false;
}

// "a=1&b=2" after the '?'. A name alone means 1. `filter`, an expression that may have blanks,
// '&' and '=' in it, is the last and has all of the rest.
Status parse_parameters(std::string_view query, PortName* name) {
  while (!query.empty()) {
    const bool is_rest = query.starts_with(kRest);
    const size_t end = is_rest ? std::string_view::npos : query.find('&');
    const std::string_view pair = query.substr(0, end);
    const size_t equals = pair.find('=');
    const std::string key(pair.substr(0, equals));
    if (key.empty()) return refuse(name->text, "after '?' come name=value pairs joined by '&'");
    for (const auto& [earlier, value] : name->parameters)
      if (earlier == key) return refuse(name->text, "it says \"" + shown(key) + "\" twice");
    name->parameters.emplace_back(
        key, equals == std::string_view::npos ? "1" : std::string(pair.substr(equals + 1)));
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
    if (query.empty()) return refuse(name->text, "it ends with '&'");
  }
  return {};
}

// Where the value of `filter` begins; npos: there is none.
size_t find_rest(std::string_view text, size_t question) {
  size_t at = question + 1;
  while (!text.substr(at).starts_with(kRest)) {
    at = text.find('&', at);
    if (at == std::string_view::npos) return at;
    ++at;
  }
  return at + kRest.size();
}

Status check_pipe(const PortName& name) {
  const std::string_view target = name.target;
  const size_t brace = target.find_last_of("{}");
  if (brace == std::string_view::npos) {
    return refuse(name.text, "a pipe has a brace and a number, as in eth3{0");
  }
  if (brace == 0) return refuse(name.text, "a pipe's name begins before its brace");
  const std::string_view number = target.substr(brace + 1);
  if (number.empty()) return refuse(name.text, "the pipe's number is missing after the brace");
  if (number.size() > 9) return refuse(name.text, "the pipe's number has more than 9 digits");
  for (char c : number)
    if (c < '0' || c > '9') return refuse(name.text, "after the brace comes a number");
  if (target.find('/') != std::string_view::npos) {
    return refuse(name.text, "a pipe's name has no '/'");
  }
  return {};
}

// "vale0" of "vale0:x": a port of netmap's own switch, which goes without a scheme.
bool is_vale(std::string_view text) {
  return text.starts_with("vale") && text.find_first_of(".-") == std::string_view::npos;
}

bool is_kernel_pipe(const PortName& name) {
  return std::any_of(name.parameters.begin(), name.parameters.end(), [](const auto& parameter) {
    return parameter.first == kKernelPipe && parameter.second != "0" && parameter.second != "false";
  });
}

Status check_interface(const PortName& name) {
  const std::string& target = name.target;
  if (target.empty()) return refuse(name.text, "the interface is missing");
  if (target.find_first_of("{}") != std::string::npos) {
    return refuse(name.text, "an interface has no braces; a pipe goes without the scheme");
  }
  if (target.find('/') != std::string::npos) {
    return refuse(name.text, "an interface has no '/'; a capture file is pcap:" + shown(target));
  }
  return {};
}

}  // namespace

Status parse_port_name(const std::string& text, PortName* name) {
  *name = {};
  name->text = text;
  if (text.empty()) return refuse(text, "it is empty");
  const size_t colon = text.find(':');
  const std::string before = text.substr(0, colon);
  const bool vale = colon != std::string::npos && is_scheme_text(before) && is_vale(before);
  const size_t scheme_end = is_scheme_text(before) && !vale ? colon : std::string::npos;
  const size_t body = scheme_end == std::string::npos ? 0 : scheme_end + 1;
  const bool is_file = text.starts_with("pcap:") || text.starts_with("fifo:");
  const size_t question = text.find('?', body);
  const size_t bare = std::min(question, text.size());
  // A list of files may be long; each of its names is bounded by the file system.
  if (!is_file && bare > kNameMax) {
    return refuse(
        text, "it has " + std::to_string(bare) + " bytes, more than " + std::to_string(kNameMax));
  }
  if (!is_file && text.size() - bare > kPortParametersMax) {
    return refuse(text, "what comes after '?' has more than " + std::to_string(kPortParametersMax) +
                            " bytes");
  }
  const size_t rest = question == std::string::npos ? question : find_rest(text, question);
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 32 || byte == 127) return refuse(text, "it has a control character in it");
    if (c == ' ' && !is_file && at < rest) return refuse(text, "it has a blank in it");
  }

  name->target = text.substr(body, question == std::string::npos ? question : question - body);
  if (question != std::string::npos) {
    Status status = parse_parameters(std::string_view(text).substr(question + 1), name);
    if (!status.ok()) return status;
  }
  if (scheme_end == std::string::npos) {
    const bool pipe = name->target.find_first_of("{}") != std::string::npos;
    name->scheme = pipe ? "pipe" : vale ? "netmap" : kPlainInterface;
    if (!vale && colon != std::string::npos && !pipe)
      return refuse(text, "nothing sensible before ':'");
    return pipe ? check_pipe(*name) : check_interface(*name);
  }
  name->scheme = text.substr(0, scheme_end);
  if (!is_known_scheme(name->scheme)) {
    return refuse(text, "\"" + shown(name->scheme) + ":\" is not a kind of port");
  }
  const bool braces = name->target.find_first_of("{}") != std::string::npos;
  if (name->scheme == "netmap" && braces && is_kernel_pipe(*name)) return check_pipe(*name);
  if (name->scheme == "netmap" && braces) name->scheme = "pipe";
  if (name->scheme == "pipe") return check_pipe(*name);
  if (name->scheme == "null") return {};  // what comes after it tells several apart
  if (name->scheme == "packet" || name->scheme == "netmap" || name->scheme == "xdp") {
    return check_interface(*name);
  }
  if (name->target.empty()) return refuse(text, "nothing comes after \"" + name->scheme + ":\"");
  return {};
}

std::string bare_pipe_name(const std::string& name) {
  PortName parsed;
  if (!parse_port_name(name, &parsed).ok() || parsed.scheme != "pipe") return name;
  return name.substr(0, name.find('?'));
}

std::string flip_pipe_name(const std::string& name) {
  std::string flipped = name;
  const size_t brace = name.find_last_of("{}");
  if (brace != std::string::npos) flipped[brace] = name[brace] == '{' ? '}' : '{';
  return flipped;
}

}  // namespace bricks
