#include <unistd.h>

#include "check.hh"
#include "ports/port_registry.hh"

using namespace bricks;

namespace {

struct Sound {
  const char *text, *scheme, *target;
};

constexpr Sound kSound[] = {
    {"eth3", "interface", "eth3"},
    {"eth3.100", "interface", "eth3.100"},
    {"packet:eth3", "packet", "eth3"},
    {"eth3{0", "pipe", "eth3{0"},
    {"eth3}12", "pipe", "eth3}12"},
    {"netmap:eth3{0", "pipe", "eth3{0"},
    {"pipe:eth3}0", "pipe", "eth3}0"},
    {"a{0}1", "pipe", "a{0}1"},
    {"netmap:eth3", "netmap", "eth3"},
    {"netmap:eth3-2", "netmap", "eth3-2"},
    {"netmap:eth3^", "netmap", "eth3^"},
    {"netmap:vale0:x", "netmap", "vale0:x"},
    {"vale0:x", "netmap", "vale0:x"},
    {"pcap:in.pcap", "pcap", "in.pcap"},
    {"pcap:dir/a{0.pcap", "pcap", "dir/a{0.pcap"},
    {"pcap:with blank.pcap", "pcap", "with blank.pcap"},
    {"pcap:C:x.pcap", "pcap", "C:x.pcap"},
    {"gen:60", "gen", "60"},
    {"null:", "null", ""},
    {"null:7", "null", "7"},
    {"xdp:eth3", "xdp", "eth3"},
};

}  // namespace

TEST(port_names_that_make_sense) {
  for (const Sound& sound : kSound) {
    PortName name;
    const Status status = parse_port_name(sound.text, &name);
    CHECK_EQ(status.message, "");
    CHECK_EQ(name.text, sound.text);
    CHECK_EQ(name.scheme, sound.scheme);
    CHECK_EQ(name.target, sound.target);
    CHECK(name.parameters.empty());
  }
}

TEST(port_names_have_parameters) {
  PortName name;
  CHECK(parse_port_name("pcap:in.pcap?speed=1&loop=3&ng", &name).ok());
  CHECK_EQ(name.target, "in.pcap");
  CHECK_EQ(name.parameters.size(), 3u);
  CHECK_EQ(name.parameters[1].first, "loop");
  CHECK_EQ(name.parameters[1].second, "3");
  CHECK_EQ(name.parameters[2].second, "1");
}

TEST(port_names_of_kernel_pipes) {
  PortName name;
  for (const char* text : {"netmap:eth3{0?kernel", "netmap:eth3}0?slots=64&kernel=1"}) {
    CHECK_EQ(parse_port_name(text, &name).message, "");
    CHECK_EQ(name.scheme, "netmap");
  }
  CHECK(parse_port_name("netmap:eth3{0?kernel=0", &name).ok());
  CHECK_EQ(name.scheme, "pipe");
  CHECK(parse_port_name("netmap:eth3{?kernel", &name).code == Code::invalid_port_name);
}

TEST(port_names_that_make_no_sense) {
  const std::string long_name(256, 'e');
  for (const std::string& text : {std::string(),
                                  long_name,
                                  std::string("foo:bar"),
                                  std::string("eth3{"),
                                  std::string("eth3}"),
                                  std::string("{0"),
                                  std::string("eth3{x"),
                                  std::string("eth3{-1"),
                                  std::string("eth3{1234567890"),
                                  std::string("eth 3"),
                                  std::string("eth\n3"),
                                  std::string("eth3\0x", 6),
                                  std::string("pcap:"),
                                  std::string("gen:"),
                                  std::string("packet:"),
                                  std::string("packet:eth3{0"),
                                  std::string("dir/file.pcap"),
                                  std::string(":eth3"),
                                  std::string("pcap:x?=1"),
                                  std::string("pcap:x?a=1&"),
                                  std::string("pcap:x?a=1&a=2"),
                                  std::string("pcap:a\x7f"),
                                  std::string("../eth3{0")}) {
    PortName name;
    const Status status = parse_port_name(text, &name);
    CHECK(status.code == Code::invalid_port_name);
    CHECK(status.message.find("eth3{0, pcap:in.pcap") != std::string::npos);
    for (char c : status.message) CHECK(static_cast<unsigned char>(c) >= 32);
    CHECK(status.message.size() < 400);
  }
}

TEST(port_names_of_pipes_flip) {
  CHECK_EQ(flip_pipe_name("eth3{0"), "eth3}0");
  CHECK_EQ(flip_pipe_name("eth3}0"), "eth3{0");
  CHECK_EQ(flip_pipe_name("a{0}1"), "a{0{1");
  CHECK_EQ(flip_pipe_name("eth3"), "eth3");
}

TEST(port_names_open_by_scheme) {
  std::unique_ptr<Input> input;
  std::unique_ptr<Output> output;
  if (access("/dev/netmap", F_OK) != 0) {
    for (const char* port : {"netmap:eth3", "netmap:vale0:x", "vale0:x", "netmap:eth3{0?kernel"}) {
      CHECK(open_input(port, {}, &input).code == Code::unsupported);
      CHECK(open_output(port, {}, &output).code == Code::unsupported);
    }
  }
  CHECK(open_input("null:", {}, &input).code == Code::invalid_port_name);
  CHECK(open_output("gen:60", {}, &output).code == Code::invalid_port_name);
  CHECK(open_input("gen:60?speed=1", {}, &input).code == Code::invalid_argument);
  CHECK(open_input("gen:60?flows=0", {}, &input).code == Code::invalid_argument);
  CHECK(open_input("gen:59", {}, &input).code == Code::invalid_port_name);
  CHECK(open_input("gen:9001", {}, &input).code == Code::invalid_port_name);
  CHECK(open_input("gen:sixty", {}, &input).code == Code::invalid_port_name);
  CHECK(open_input("gen:99999999999999999999", {}, &input).code == Code::invalid_port_name);
  CHECK(!input && !output);
}

TEST(port_schemes_describe_themselves) {
  for (const PortScheme* scheme : port_schemes()) {
    CHECK((scheme->as_input != nullptr) == (scheme->open_input != nullptr));
    CHECK((scheme->as_output != nullptr) == (scheme->open_output != nullptr));
    CHECK(scheme->as_input || scheme->as_output);
    PortName name;
    CHECK(parse_port_name(scheme->example, &name).ok());
    CHECK_EQ(name.scheme, scheme->scheme);
    Options defaults;
    CHECK(check_options(scheme->scheme, scheme->options, &defaults).ok());
  }
}
