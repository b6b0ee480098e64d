/**
 * A golden case: what it shows, a graph in Lua, packets in, and what must come out, in one file.
 *
 *   What this case shows, in a sentence.
 *   --- graph
 *   lb = Brick.new("LoadBalancer")
 *   lb:connect_input(input("in"))
 *   lb:connect_output(output("0"), output("1"))
 *   pe:link(lb)
 *   --- packets in
 *   tcp 10.0.0.1:1000 > 10.0.0.2:80
 *   --- expect
 *   0: 1
 *   1:
 *   ledger: received 1, copies 0, delivered 1, held 0, difference 0
 *
 * `pe`, `input` and `output` are given. Packets are numbered from 1 over all inputs, a millisecond
 * apart, or where a line ends in `at 7`, in that millisecond; no two in the same one. An output's
 * line names those it got, in order. Notation of packets: packet-notation.ts.
 */
import type { CaptureRecord } from '../../src/capture/record.ts';
import { pcapOf } from '../../src/traffic/traffic.ts';
import { frameOf } from './packet-notation.ts';

export interface GoldenCase {
  readonly text: string;
  readonly graph: string;
  /** Input's name -> its lines of packets. */
  readonly inputs: ReadonlyMap<string, readonly string[]>;
  readonly outputs: readonly string[];
  readonly expectation: string;
}

const section = /^--- (graph|packets \w+|expect)$/m;

export function parseCase(source: string): GoldenCase {
  const [text = '', ...parts] = source.split(section);
  const inputs = new Map<string, string[]>();
  let graph = '';
  let expectation = '';
  for (let i = 0; i < parts.length; i += 2) {
    const [name = '', body = ''] = parts.slice(i, i + 2);
    const lines = body.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
    if (name === 'graph') graph = body.trim();
    else if (name === 'expect') expectation = lines.join('\n');
    else inputs.set(name.replace('packets ', ''), lines);
  }
  const outputs = [...graph.matchAll(/\boutput\("(\w+)"\)/g)].map(([, name = '']) => name);
  if (text.trim() === '' || inputs.size === 0 || outputs.length === 0)
    throw new Error('a case needs a sentence, a graph with outputs, and packets');
  return { text: text.trim(), graph, inputs, outputs: [...new Set(outputs)], expectation };
}

/** The file's text with another expectation. */
export function withExpectation(source: string, expectation: string): string {
  return `${source.slice(0, source.indexOf('--- expect')).trimEnd()}\n--- expect\n${expectation}\n`;
}

export interface NumberedFrame {
  readonly number: number;
  readonly input: string;
  readonly timeUs: number;
  readonly frame: Buffer;
}

export function framesOf(golden: GoldenCase): NumberedFrame[] {
  let number = 0;
  return [...golden.inputs].flatMap(([input, lines]) =>
    lines.map((line) => {
      number += 1;
      const [packet = '', time = number] = line.split(' at ');
      return { number, input, timeUs: Number(time) * 1000, frame: frameOf(packet, number) };
    }),
  );
}

/** The capture file of one input. */
export function captureOf(frames: readonly NumberedFrame[], input: string): Buffer {
  return pcapOf(frames.filter((frame) => frame.input === input));
}

/**
 * The whole script; ends with the ledger on stdout. Files are in the working folder and named
 * without it: a LoadBalancer's choice depends on its outputs' names.
 */
export function scriptOf(golden: GoldenCase): string {
  return `function input(name) return "pcap:" .. name .. ".in.pcap" end
function output(name) return "pcap:" .. name .. ".out.pcap" end
pe = PktEngine.new("case")
${golden.graph}
pe:start()
assert(pe:wait(30), "not drained in 30 s")
local ledger = BRICKS.ledger()
print("LEDGER received " .. ledger.received)
print("LEDGER copies " .. ledger.copies)
print("LEDGER delivered " .. ledger.delivered)
for reason, count in pairs(ledger.dropped) do
  if count > 0 then print("LEDGER dropped " .. reason .. " " .. count) end
end
print("LEDGER held " .. ledger.held)
print("LEDGER difference " .. ledger.difference)
pe:stop()
pe:delete()
`;
}

/**
 * Which packet a record is, by its time; its bytes must be that packet's. Returns what to write in
 * the output's line: the number, or what is wrong.
 */
export function nameOf(record: CaptureRecord, frames: readonly NumberedFrame[]): string {
  const us = Number((record.timestampNs / 1000n) % 1_000_000_000n);
  const found = frames.find((frame) => frame.timeUs === us);
  if (!found) return `a packet of ${us} us that never went in`;
  const same = record.data.equals(found.frame) && record.wireLength === found.frame.length;
  return same ? String(found.number) : `${found.number} with other bytes`;
}
