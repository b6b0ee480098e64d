/** What programs cannot do with us, each with the words in which they say so. */

export interface Refusal {
  readonly program: string;
  /** A line of shell that tries it, without a daemon. */
  readonly tries: string;
  /** That, in short. Undefined: as it is. */
  readonly shown?: string;
  readonly says: RegExp;
  readonly why: string;
  readonly instead: string;
}

export const refusals: readonly Refusal[] = [
  {
    program: 'suricata',
    tries: 'suricata -S /dev/null -l . -r - < /dev/null',
    says: /pcap file '-': No such file/,
    why: 'it takes `-` for the name of a file',
    instead: '`-r /dev/stdin`',
  },
  {
    program: 'suricata',
    tries: 'suricata -S /dev/null -l . --netmap=netmap:eth3}0',
    says: /NETMAP not enabled/,
    why: "Debian's is built without netmap",
    instead: '`bricks run -- suricata --pcap=…`',
  },
  {
    program: 'p0f',
    tries: 'p0f -r - < /dev/null',
    says: /Can't access file '-'/,
    why: 'it takes `-` for the name of a file',
    instead: '`-r /dev/stdin`',
  },
  {
    program: 'p0f',
    tries: `node -e '
      const server = require("node:net").createServer().listen(0, "127.0.0.1", () => {
        const line = "p0f -r /dev/stdin < /dev/tcp/127.0.0.1/" + server.address().port;
        const { spawn } = require("node:child_process");
        const child = spawn("bash", ["-c", line], { stdio: "inherit" });
        child.on("close", () => process.exit(1));
      });'`,
    shown: 'p0f -r /dev/stdin < /dev/tcp/127.0.0.1/5555',
    says: /\/dev\/stdin: No such device or address/,
    why: 'a socket cannot be opened by name; nor by suricata',
    instead: 'a pipe: `cat < /dev/tcp/127.0.0.1/5555 | p0f -r /dev/stdin`',
  },
  {
    program: 'tcpdump',
    tries: 'tcpdump -i TCP@127.0.0.1:5555',
    says: /No such device exists/,
    why: "TCP@ is dumpcap's own, not libpcap's; so it is with ngrep, p0f, tcpflow, argus",
    instead: '`cat < /dev/tcp/127.0.0.1/5555 | tcpdump -r -`',
  },
  {
    program: 'tcpdump',
    tries: "tcpdump -i 'netmap:eth3}0'",
    says: /No such device exists/,
    why: "Debian's libpcap is built without netmap",
    instead: "`bricks run -- tcpdump -i 'netmap:eth3}0'`",
  },
];
