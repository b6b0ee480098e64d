/** What the binding explains and finds out; binding.ts has the calls. */

import type { LedgerCell } from './binding.ts';

/** A flow to ask about; native/engine/explain.hh. */
export interface FlowQuestion {
  readonly protocol: string;
  readonly source: string;
  readonly target: string;
  /** 0 where absent. */
  readonly sourcePort?: number;
  readonly targetPort?: number;
  /** Absent: untagged. */
  readonly vlan?: number;
  /** Set: inside a VXLAN tunnel of that number. */
  readonly vni?: number;
}

/** One brick on the flow's way. `ways` is empty where it is dropped. */
export interface ExplainStep {
  readonly brick: string;
  readonly kind: string;
  readonly why: string;
  /** `brick` is absent where the link is an output. */
  readonly ways: readonly { readonly link: string; readonly brick?: string }[];
  /** What becomes of the flow when that outlet leaves, where one alone is chosen. */
  readonly ifGone?: string;
}

export interface Explanation {
  readonly engine: string;
  readonly inputs: readonly string[];
  readonly steps: readonly ExplainStep[];
  readonly outputs: readonly string[];
}

/** What the kernel tells of an interface; what it does not tell is absent. */
export interface InterfaceState {
  readonly driver: string;
  readonly up: boolean;
  readonly running: boolean;
  readonly promiscuous: boolean;
  /** gro, lro, tso, gso, rxvlan, rxhash */
  readonly offloads: Readonly<Record<string, boolean>>;
  /** Receive descriptors. */
  readonly ringNow?: number;
  readonly ringMost?: number;
  /** Receive queues in use. */
  readonly queues?: number;
  readonly rssKey?: Uint8Array;
  readonly rssSymmetricXor?: boolean;
}

/** A copy of what passes a link, into a pipe of its own; no part of the ledger's sum. */
export interface TapRow {
  readonly name: string;
  readonly link: string;
  readonly expression: string;
  /** One address pair in so many. */
  readonly sample: number;
  readonly consumerPid: number;
  /** Packets that went by, wanted or not. */
  readonly passed: number;
  /** A recorder: how far back it goes at most; 0: a tap. */
  readonly seconds?: number;
  /** Of a recorder's packets, those that had to make room for later ones. */
  readonly overwritten?: number;
  readonly cell: LedgerCell;
}
