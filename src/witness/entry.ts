/** A packet that came in, what its flow is, and where it was found. */
import { membershipsAmong, type Sighting } from '../capture/flow.ts';
import type { MoveRule } from './move.ts';
import type { Seen } from './stream.ts';

export interface Entry {
  readonly seen: Seen;
  /** Undefined where it has none, or nobody knows which: no IP, a fragment without a first one. */
  readonly flow: string | undefined;
  /** Packets of a flow that have to stay in order: fragments do among those of their datagram. */
  readonly sequence: string;
  readonly input: number;
  /** Where it was found, in order of outputs: how often as the group gets it. */
  readonly found: { output: number; at: number }[];
}

/** What a group's balancers call a flow. */
export interface FlowRule {
  /** They go by the outermost IP header. */
  readonly outer: boolean;
  /** VLAN ids and tunnels' networks are part of it. */
  readonly tenant: boolean;
  /** Where flows may go once it is seen what they speak. */
  readonly moves?: readonly MoveRule[];
}

function sightingFor(seen: Seen, { outer, tenant }: FlowRule): Sighting | undefined {
  const sighting = outer ? seen.outer : seen.inner;
  return sighting && tenant ? { ...sighting, flow: sighting.flow + sighting.tenants } : sighting;
}

/** Of one input. Fragments belong to their datagram's flow. */
export function entriesOf(seen: readonly Seen[], input: number, rule: FlowRule): Entry[] {
  const said = seen.map((each) => ({
    timestampNs: each.timeNs,
    sighting: sightingFor(each, rule),
  }));
  return membershipsAmong(said, true).map((member, index) => {
    const known = member !== undefined && /^(tcp|udp) /.test(member.flow);
    return {
      seen: seen[index] as Seen,
      flow: known ? member.flow : undefined,
      sequence: member?.sequence ?? '',
      input,
      found: [],
    };
  });
}
