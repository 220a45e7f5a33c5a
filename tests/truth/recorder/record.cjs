// The recorder: plays cases on the real library, a process for each container, against a Redis server
// that runs already, and writes what came out. See ../README.md.
//
//   node record.cjs --port PORT --out FOLDER [options] CASE...
//
// A CASE is a file with `name`, `version` and `scenario`, or a folder of such files.
'use strict';
const fs = require('fs');
const path = require('path');
const { parseArgs } = require('util');
const { headline, merge } = require('./merge.cjs');
const { Run, livesOf } = require('./run.cjs');
const { legend } = require('./words.cjs');

const OPTIONS = {
  port: { type: 'string' },
  out: { type: 'string' },
  packages: { type: 'string', default: path.join(__dirname, '../../../target/bullmq') },
  runs: { type: 'string', default: '3' },
  // How many processes of containers there are at once.
  processes: { type: 'string', default: '22' },
  // A run on a machine that was later than this is made again, so many times; the best is kept.
  tries: { type: 'string', default: '3' },
  late: { type: 'string', default: '120' },
  timelines: { type: 'boolean', default: false },
};
// Cases begin one after the other, so that they do not make each other slow.
const APART_MS = 350;
// So long a process may take from its start until its connection is ready.
const READY_MS = 200;

function read(place) {
  if (!fs.statSync(place).isDirectory()) return [JSON.parse(fs.readFileSync(place, 'utf8'))];
  const files = fs.readdirSync(place).filter(file => file.endsWith('.json')).sort();
  return files.flatMap(file => read(path.join(place, file)));
}

// Any version's client will do for the recorder's own questions.
function connect(packages, port) {
  const [version] = fs.readdirSync(packages);
  const Redis = require(path.join(packages, version, 'node_modules/ioredis'));
  return new Redis(port, '127.0.0.1');
}

// How late the machine was in a run, where it matters.
function lateness(quality) {
  const { goLagMs, readyMs, handlerLagMs, processLagMs, stopLagMs, stallMs } = quality;
  const connected = readyMs ? readyMs[1] - READY_MS : 0;
  return Math.max(goLagMs, connected, handlerLagMs, processLagMs, stopLagMs, stallMs);
}

async function measure(settings, kase, number) {
  let best = null;
  for (let tries = 1; tries <= settings.tries; tries++) {
    const run = await new Run(settings, kase, number).play();
    run.timing.quality.tries = tries;
    const late = lateness(run.timing.quality);
    if (!best || late < lateness(best.timing.quality)) best = run;
    if (late <= settings.late) break;
  }
  best.timing.quality.late = lateness(best.timing.quality);
  return best;
}

function write(settings, { name, version, notes, scenario }, runs) {
  const { merged, varying } = merge(runs.map(run => run.outcome));
  const found = {
    name, version, headline: headline(merged), notes: notes || '', scenario,
    keyLegend: legend(scenario), outcome: merged,
    stability: { runs: runs.length, fullyStable: Object.keys(varying).length === 0, varying },
    timing: runs.map(run => run.timing),
    timelines: settings.timelines ? runs.map(run => run.timeline) : undefined,
  };
  fs.writeFileSync(path.join(settings.out, name + '.json'), JSON.stringify(found, null, 1) + '\n');
  const varies = Object.keys(varying).length;
  console.log(`${name}${varies > 0 ? ` [${varies} vary]` : ''}: ${found.headline}`);
}

// How many processes a case needs at once, at most.
function weight({ scenario }) {
  const processes = livesOf(scenario).filter(life => !life.loop).length;
  const loops = scenario.containers.filter(container => container.loop || container.restart).length;
  return Math.max(1, Math.min(12, processes + 3 * loops));
}

// All runs of all cases, as many at once as there may be processes.
async function measureAll(settings, cases) {
  const waiting = Array.from({ length: settings.runs }, (_, run) => cases.map(kase => ({ kase, run }))).flat();
  const done = new Map(cases.map(kase => [kase, []]));
  const under = new Set();
  let used = 0;
  while (waiting.length > 0 || under.size > 0) {
    const fits = waiting.findIndex(({ kase }) => used === 0 || used + weight(kase) <= settings.processes);
    if (fits < 0) {
      await Promise.race(under);
      continue;
    }
    const [{ kase, run }] = waiting.splice(fits, 1);
    used += weight(kase);
    const work = measure(settings, kase, run + 1).then(measured => {
      used -= weight(kase);
      under.delete(work);
      const runs = done.get(kase);
      runs[run] = measured;
      if (Object.keys(runs).length === settings.runs) write(settings, kase, runs);
    });
    under.add(work);
    await new Promise(wake => setTimeout(wake, APART_MS));
  }
}

async function main() {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (!values.port || !values.out || positionals.length === 0) {
    console.error('node record.cjs --port PORT --out FOLDER [options] CASE...');
    process.exit(2);
  }
  const numbers = ['port', 'runs', 'processes', 'tries', 'late'].map(key => [key, Number(values[key])]);
  const packages = path.resolve(values.packages);
  const settings = { ...values, ...Object.fromEntries(numbers), packages };
  settings.redis = connect(packages, settings.port);
  fs.mkdirSync(settings.out, { recursive: true });
  await measureAll(settings, positionals.flatMap(read));
  process.exit(0);
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
