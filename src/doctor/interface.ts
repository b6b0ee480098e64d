/** Checks of one interface. */
import type { InterfaceState, NativeBinding } from '../native/binding.ts';
import { namesIn, numberOf, textOf } from './files.ts';
import type { Finding } from './finding.ts';

/** Offloads that make one packet of several, and so no longer what was on the wire. */
const merging = ['gro', 'lro'];
/** Those that a peer on the same machine (veth, a bridge) lets through as one large packet. */
const segmenting = ['tso', 'gso'];

function offloads(name: string, { offloads: switches, driver }: InterfaceState): Finding[] {
  const isVirtual = ['veth', 'bridge', 'tun'].includes(driver);
  const found: Finding[] = [];
  for (const offload of [...merging, ...segmenting, 'rxvlan']) {
    const on = switches[offload];
    const check = `${name}: ${offload}`;
    if (on === undefined) continue;
    if (!on) {
      found.push({ check, state: 'ok', found: 'off' });
      continue;
    }
    const mend = `sudo ethtool -K ${name} ${offload} off`;
    if (merging.includes(offload)) {
      found.push({ check, state: 'fault', found: 'on: packets are merged before they come', mend });
    } else if (offload === 'rxvlan') {
      found.push({ check, state: 'ok', found: 'on: tags are put back where they were' });
    } else {
      const why = isVirtual
        ? 'on: what its peer sends comes in pieces larger than any frame'
        : 'on: what this machine itself sends is seen before it is cut';
      found.push({ check, state: isVirtual ? 'fault' : 'advice', found: why, mend });
    }
  }
  return found;
}

function ring(name: string, { ringNow, ringMost }: InterfaceState): Finding {
  const check = `${name}: receive ring`;
  if (ringNow === undefined || ringMost === undefined) {
    return { check, state: 'unknown', found: 'the driver does not tell' };
  }
  if (ringNow >= Math.min(ringMost, 1024)) {
    return { check, state: 'ok', found: `${ringNow} of ${ringMost}` };
  }
  const found = `${ringNow} of ${ringMost}: a short burst overflows it`;
  return { check, state: 'advice', found, mend: `sudo ethtool -G ${name} rx ${ringMost}` };
}

/** Toeplitz' hash is symmetric when the key repeats every 16 bits (Woo and Park, 2012). */
export function isSymmetricKey(key: Uint8Array): boolean {
  return key.length >= 4 && key.every((byte, index) => byte === key[index % 2]);
}

function receiveScaling(name: string, state: InterfaceState): Finding {
  const check = `${name}: rss symmetry`;
  const { queues = 1, rssKey, rssSymmetricXor } = state;
  if (queues <= 1) return { check, state: 'ok', found: 'one queue: nothing to spread' };
  if (rssKey === undefined) {
    return { check, state: 'unknown', found: `${queues} queues; the driver tells no key` };
  }
  if (rssSymmetricXor === true || isSymmetricKey(rssKey)) {
    return { check, state: 'ok', found: `${queues} queues, symmetric` };
  }
  const key = Array.from(rssKey, (_, index) => (index % 2 === 0 ? '6d' : '5a')).join(':');
  return {
    check,
    state: 'advice',
    found: `${queues} queues: the two directions of a flow come by different ones`,
    mend: `sudo ethtool -X ${name} hkey ${key}`,
  };
}

function losses(name: string): Finding[] {
  const folder = `/sys/class/net/${name}/statistics`;
  return ['rx_dropped', 'rx_missed_errors', 'rx_fifo_errors', 'rx_crc_errors']
    .filter((counter) => namesIn(folder).includes(counter))
    .map((counter) => {
      const count = numberOf(`${folder}/${counter}`) ?? 0;
      const check = `${name}: ${counter}`;
      return count === 0
        ? { check, state: 'ok', found: '0' }
        : {
            check,
            state: 'advice',
            found: `${count} since it came up`,
            mend: `watch -d cat ${folder}/${counter}   # still growing?`,
          };
    });
}

/** Throws `no_such_interface`. */
export function checkInterface(binding: NativeBinding, name: string): Finding[] {
  const state = binding.inspectInterface(name);
  const isUp = state.up && state.running;
  return [
    isUp
      ? { check: `${name}: link`, state: 'ok', found: `up (${state.driver || 'no driver'})` }
      : {
          check: `${name}: link`,
          state: 'fault',
          found: state.up ? 'no carrier: nothing can arrive' : 'down',
          ...(!state.up && { mend: `sudo ip link set ${name} up` }),
        },
    ...offloads(name, state),
    ring(name, state),
    receiveScaling(name, state),
    {
      check: `${name}: promiscuous`,
      state: 'ok',
      found: state.promiscuous ? 'on' : 'off; an engine switches it on while it reads',
    },
    ...losses(name),
  ];
}

/** Interfaces worth a look when none is named: those that are up. */
export function interfacesHere(): string[] {
  const isUp = (name: string): boolean => {
    const flags = Number(textOf(`/sys/class/net/${name}/flags`) ?? 0);
    return (flags & 1) === 1 && (flags & 8) === 0; // IFF_UP, and not IFF_LOOPBACK
  };
  return namesIn('/sys/class/net').filter(isUp);
}
