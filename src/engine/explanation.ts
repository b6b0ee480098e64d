/** The answer of `bricks explain`, as `--json` prints it. */
export type { ExplainStep, Explanation } from '../native/binding.ts';
