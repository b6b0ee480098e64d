/* Stellar's work loop on a capture, or on an interface: sessions, plugins, queues.
 *
 *   cc -O2 -I bricks/native/abi -o worker worker.c -L . -lbricks-worker
 *   ./worker pcap-file in.pcap out.pcap rate_limiter.so 'rate=100000;per=source'
 *   ./worker af_packet eth0 eth1 firewall.lua 'rules=allow udp' */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bricks_worker.h"

enum { BATCH = 64 };

static int said(const char *what) {
  fprintf(stderr, "worker: %s: %s\n", what, packet_io_error());
  return 1;
}

/* What is accepted is the device's; for the rest there is no room: tried again. */
static void send_all(packet_io_device *out, struct packet **packets, int n) {
  for (int done = 0; done < n;) {
    const int accepted = packet_io_tx(out, packets + done, n - done);
    if (accepted < 0) return;
    done += accepted;
  }
}

static void send_due(bricks_worker *worker, packet_io_device *out) {
  struct packet *packets[BATCH];
  for (int n; (n = aqm_dequeue(worker, packets, BATCH)) > 0;) send_all(out, packets, n);
}

static int work(packet_io *io, packet_io_device *in, packet_io_device *out, bricks_worker *worker) {
  struct packet *packets[BATCH];
  bricks_verdict verdicts[BATCH];
  for (;;) {
    send_due(worker, out); /* what waited goes before what comes */
    const int n = packet_io_rx(in, packets, BATCH);
    if (n == BRICKS_EEOF) break;
    if (n < 0) return said("receiving");
    if (n == 0) {
      worker_idle(worker); /* time-outs come without packets */
      struct pollfd wait = {packet_io_fd(in), POLLIN, 0};
      poll(&wait, 1, aqm_next(worker) ? 0 : 1);
      continue;
    }
    /* Ingress: session_manager(packet) and plugin_manager(event). */
    if (worker_ingress(worker, packets, n, verdicts) < 0) return said("ingress");
    /* Egress: a packet is dropped, or the queue's, or sent. */
    for (int i = 0; i < n; ++i) {
      if (verdicts[i].dropped) {
        packet_io_free(io, &packets[i], 1);
      } else if (AQM_enqueue(worker, packets[i], &verdicts[i]) == AQM_PASS) {
        send_all(out, &packets[i], 1);
      }
    }
  }
  worker_finish(worker);
  send_due(worker, out);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: worker MODE INPUT OUTPUT [PLUGIN OPTIONS]...\n");
    return 2;
  }
  int error = 0;
  packet_io *io = packet_io_create(argv[1], 0, 0, &error);
  if (!io) return said(argv[1]);
  packet_io_device *in = 0, *out = 0;
  if (packet_io_open_device(io, argv[2], PACKET_IO_RX, -1, &in) != 0) return said(argv[2]);
  if (packet_io_open_device(io, argv[3], PACKET_IO_TX, -1, &out) != 0) return said(argv[3]);
  bricks_worker_plugin plugins[16];
  int count = 0;
  for (int i = 4; i < argc && count < 16; i += 2, ++count) {
    plugins[count].path = argv[i];
    plugins[count].options = i + 1 < argc ? argv[i + 1] : 0;
  }
  bricks_worker_settings settings = {.packet_time = strcmp(argv[1], "pcap-file") == 0};
  bricks_worker *worker = worker_create(io, plugins, count, &settings, &error);
  if (!worker) return said("worker");
  const int result = work(io, in, out, worker);
  packet_io_close(out);
  packet_io_counts received, sent;
  packet_io_stats(in, &received);
  packet_io_stats(out, &sent);
  printf("received %llu, sent %llu\n", (unsigned long long)received.received,
         (unsigned long long)sent.sent);
  worker_destroy(worker);
  packet_io_destroy(io);
  return result;
}
