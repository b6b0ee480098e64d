/** `bricks doctor`'s examination: the machine, and the interfaces named, or all there are. */
import { BricksError } from '../errors.ts';
import { loadBinding } from '../native/load.ts';
import type { Finding } from './finding.ts';
import { checkInterface, interfacesHere } from './interface.ts';
import { checkMachine } from './machine.ts';

export type { Finding } from './finding.ts';

/** Throws `no_such_interface`. */
export function examine(names: readonly string[]): Finding[] {
  const binding = loadBinding();
  const checkOne = (name: string): Finding[] => {
    try {
      return checkInterface(binding, name);
    } catch (error) {
      // One that nobody named may go while we look.
      const isGone = error instanceof BricksError && error.code === 'no_such_interface';
      if (isGone && names.length === 0) return [];
      throw error;
    }
  };
  const interfaces = names.length > 0 ? names : interfacesHere();
  return [...checkMachine(binding), ...interfaces.flatMap(checkOne)];
}
