/** One packet as a capture file holds it. */
export interface CaptureRecord {
  /** Nanoseconds since 1970. */
  readonly timestampNs: bigint;
  /** LINKTYPE_ value, e.g. 1 for Ethernet. */
  readonly linkType: number;
  /** The bytes captured; a view into the file's buffer. */
  readonly data: Buffer;
  /** Bytes on the wire; more than `data` where the capture cut the packet short. */
  readonly wireLength: number;
}

export interface Capture {
  readonly records: readonly CaptureRecord[];
  /** What is wrong with the end of the file, where something is. */
  readonly damage?: string;
}
