/**
 * Holds what consumers got against what went in: an independent verdict on a load balancer's work.
 */
import { createHash } from 'node:crypto';
import { type FlowOptions, type Membership, membershipsOf } from './flow.ts';
import type { CaptureRecord } from './record.ts';

export interface Share {
  readonly packets: number;
  readonly bytes: number;
  readonly flows: number;
}

export interface PartitionReport {
  /** True when all the counts of faults below are 0. */
  readonly ok: boolean;
  readonly input: Share;
  readonly outputs: readonly Share[];
  /** Packets of the input that no output has. */
  readonly missing: number;
  /** Packets in the outputs that the input does not have, or not that often. */
  readonly foreign: number;
  /** Flows that more than one output has packets of. */
  readonly splitFlows: number;
  /** Flows whose packets come in another order than they went in. */
  readonly reorderedFlows: number;
  /** Up to ten faults in words. */
  readonly faults: readonly string[];
}

const faultsMax = 10;

/** Equal exactly for packets equal in bytes, time, link type and length on the wire. */
function identityOf(record: CaptureRecord): string {
  const { timestampNs, linkType, wireLength, data } = record;
  return createHash('sha1')
    .update(`${timestampNs} ${linkType} ${wireLength} ${data.length} `)
    .update(data)
    .digest('base64');
}

interface Side {
  readonly share: Share;
  readonly identities: readonly string[];
  /** Flows that have packets here. */
  readonly flows: ReadonlySet<string>;
  /** sequence -> identities of its packets, in order */
  readonly sequences: ReadonlyMap<string, readonly string[]>;
}

/** `members`: to which flow each record belongs. */
function sideOf(
  records: readonly CaptureRecord[],
  identities: readonly string[],
  members: readonly (Membership | undefined)[],
): Side {
  const flows = new Set<string>();
  const sequences = new Map<string, string[]>();
  let bytes = 0;
  records.forEach(({ data }, index) => {
    bytes += data.length;
    const member = members[index];
    if (member === undefined) return;
    flows.add(member.flow);
    const packets = sequences.get(member.sequence);
    const identity = identities[index] ?? '';
    if (packets === undefined) sequences.set(member.sequence, [identity]);
    else packets.push(identity);
  });
  const share = { packets: records.length, bytes, flows: flows.size };
  return { share, identities, flows, sequences };
}

/** Counts of the two multisets' differences. */
function differenceOf(
  input: readonly string[],
  outputs: readonly Side[],
): { missing: number; foreign: number } {
  const open = new Map<string, number>();
  for (const identity of input) {
    open.set(identity, (open.get(identity) ?? 0) + 1);
  }
  let foreign = 0;
  for (const identity of outputs.flatMap((side) => side.identities)) {
    const left = open.get(identity) ?? 0;
    if (left === 0) {
      foreign += 1;
    } else {
      open.set(identity, left - 1);
    }
  }
  let missing = 0;
  for (const left of open.values()) {
    missing += left;
  }
  return { missing, foreign };
}

/**
 * Are the outputs, together, the input: packet for packet, byte for byte, with times and lengths,
 * no flow in two of them, every flow in its order? Order is judged for flows that are whole in one
 * output.
 */
export function comparePartition(
  input: readonly CaptureRecord[],
  outputs: readonly (readonly CaptureRecord[])[],
  options: FlowOptions = {},
): PartitionReport {
  const members = membershipsOf(input, options);
  const names = input.map(identityOf);
  const source = sideOf(input, names, members);
  // Where a packet belongs is decided once, by the input: an output may lack what tells it.
  const memberOf = new Map(names.map((name, index) => [name, members[index]]));
  const sides = outputs.map((records) => {
    const identities = records.map(identityOf);
    const found = identities.map((identity) => memberOf.get(identity));
    return sideOf(records, identities, found);
  });
  const { missing, foreign } = differenceOf(source.identities, sides);
  const faults: string[] = [];
  const say = (fault: string): void => {
    if (faults.length < faultsMax) {
      faults.push(fault);
    }
  };
  if (missing > 0) {
    say(`${missing} packets of the input are in no output`);
  }
  if (foreign > 0) {
    say(`${foreign} packets in the outputs are not in the input, or too often`);
  }
  let splitFlows = 0;
  let reorderedFlows = 0;
  for (const flow of source.flows) {
    const holders = sides.filter((side) => side.flows.has(flow)).length;
    if (holders > 1) {
      splitFlows += 1;
      say(`flow ${flow} is in ${holders} outputs`);
    }
  }
  for (const [sequence, packets] of source.sequences) {
    const holders = sides.filter((side) => side.sequences.has(sequence));
    const got = holders[0]?.sequences.get(sequence);
    if (
      holders.length === 1 &&
      got?.length === packets.length &&
      got.some((identity, index) => identity !== packets[index])
    ) {
      reorderedFlows += 1;
      say(`flow ${sequence} comes in another order`);
    }
  }
  return {
    ok: missing + foreign + splitFlows + reorderedFlows === 0,
    input: source.share,
    outputs: sides.map((side) => side.share),
    missing,
    foreign,
    splitFlows,
    reorderedFlows,
    faults,
  };
}

/** The verdict in one line for people. */
export function describePartition(report: PartitionReport): string {
  const { input, outputs } = report;
  return report.ok
    ? `verified: ${input.packets} packets and ${input.flows} flows went in; ${outputs.length} ` +
        'outputs together hold exactly these, byte for byte, no flow split, order kept'
    : `NOT verified: ${report.missing} missing, ${report.foreign} foreign, ` +
        `${report.splitFlows} flows split, ${report.reorderedFlows} out of order`;
}
