/** See native/sessions/session.hh. */
export interface SessionCounts {
  readonly capacity: number;
  readonly live: number;
  readonly begun: number;
  /** By silence. */
  readonly ended: number;
  /** Seen in one direction only, when the table was full. */
  readonly gaveWay: number;
  /** New flows for which there was no room: balanced, not pinned. */
  readonly refused: number;
}
