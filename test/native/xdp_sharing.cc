// xdp: with others: input and output on one queue, engines' regions, other programs' XDP, the
// interface going away, processes that die.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "check.hh"
#include "engine/engine.hh"
#include "mem/region.hh"
#include "packet_network.hh"
#include "port_conformance.hh"
#include "ports/pipe_directory.hh"
#include "ports/port_registry.hh"
#include "ports/port_schemes.hh"
#include "ports/xdp_choice.hh"
#include "xdp_network.hh"

using namespace bricks;
using namespace packet_test;
using namespace xdp_test;

namespace {

// near is both ends of one socket: what it receives it sends back, by another port.
void input_and_output_share_a_queue() {
  auto input = open_in("xdp:near");
  auto output = open_out("xdp:near");
  if (!input || !output) return;
  std::unique_ptr<Output> other;
  CHECK_EQ(open_output("xdp:near?ring=64", {}, &other).code, Code::invalid_argument);
  PacketSettings settings;
  settings.ring_mib = 64;
  auto witness = must_open("far", settings);
  Random random(kSeed);
  const auto frames = random_frames(random, 1000);
  Sender sender("far");
  auto batch = std::make_unique<Batch>();
  LedgerCell in, out;
  std::vector<Index> picks;
  for (Index i = 0; i < kBatchMax; ++i) picks.push_back(i);
  const auto pass_on = [&] {
    if (input->receive(*batch, kBatchDefault, wall_clock(), in) == 0) return;
    out.packets += batch->count;
    output->transmit(*batch, picks.data(), batch->count, true, out);
    output->flush(wall_clock(), out);
    input->release(*batch);
  };
  for (size_t i = 0; i < frames.size(); ++i) {
    CHECK(sender.send(frames[i]));
    pass_on();
    if (i % 100 != 99) continue;
    CHECK(eventually([&] { return pass_on(), in.packets > i; }));
  }
  CHECK_EQ(in.packets, 1000u);
  LedgerCell seen;
  check_same(receive_all(*witness, seen, 1000), frames);
  output->close(out);
  CHECK_EQ(out.delivered, 1000u);
  input.reset();
  CHECK(!has_program("near"));
  output.reset();
  open_out("xdp:near?ring=64");
}

// Frames go from the queue to a pipe and to another interface by exchange: their memory is the
// region's from the beginning. Bytes are right all the way, and no buffer is lost on it.
void region_is_the_memory() {
  PortContext context;
  CHECK(Region::create("test", 1 << 20, 1 << 14, &context.shared_region).ok());
  Region& region = *context.shared_region;
  std::vector<uint32_t> all;
  CHECK(region.allocate_buffers(64, &all).ok());
  const std::string options = "?ring=256";
  auto input = open_in("xdp:far" + options, context);
  auto output = open_out("xdp:far" + options, context);
  if (!input || !output) return;
  CHECK(input->describe().find("shared region") != std::string::npos);
  auto witness = must_open("near");
  Random random(kSeed + 1);
  Sender sender("near");
  LedgerCell in, out, seen;
  auto batch = std::make_unique<Batch>();
  size_t exchanged = 0, at = 0;
  std::vector<Frame> waiting(all.size());
  for (int round = 0; round < 300; ++round) {
    const auto frames = random_frames(random, 1 + random() % 60);
    for (const Frame& frame : frames) CHECK(sender.send(frame));
    std::vector<Frame> sent;
    size_t taken = 0;
    const auto take = [&] {
      const uint32_t count = input->receive(*batch, kBatchMax, wall_clock(), in);
      if (count == 0) return;
      CHECK(batch->region == &region);
      std::vector<Index> picks;
      for (uint32_t i = 0; i < count; ++i, ++taken) {
        Packet& packet = batch->packets[i];
        CHECK(packet.data == region.buffer(packet.buffer));
        CHECK(Frame(packet.data, packet.data + packet.length) == frames[taken]);
        if (random() % 2) {
          picks.push_back(static_cast<Index>(i));
          sent.push_back(frames[taken]);
          continue;
        }
        // As a pipe does: keeps the frame's buffer and leaves one that it had.
        const Frame& old = waiting[at];
        CHECK(old.empty() || std::memcmp(region.buffer(all[at]), old.data(), old.size()) == 0);
        waiting[at] = frames[taken];
        std::swap(all[at], packet.buffer);
        if (random() % 2) packet.buffer |= kForeignBuffer;
        at = (at + 1) % all.size();
        ++exchanged;
      }
      out.packets += picks.size();
      output->transmit(*batch, picks.data(), static_cast<uint32_t>(picks.size()), true, out);
      output->flush(wall_clock(), out);
      input->release(*batch);
    };
    CHECK(eventually([&] { return take(), taken >= frames.size(); }));
    CHECK_EQ(taken, frames.size());
    check_same(receive_all(*witness, seen, out.packets), sent);
  }
  CHECK(exchanged > 1000);
  output->close(out);
  CHECK_EQ(out.delivered, out.packets);
  input.reset();
  output.reset();
  region.release_buffers(all);
  std::vector<uint32_t> every;
  CHECK(region.allocate_buffers(region.buffer_count() - 2, &every).ok());
  std::sort(every.begin(), every.end());
  CHECK(std::unique(every.begin(), every.end()) == every.end());
}

// An engine with a shared region: far -> pipe untouched.
void engine_hands_frames_to_a_pipe() {
  PipeDirectory pipes;
  EngineOptions options;
  options.shared = true;
  std::shared_ptr<Engine> engine;
  CHECK(Engine::create("e", options, &pipes, &engine).ok());
  Graph graph;
  graph.inlets = {{"xdp:far", 0}};
  Graph::Node& node = graph.bricks.emplace_back();
  node.id = node.kind = "Dummy";
  node.outlets = {{"p{0", -1}};
  CHECK_EQ(engine->apply(graph).message, "");
  CHECK_EQ(engine->start().message, "");
  std::unique_ptr<Input> reader;
  PortContext context;
  context.pipes = &pipes;
  CHECK_EQ(open_input("p}0", context, &reader).message, "");
  if (!reader) return;
  Random random(kSeed + 2);
  LedgerCell cell;
  uint64_t total = 0;
  for (int round = 0; round < 30; ++round) {
    const auto frames = random_frames(random, 300);
    Sender sender("near");
    for (const Frame& frame : frames) CHECK(sender.send(frame));
    total += frames.size();
    check_same(receive_all(*reader, cell, total), frames);
  }
  CHECK_EQ(engine->snapshot().inputs.at(0).cell.packets, total);
  CHECK(engine->stop().ok());
}

int attach_foreign(const char* interface, int flags) {
  const bpf_insn code[] = {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS},
                           {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  const int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "somebody", "BSD", code, 2, nullptr);
  CHECK(program >= 0);
  const int index = static_cast<int>(if_nametoindex(interface));
  CHECK_EQ(bpf_xdp_attach(index, program, static_cast<uint32_t>(flags), nullptr), 0);
  close(program);
  return index;
}

void other_programs_are_left_alone() {
  for (int flags : {XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE}) {
    const int index = attach_foreign("far", flags);
    const Status status = refusal("xdp:far");
    CHECK_EQ(status.code, Code::busy);
    CHECK(status.message.find("\"somebody\"") != std::string::npos);
    CHECK(status.message.find("far") != std::string::npos);
    CHECK(has_program("far"));
    CHECK_EQ(bpf_xdp_detach(index, static_cast<uint32_t>(flags), nullptr), 0);
  }
  CHECK(!has_program("far"));
  open_in("xdp:far");
}

// A process with the port, which says so on a pipe and then waits to be killed.
class Holder {
 public:
  explicit Holder(const std::string& port) {
    int told[2];
    CHECK(pipe2(told, O_CLOEXEC) == 0);
    child_ = fork();
    if (child_ == 0) {
      std::unique_ptr<Input> input;
      const bool ok = open_input(port, {}, &input).ok();
      [[maybe_unused]] const ssize_t n = write(told[1], ok ? "y" : "n", 1);
      for (;;) pause();
    }
    char answer = 0;
    CHECK(read(told[0], &answer, 1) == 1 && answer == 'y');
    close(told[0]);
    close(told[1]);
  }
  ~Holder() { end(); }
  void end() {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    CHECK(waitpid(child_, nullptr, 0) == child_);
    child_ = 0;
  }

 private:
  pid_t child_ = 0;
};

void killed_process_leaves_nothing() {
  for (const char* attach : {"skb", "drv"}) {
    Holder holder(std::string("xdp:far?attach=") + attach);
    CHECK(has_program("far") && is_promiscuous("far"));
    const Status status = refusal("xdp:far");
    CHECK_EQ(status.code, Code::busy);
    CHECK(status.message.find("another bricks process") != std::string::npos);
    holder.end();
    CHECK(!has_program("far"));
    auto input = open_in("xdp:far");
    CHECK(Sender("near").send(Frame(100, 2)));
    LedgerCell cell;
    CHECK_EQ(receive_all(*input, cell, 1).size(), 1u);
  }
  CHECK(!is_promiscuous("far"));
}

void removed_interface_is_survived() {
  auto input = open_in("xdp:far");
  if (!input) return;
  (void)input->take_warning();
  LedgerCell cell;
  CHECK(Sender("near").send(Frame(100, 2)));
  CHECK_EQ(receive_all(*input, cell, 1).size(), 1u);
  CHECK(run("ip link set far down"));
  receive_all(*input, cell, 2, 300);
  CHECK(input->take_warning().find("is down") != std::string::npos);
  CHECK(run("ip link set far up"));
  CHECK(Sender("near").send(Frame(100, 2)));
  CHECK_EQ(receive_all(*input, cell, 2).size(), 1u);
  CHECK(run("ip link del far"));
  receive_all(*input, cell, 3, 300);
  CHECK(input->take_warning().find("was removed") != std::string::npos);
  receive_all(*input, cell, 3, 300);
  CHECK_EQ(input->take_warning(), "");
  pollfd wait{input->wait_fd(), POLLIN, 0};
  CHECK_EQ(poll(&wait, 1, 50), 0);  // quiet: an engine can sleep on it
}

void rights_are_asked_for() {
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(9);
    std::unique_ptr<Input> input;
    std::unique_ptr<Output> output;
    const Status in = open_input("xdp:far", {}, &input);
    const Status out = open_output("xdp:far", {}, &output);
    _exit((in.code == Code::permission_denied ? 0 : 1) +
          (out.code == Code::permission_denied ? 0 : 2));
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK_EQ(status, 0);
}

void opening_says_what_is_wrong() {
  CHECK_EQ(refusal("xdp:nosuch").code, Code::no_such_interface);
  CHECK_EQ(refusal("xdp:far?ring=1000").code, Code::invalid_argument);
  const Status zero_copy = refusal("xdp:far?mode=zerocopy");
  CHECK_EQ(zero_copy.code, Code::unsupported);
  CHECK(zero_copy.message.find("zero-copy") != std::string::npos);
  CHECK(!has_program("far"));
  if (run("ip tuntap add mode tun name flat 2>/dev/null")) {
    CHECK_EQ(refusal("xdp:flat").code, Code::unsupported);
  }
}

// A name without a scheme: veth is copied either way, so it stays where the system keeps its
// packets.
void plain_names_stay_with_packet() {
  Interface interface;
  CHECK(find_interface("far", &interface).ok());
  const XdpFacts facts = look_for_xdp(interface);
  CHECK_EQ(why_not_xdp(facts), "its driver announces no zero-copy");
  CHECK(!facts.addressed && !facts.has_program && !facts.enslaved);
  CHECK(open_in("far")->describe().find("AF_PACKET on far") == 0);
  CHECK(open_out("far")->describe().find("AF_PACKET on far") == 0);
  CHECK(open_in("far?ring=32")->describe().find("AF_PACKET on far") == 0);
  CHECK(open_in("far?mode=copy")->describe().find("AF_XDP on far") == 0);
  CHECK(open_out("near?busy_poll=8")->describe().find("AF_XDP on near") == 0);
  CHECK_EQ(refusal("far?mode=copy&block=512").code, Code::invalid_argument);
  // Chosen, but refused when it is tried: AF_PACKET after all.
  PortName name;
  CHECK(parse_port_name("far?promisc=0", &name).ok());
  Options options = {{"promisc", std::string("0")}};
  CHECK(check_options("far", kXdpScheme.options, &options).ok());
  std::unique_ptr<Input> input;
  std::unique_ptr<Output> output;
  CHECK(kXdpScheme.open_input(name, options, {}, &input).ok());
  CHECK(kXdpScheme.open_output(name, options, {}, &output).ok());
  CHECK_EQ(input->describe(), "AF_PACKET on far, TPACKET_V3, 16 MiB");
  CHECK(output->describe().find("AF_PACKET on far") == 0);
  CHECK(!has_program("far"));
  CHECK(run("ip addr add 192.0.2.1/24 dev far"));
  CHECK(look_for_xdp(interface).addressed);
  input = open_in("xdp:far");
  CHECK(look_for_xdp(interface).has_program);
}

}  // namespace

TEST(xdp_choice) {
  XdpFacts good;
  good.features = 8;
  good.mtu = 1500;
  CHECK_EQ(why_not_xdp(good), "");
  const auto refused = [&](void (*spoil)(XdpFacts&)) {
    XdpFacts facts = good;
    spoil(facts);
    CHECK(!why_not_xdp(facts).empty());
  };
  refused([](XdpFacts& facts) { facts.features = 7; });
  refused([](XdpFacts& facts) { facts.addressed = true; });
  refused([](XdpFacts& facts) { facts.enslaved = true; });
  refused([](XdpFacts& facts) { facts.strips_tags = true; });
  refused([](XdpFacts& facts) { facts.has_program = true; });
  refused([](XdpFacts& facts) { facts.mtu = 2031; });
  in_xdp_network(plain_names_stay_with_packet);
}
TEST(xdp_shared_queue) { in_xdp_network(input_and_output_share_a_queue); }
TEST(xdp_region) { in_xdp_network(region_is_the_memory); }
TEST(xdp_engine_to_pipe) { in_xdp_network(engine_hands_frames_to_a_pipe); }
TEST(xdp_other_programs) { in_xdp_network(other_programs_are_left_alone); }
TEST(xdp_killed) { in_xdp_network(killed_process_leaves_nothing); }
TEST(xdp_removed_interface) { in_xdp_network(removed_interface_is_survived); }
TEST(xdp_rights) { in_xdp_network(rights_are_asked_for); }
TEST(xdp_refusals) { in_xdp_network(opening_says_what_is_wrong); }
