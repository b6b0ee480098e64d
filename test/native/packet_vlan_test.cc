// VLAN tags: the kernel takes them out of received frames, packet: puts them back.
#include <arpa/inet.h>
#include <linux/if_ether.h>

#include "check.hh"
#include "packet_network.hh"

using namespace bricks;
using namespace packet_test;

namespace {

// What the kernel says beside a frame: true when the VLAN tag is there and not in the frame.
bool tag_is_beside(int fd) {
  uint8_t data[2048], control[256];
  iovec part{data, sizeof data};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(fd, &message, 0) < 14) return false;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata beside;
    std::memcpy(&beside, CMSG_DATA(each), sizeof beside);
    return (beside.tp_status & TP_STATUS_VLAN_VALID) && data[12] != 0x81;
  }
  return false;
}

void kernel_takes_tags_out() {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
  const int yes = 1;
  const timeval patience{2, 0};
  CHECK(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &yes, sizeof yes) == 0);
  CHECK(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) == 0);
  CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
  Random random(kSeed);
  CHECK(Sender("near").send(tagged(random_frame(random, 100), 0x8100, 42)));
  CHECK(tag_is_beside(fd));
  close(fd);
}

void vlan_tags_are_put_back() {
  kernel_takes_tags_out();  // else there would be nothing to put back
  Random random(kSeed + 3);
  std::vector<Frame> frames;
  for (uint32_t i = 0; i < 500; ++i) {
    Frame frame = random_frame(random, 60 + random() % 1400);
    if (i % 5 == 1) frame = tagged(frame, 0x8100, static_cast<uint16_t>(random()));
    if (i % 5 == 2) frame = tagged(frame, 0x88a8, static_cast<uint16_t>(random()));
    if (i % 5 == 3) frame = tagged(tagged(frame, 0x8100, 7), 0x88a8, 1234);
    if (i % 5 == 4) frame = tagged(frame, 0x8100, 0);
    frames.push_back(frame);
  }
  auto input = must_open("far");
  if (!input) return;
  Sender sender("near");
  for (const Frame& frame : frames) CHECK(sender.send(frame));
  LedgerCell cell;
  check_same(receive_all(*input, cell, frames.size()), frames);
}

// The tag that a VLAN interface adds travels beside the frame from the first moment.
void vlan_interface_shows_its_tag() {
  if (!run("ip link add link near name near.42 type vlan id 42 2>/dev/null")) {
    SKIP("this kernel has no VLAN interfaces (8021q)");
  }
  CHECK(run("ip link set near.42 up"));
  Random random(kSeed + 4);
  const Frame frame = random_frame(random, 100);
  auto input = must_open("far");
  if (!input) return;
  CHECK(Sender("near.42").send(frame));
  LedgerCell cell;
  check_same(receive_all(*input, cell, 1), {tagged(frame, 0x8100, 42)});
}

}  // namespace

TEST(packet_input_vlan) { in_own_network(vlan_tags_are_put_back); }
TEST(packet_input_vlan_interface) { in_own_network(vlan_interface_shows_its_tag); }
