/** `bricks verify`: an independent witness over a running daemon. */
import { setTimeout as sleep } from 'node:timers/promises';
import { locateRunDir } from '../daemon/run-dir.ts';
import { type Ledger, sumOf } from '../engine/ledger.ts';
import type { Status } from '../engine/status.ts';
import { BricksError, exitCodes } from '../errors.ts';
import { DaemonClient } from '../shell/client.ts';
import { judge, type Verdict } from '../witness/judge.ts';
import { type Group, groupsOf } from '../witness/shape.ts';
import { type Arguments, type Command, helpOption, jsonOption, runDirOption } from './command.ts';
import { formatTable } from './table.ts';
import { keyOf, type Look, lookAt } from './verify-look.ts';

/** Packets a second that the witness can follow at one place. */
const packetsPerSecond = 20_000;
const rateMs = 300;
const looksMax = 4;
const sampleMax = 65_536;

interface GroupVerdict extends Verdict {
  engine: string;
  inputs: readonly string[];
  outputs: readonly string[];
  /** Outputs of it that nobody can look into: it is not judged then. */
  unobservable: string[];
}

interface Report {
  ok: boolean;
  /** Why it is not, where no fault was found. */
  reason?: string;
  seconds: number;
  /** One address pair in so many was looked at. */
  sample: number;
  packets: number;
  /** What came in meanwhile, of which `packets` were looked at. */
  received: number;
  groups: GroupVerdict[];
  /** Slots that observers came too late for. */
  missed: number;
}

function dropsOf(ledger: Ledger, group: Group): number {
  const rows = [
    ...ledger.bricks.filter(
      ({ id, engine }) => engine === group.engine && group.bricks.includes(id),
    ),
    ...ledger.outputs.filter(
      ({ name, engine }) => engine === group.engine && group.outputs.includes(name),
    ),
  ];
  return rows.reduce((sum, { dropped }) => sum + sumOf(dropped), 0);
}

function judgeGroup(group: Group, look: Look): GroupVerdict {
  const at = (names: readonly string[], from: Look['inputs']) =>
    names.flatMap((name) => {
      const sightings = from.get(keyOf(group.engine, name));
      return sightings === undefined ? [] : [{ name, sightings }];
    });
  const inputs = at(group.inputs, look.inputs).map(({ sightings }) => sightings);
  const outputs = at(group.outputs, look.outputs);
  const unobservable = group.outputs.filter((name) => !outputs.some((one) => one.name === name));
  const [before, after] = look.ledgers;
  const known = dropsOf(after, group) - dropsOf(before, group);
  const judged = unobservable.length === 0 ? outputs : [];
  const { times, rule } = group;
  const verdict = judge(judged.length === 0 ? [] : inputs, judged, times, known, rule);
  const { engine, inputs: names } = group;
  return { engine, inputs: names, outputs: group.outputs, unobservable, ...verdict };
}

const shapeOf = ({ engines }: Status): string =>
  JSON.stringify(
    engines.map(({ name, inputs, bricks }) => [
      name,
      inputs.map((input) => input.name),
      bricks.map(({ id, kind, ways }) => [id, kind, ways]),
    ]),
  );

function reportOf(look: Look, sample: number): Report {
  const running = look.before.engines.filter(({ state }) => state === 'running');
  const groups = running.flatMap((engine) =>
    groupsOf(engine).map((group) => judgeGroup(group, look)),
  );
  const packets = running
    .flatMap(({ name, inputs }) => inputs.map((input) => look.inputs.get(keyOf(name, input.name))))
    .reduce((sum, sightings) => sum + (sightings?.seen.length ?? 0), 0);
  const missed = [...look.outputs.values()].reduce((sum, one) => sum + one.missed, 0);
  const faults = groups.reduce((sum, { counts }) => sum + sumOf(counts), 0);
  const matched = groups.reduce((sum, group) => sum + group.matched, 0);
  const reason =
    running.length === 0
      ? 'no engine is running'
      : shapeOf(look.before) !== shapeOf(look.after)
        ? 'the graph was changed meanwhile; run it again'
        : look.tapsLost > 0
          ? 'more packets came than this witness can follow'
          : matched === 0
            ? 'nothing was seen to come out: no traffic, or no output that can be observed'
            : undefined;
  const ok = faults === 0 && reason === undefined;
  const { seconds } = look;
  const [before, after] = look.ledgers;
  const received = after.received - before.received;
  const why = reason !== undefined && { reason };
  return { ok, ...why, seconds, sample, packets, received, groups, missed };
}

function shareInWords({ sample, packets, received }: Report): string {
  const percent = ((packets * 100) / Math.max(packets, received)).toPrecision(2);
  return `, one address pair in ${sample}: ${percent} % of what came in`;
}

function printReport(report: Report): string {
  const table = formatTable(
    [
      'ENGINE',
      'OUTPUTS',
      'MATCHED',
      'FLOWS',
      'SPLIT',
      'LOST',
      'TWICE',
      'ORDER',
      'BYTES',
      'FOREIGN',
      'DROPPED',
      'UNSEEN',
    ],
    report.groups.map(({ engine, outputs, unobservable, matched, flows, counts, ...row }) => [
      engine,
      unobservable.length === 0 ? outputs.join(' ') : `${outputs.join(' ')} (not observable)`,
      matched,
      flows,
      counts.split,
      counts.lost,
      counts.twice,
      counts.reordered,
      counts.changed,
      counts.foreign,
      row.dropped,
      row.unseen,
    ]),
  );
  const faults = report.groups
    .flatMap((group) => group.faults)
    .map(
      ({ kind, flow, outputs, time }) =>
        `${kind}: ${flow ?? 'no flow'} at ${outputs.join(', ')}, packet of ${time}\n`,
    );
  const looked =
    `looked at ${report.packets} packets for ${report.seconds.toFixed(1)} s` +
    (report.sample > 1 ? shareInWords(report) : '') +
    (report.missed > 0 ? `; came too late for ${report.missed} slots` : '');
  const verdict = report.ok
    ? 'VERIFIED: no flow split, none lost, none twice, order kept, bytes intact'
    : `NOT VERIFIED${report.reason === undefined ? '' : `: ${report.reason}`}`;
  return `${table}${faults.join('')}${looked}\n${verdict}\n`;
}

/** So that it can keep up: from the rate at the busiest input. */
async function firstSample(socket: string): Promise<number> {
  const client = await DaemonClient.connect({ path: socket });
  const before = (await client.report('ledger')) as Ledger;
  await sleep(rateMs);
  const after = (await client.report('ledger')) as Ledger;
  await client.close();
  const rates = after.inputs.map(({ received }, index) => {
    return ((received - (before.inputs[index]?.received ?? 0)) * 1000) / rateMs;
  });
  return Math.min(sampleMax, Math.max(1, Math.ceil(Math.max(0, ...rates) / packetsPerSecond)));
}

async function run(args: Arguments): Promise<number> {
  const text = args.text('for') ?? '5';
  const seconds = Number(text);
  if (!(/^[0-9.]+$/.test(text) && seconds >= 0.5 && seconds <= 3600)) {
    throw new BricksError('usage', `--for takes seconds from 0.5 to 3,600, not '${text}'`);
  }
  const runDir = locateRunDir(args.text('run-dir'));
  let isOver = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      isOver = true;
    });
  }
  let sample = await firstSample(runDir.controlSocket);
  let report: Report | undefined;
  for (let turn = 0; turn < looksMax && !isOver; turn++) {
    const look = await lookAt(runDir.controlSocket, runDir.path, sample, seconds, () => isOver);
    report = reportOf(look, sample);
    if (look.tapsLost === 0) break;
    sample = Math.min(sampleMax, sample * 8);
  }
  if (report === undefined) return exitCodes.interrupted;
  process.stdout.write(args.flag('json') ? `${JSON.stringify(report)}\n` : printReport(report));
  return report.ok ? exitCodes.ok : exitCodes.checkFailed;
}

export const verifyCommand: Command = {
  name: 'verify',
  usage: '[--for S] [--json] [--run-dir DIR]',
  summary: 'an independent witness: what consumers get, held against what came in',
  details:
    'Looks at the inputs (taps) and into the memory of the pipes (without being a consumer),\n' +
    'and finds flows with code of its own. At high rates: at a sample of the address pairs.\n' +
    "A flow may go on at another output once, where its balancer's applications name that one\n" +
    'for what the flow has just been seen to speak.\n' +
    'Exit code 8: a flow was split, a packet lost, there twice, out of order or changed; or\n' +
    'too little was seen to say that none was. Run it as root or the user of the daemon.',
  options: {
    for: { type: 'string', value: 'S', summary: 'how long to look; default 5 seconds' },
    ...jsonOption,
    ...runDirOption,
    ...helpOption,
  },
  words: [0, 0],
  run,
};
