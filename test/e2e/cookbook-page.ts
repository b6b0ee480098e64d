/**
 * A page of docs/cookbook as a script: what it says to write is written, what it says to type is
 * typed. Fences: "sh run", "sh run background" (another terminal), "LANGUAGE FILE" (a file of that
 * name); comments that readers do not see: "check" (lines that must succeed), "needs PROGRAM…".
 */

export interface CookbookPage {
  readonly needs: readonly string[];
  readonly script: string;
  /** Blocks of shell that are run, and that are shown only. */
  readonly run: number;
  readonly shown: number;
}

const part = /^```(\w+)([^\n]*)\n([\s\S]*?)^```$|^<!-- (check|needs)\b([\s\S]*?)-->/gm;

export function parsePage(text: string): CookbookPage {
  const needs: string[] = [];
  const lines: string[] = [];
  let run = 0;
  let shown = 0;
  for (const [, language, words = '', body = '', kind, comment = ''] of text.matchAll(part)) {
    const [first = '', second] = words.trim().split(' ');
    if (kind === 'needs') needs.push(...comment.trim().split(/\s+/));
    else if (kind === 'check') lines.push(comment);
    else if (language !== 'sh') {
      if (first !== '') lines.push(`cat > ${first} <<'END-OF-FILE'\n${body}END-OF-FILE`);
    } else if (first !== 'run') shown += 1;
    else {
      run += 1;
      lines.push(second === 'background' ? `terminal <<'END-OF-BLOCK'\n${body}END-OF-BLOCK` : body);
    }
  }
  return { needs, script: lines.join('\n'), run, shown };
}

/**
 * The machine of the pages, in namespaces of its own: `eth3` receives what `play` sends. bash's -e,
 * and a way to see which line it was.
 */
export const machine = `set -euo pipefail
trap 'echo "failed: $BASH_COMMAND" >&2; cat terminal.*.log >&2 || true' ERR
trap 'echo "waits at line $LINENO" >&2; bricks status >&2; cat terminal.*.log >&2; exit 1' ALRM
(sleep 200; kill -ALRM 1) &
set -m
mount -t tmpfs tmpfs /run
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
ip link set lo up
ip link add wire0 type veth peer name eth3
ip link set wire0 up
ip link set eth3 up
played=0 # packets, since this daemon is there
bricks-server() { played=0 && command bricks-server "$@"; }
jobs_now=()
terminals=0
frames() { tcpdump -n --count -r "$@" 2>/dev/null | grep -o '^[0-9]*'; }
play() {
  tcpreplay -q --pps 20000 -i wire0 "$1" > play.log 2>&1
  played=$((played + $(frames "$1")))
}
received() { bricks ledger --json | grep -o '"received":[0-9]*' | head -1 | grep -o '[0-9]*$'; }
held() { bricks ledger --json | grep -o '"held":[0-9]*' | head -1 | grep -o '[0-9]*$'; }
delivered() { until [ "$(received)" = $played ] && [ "$(held)" = 0 ]; do sleep 0.05; done; }
attached() {
  until [ "$(bricks status --json | grep -o '"consumer":[1-9]' | wc -l)" = $1 ]; do sleep 0.05; done
}
terminal() {
  bash -c "$(cat)" > terminal.$terminals.log 2>&1 < /dev/null &
  jobs_now+=($!)
  terminals=$((terminals + 1))
}
said() { until grep -qs -- "$1" terminal.*.log; do sleep 0.05; done; }
finish() {
  for job in "\${jobs_now[@]}"; do wait $job; done
  jobs_now=()
  rm -f terminal.*.log # what they said belongs to them
}
interrupt() {
  for job in "\${jobs_now[@]}"; do kill -INT -- -$job; done
  finish
}
events() {
  node -e '
    const { readFileSync } = require("node:fs");
    const lines = process.argv.slice(1).flatMap((folder) =>
      readFileSync(folder + "/eve.json", "utf8").split("\\n").slice(0, -1));
    const found = lines.map((line) => JSON.parse(line))
      .filter((e) => ["http", "dns", "tls"].includes(e.event_type))
      .map((e) => JSON.stringify([e.event_type, e.src_ip, e.src_port, e.dest_ip, e.dest_port,
        e[e.event_type]]));
    console.log(found.sort().join("\\n"));' "$@"
}
`;
