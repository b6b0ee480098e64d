/** How strictly the witness (src/capture) looks at an engine's work. */
import type { FlowOptions } from '../../src/capture/flow.ts';

/** Fragments belong to the flow of their datagram's first one, like all else of it. */
export const judged: FlowOptions = { fragments: true };
