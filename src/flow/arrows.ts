/** A graph in arrow notation, one line per edge: `eth0 -> LoadBalancer-1`. */
import type { NativeGraph } from '../native/binding.ts';

export function arrows(graph: NativeGraph): string[] {
  const idOf = (index: number): string => graph.bricks[index]?.id ?? '?';
  const inlets = graph.inlets.map((inlet) => `${inlet.port} -> ${idOf(inlet.brick)}`);
  const outlets = graph.bricks.flatMap((brick) =>
    brick.outlets.map((outlet, number) => {
      const from = `${brick.id}.${number}`;
      return outlet.brick === undefined
        ? `${from} -> ${outlet.name}`
        : `${from} -> ${outlet.name} -> ${idOf(outlet.brick)}`;
    }),
  );
  return [...inlets, ...outlets];
}
