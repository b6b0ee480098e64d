/** How strictly the witness (src/capture) looks at an engine's work. */
import type { FlowOptions } from '../../src/capture/flow.ts';

/**
 * Fragments are judged as soon as the engine gives later ones the ports of their first one: an
 * engine without that splits datagrams, which it is no use to be told by every test.
 */
export const judged: FlowOptions = { fragments: false };
