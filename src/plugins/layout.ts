/** Where the fields of an event's copy are: native/plugins/script_record.hh (a test compares). */
export const at = {
  last_seen: 0,
  packets: 8,
  bytes: 24,
  state: 40,
  close_reason: 41,
  session_protocol: 42,
  ip_version: 43,
  id: 48,
  first_seen: 56,
  address: 64,
  port: 96,
  vlan: 100,
  child_type: 102,
  vni: 104,
  application: 108,
  output: 110,
  offset: 128,
  length: 136,
  type: 140,
  direction: 141,
  reason: 142,
  protocol: 144,
  kind: 146,
  data_at: 148,
  data_bytes: 152,
  context: 156,
  timestamp: 160,
  packet_length: 168,
  wire_length: 172,
  network: 176,
  transport: 178,
  payload: 180,
  payload_length: 182,
  tcp_flags: 184,
  flags: 185,
  packet_protocol: 186,
  packet_direction: 187,
  verdict: 188,
} as const;

export const eventBytes = 192;
/** Before the records: the number of the event that is being dealt with. */
export const positionBytes = 64;
export const callBytes = 64 * 1024;
/** Of those, for a key and its end. */
export const keyBytes = 64;

export const flags = {
  packet: 1,
  dropped: 2,
  fragment: 4,
  frame: 8,
  ip6: 16,
  duplicate: 32,
  ip4: 64,
  stale: 128,
} as const;
export const verdictDrop = 1;

/** What an engine can be asked to do, by number: ScriptCall (a test compares). */
export const calls = {
  detach: 0,
  take_over: 1,
  drop: 2,
  add_group: 3,
  remove_group: 4,
  set_metadata: 5,
  get_metadata: 6,
  delete_metadata: 7,
  lock: 8,
  unlock: 9,
  set_output: 10,
  kill: 11,
  open_child: 12,
  close_child: 13,
  community_id: 14,
  fail: 15,
} as const;
export type Call = (typeof calls)[keyof typeof calls];

/** Names of bricks_event_type, by number. */
export const eventNames = [
  'opening',
  'active',
  'packet',
  'payload',
  'gap',
  'protocol',
  'closing',
  'conflict',
] as const;
export const closing = 6;
/** bricks_conflict_reason. */
export const conflictDelivered = 1;
/** Names of bricks_close_reason, bricks_gap_reason and bricks_conflict_reason, by number. */
export const reasonNames = {
  closing: [
    'none',
    'fin',
    'rst',
    'timeout_opening',
    'timeout_active',
    'timeout_closing',
    'evicted_lru',
    'evicted_memcap',
    'reused_tuple',
    'plugin_kill',
    'poisoned',
    'admin',
    'shutdown',
    'eof',
    'parent',
  ],
  gap: [undefined, 'ack_passed', 'cap', 'flush', 'timeout', 'midstream', 'depth', 'urgent'],
  conflict: [undefined, 'delivered', 'waiting'],
} as const;
/** bricks_value_type. */
export const valueTypes = { opaque: 0, bytes: 1, integer: 2, number: 3, boolean: 4 } as const;
