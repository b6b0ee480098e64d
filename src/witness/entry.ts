/** A packet that came in, what its flow is, and where it was found. */
import { membershipsAmong } from '../capture/flow.ts';
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

/** Of one input. `outer`: by the outermost IP header. Fragments belong to their datagram's flow. */
export function entriesOf(seen: readonly Seen[], input: number, outer: boolean): Entry[] {
  const said = seen.map((each) => ({
    timestampNs: each.timeNs,
    sighting: outer ? each.outer : each.inner,
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
