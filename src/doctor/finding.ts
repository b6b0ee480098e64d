/** What a check found. */
export interface Finding {
  /** What was looked at: `eth3: gro`, `cpu: governor`. */
  readonly check: string;
  /**
   * `ok`; `advice`: works, could be faster; `fault`: packets are changed or lost, or it cannot
   * work; `unknown`: this machine does not tell.
   */
  readonly state: 'ok' | 'advice' | 'fault' | 'unknown';
  /** What was found, in a few words. */
  readonly found: string;
  /** The line that mends it, where one does. */
  readonly mend?: string;
}
