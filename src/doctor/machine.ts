/** Checks of the machine: rights, memory, processors, clock, netmap. */
import { availableParallelism } from 'node:os';
import type { NativeBinding } from '../native/binding.ts';
import { chosenOf, namesIn, numberOf, statusField, textOf } from './files.ts';
import type { Finding } from './finding.ts';

/** linux/capability.h */
const capabilities: readonly (readonly [
  name: string,
  bit: number,
  needed: boolean,
  why: string,
])[] = [
  ['cap_net_raw', 13, true, 'opening interfaces'],
  ['cap_net_admin', 12, false, 'large receive buffers, making tap and veth interfaces'],
  ['cap_bpf', 39, false, 'AF_XDP (xdp:)'],
  ['cap_sys_nice', 23, false, 'real-time priority for engines'],
  ['cap_ipc_lock', 14, false, 'memory that is never paged out'],
];

/** AF_XDP and locked rings want about this much. */
const memoryLockWanted = 64 * 1024 * 1024;

function rights(): Finding[] {
  const effective = BigInt(`0x${statusField('CapEff') ?? '0'}`);
  return capabilities.map(([name, bit, needed, why]) => {
    const has = ((effective >> BigInt(bit)) & 1n) === 1n;
    if (has) return { check: `rights: ${name}`, state: 'ok', found: 'held' };
    return {
      check: `rights: ${name}`,
      state: needed ? 'fault' : 'advice',
      found: `missing: needed for ${why}`,
      mend: `run as root, or: sudo setcap ${name}+ep "$(readlink -f "$(command -v node)")"`,
    };
  });
}

function memory(binding: NativeBinding): Finding[] {
  const lock = binding.memoryLockLimit();
  const mebibytes = Number.isFinite(lock) ? `${Math.floor(lock / 1048576)} MiB` : 'unlimited';
  const transparent = '/sys/kernel/mm/transparent_hugepage/enabled';
  const huge = chosenOf(transparent);
  const pages = numberOf('/proc/sys/vm/nr_hugepages');
  return [
    lock >= memoryLockWanted
      ? { check: 'memory: lock limit', state: 'ok', found: mebibytes }
      : {
          check: 'memory: lock limit',
          state: 'advice',
          found: `${mebibytes}; 64 MiB or more is wanted by AF_XDP`,
          mend: 'ulimit -l unlimited   # or LimitMEMLOCK=infinity in bricks.service',
        },
    huge === undefined
      ? { check: 'memory: transparent huge pages', state: 'unknown', found: 'not told' }
      : huge === 'never'
        ? {
            check: 'memory: transparent huge pages',
            state: 'advice',
            found: 'never: large tables miss the TLB',
            mend: `echo madvise | sudo tee ${transparent}`,
          }
        : { check: 'memory: transparent huge pages', state: 'ok', found: huge },
    { check: 'memory: huge pages', state: 'ok', found: `${pages ?? 0} reserved; none are needed` },
  ];
}

function processors(): Finding[] {
  const root = '/sys/devices/system/cpu';
  const governors = new Set(
    namesIn(root)
      .filter((name) => /^cpu[0-9]+$/.test(name))
      .map((name) => textOf(`${root}/${name}/cpufreq/scaling_governor`))
      .filter((governor) => governor !== undefined),
  );
  const isolated = textOf(`${root}/isolated`) ?? '';
  const count = availableParallelism();
  const names = [...governors].join(', ');
  return [
    count > 1
      ? { check: 'cpu: processors', state: 'ok', found: String(count) }
      : {
          check: 'cpu: processors',
          state: 'advice',
          found: 'one: engine and consumers take turns on it',
        },
    governors.size === 0
      ? { check: 'cpu: governor', state: 'unknown', found: 'not told (a virtual machine?)' }
      : [...governors].every((governor) => governor === 'performance')
        ? { check: 'cpu: governor', state: 'ok', found: names }
        : {
            check: 'cpu: governor',
            state: 'advice',
            found: `${names}: clocks go down between packets`,
            mend: `echo performance | sudo tee ${root}/cpu*/cpufreq/scaling_governor`,
          },
    { check: 'cpu: isolated', state: 'ok', found: isolated === '' ? 'none' : isolated },
  ];
}

function clock(): Finding {
  const path = '/sys/devices/system/clocksource/clocksource0/current_clocksource';
  const source = textOf(path);
  if (source === undefined) return { check: 'clock: source', state: 'unknown', found: 'not told' };
  if (['tsc', 'kvm-clock', 'arch_sys_counter', 'hyperv_clocksource_tsc_page'].includes(source)) {
    return { check: 'clock: source', state: 'ok', found: source };
  }
  const others = (textOf(path.replace('current', 'available')) ?? '').split(' ');
  const better = others.find((name) => name === 'tsc' || name === 'kvm-clock');
  return {
    check: 'clock: source',
    state: 'advice',
    found: `${source}: every look at the time is a system call`,
    ...(better !== undefined && { mend: `echo ${better} | sudo tee ${path}` }),
  };
}

function netmap(): Finding {
  const isThere = namesIn('/dev').includes('netmap');
  const found = isThere
    ? '/dev/netmap is there'
    : 'module not loaded; AF_PACKET or AF_XDP serve instead';
  return { check: 'netmap: module', state: 'ok', found };
}

function receiveBuffers(): Finding {
  const backlog = numberOf('/proc/sys/net/core/netdev_max_backlog');
  const rows = (textOf('/proc/net/softnet_stat') ?? '').split('\n');
  const dropped = rows.reduce((sum, row) => sum + Number.parseInt(row.split(' ')[1] ?? '0', 16), 0);
  if (!(dropped > 0)) {
    return { check: 'kernel: backlog drops', state: 'ok', found: 'none since boot' };
  }
  return {
    check: 'kernel: backlog drops',
    state: 'advice',
    found: `${dropped} since boot, with a backlog of ${backlog ?? 'unknown'}`,
    mend: `sudo sysctl net.core.netdev_max_backlog=${Math.max(1000, backlog ?? 1000) * 4}`,
  };
}

export function checkMachine(binding: NativeBinding): Finding[] {
  return [...rights(), ...memory(binding), ...processors(), clock(), netmap(), receiveBuffers()];
}
