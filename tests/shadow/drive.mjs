// Uses a bullmq package as its users do, and calls every script that the package ships.
//
//   node drive.mjs <folder with node_modules/bullmq> <port> <seed>
//
// What a queue holds and when things happen differs by the seed. An error of BullMQ (a lock that is
// gone, a job that is not in the state asked for) is an answer like any other here: whether it is
// the right one is for the one who compares. Prints `script NAME SHA` for each script of the
// package, then what was done.

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { sections } from './sections.mjs';

const [folder, port, seed] = process.argv.slice(2);
const load = createRequire(join(folder, 'node_modules', 'bullmq', 'package.json'));
const bullmq = load('bullmq');
const { Redis } = load('ioredis');

/** Numbers that follow from the seed (mulberry32). */
function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null };
const client = new Redis(connection);
const scripts = load('bullmq/dist/cjs/scripts');
for (const { name, keys, content } of Object.values(scripts)) {
  client.defineCommand(name, { numberOfKeys: keys, lua: content });
}
const refused = new Map();
const open = [];

/** What a section works with: its own random numbers, its own queues. */
class Bench {
  constructor(name, random) {
    Object.assign(this, { name, random, bullmq, client, connection, version: load('./package.json').version });
  }

  below(bound) {
    return Math.floor(this.random() * bound);
  }

  pick(...choices) {
    return choices[this.below(choices.length)];
  }

  /** Data of a job: of all sizes, letters and depths. */
  data() {
    return this.pick(
      {}, null, 0, '', [], 'plain', { n: this.below(1e9) }, { float: this.random() * 1e6 },
      { text: 'é漢😀\u0000\r\n"\\' }, { deep: [[{ a: [1, [2, { b: null }]] }], true, false] },
      { long: 'x'.repeat(this.below(300)) }, { list: Array.from({ length: this.below(40) }, (_, n) => n / 7) },
    );
  }

  queue(suffix = '', options = {}) {
    return this.#opened(new bullmq.Queue(`${this.name}${suffix}`, { connection, ...options }));
  }

  worker(queue, processor, options = {}) {
    const worker = new bullmq.Worker(queue.name, processor, { connection, drainDelay: 1, ...options });
    worker.on('error', () => {});
    worker.on('failed', () => {});
    return this.#opened(worker);
  }

  flows() {
    return this.#opened(new bullmq.FlowProducer({ connection }));
  }

  events(queue) {
    return this.#opened(new bullmq.QueueEvents(queue.name, { connection }));
  }

  #opened(thing) {
    thing.on('error', () => {});
    open.push(thing);
    return thing;
  }

  /** The answer; of an error nothing, and it is counted. Not all versions can do everything. */
  async try(act) {
    try {
      return await act();
    } catch (error) {
      const said = `${this.name}: ${error.message}`.replace(/[0-9a-f-]{36}|\d+/g, '#');
      refused.set(said, (refused.get(said) ?? 0) + 1);
      return undefined;
    }
  }

  /** Calls a script of the package by its name, if this version has it. */
  async call(name, keys, args) {
    if (!client[name]) return undefined;
    return this.try(() => client[name](...keys, ...args));
  }

  key(queue, ...names) {
    return names.map((name) => `bull:${queue.name}:${name}`);
  }

  sleep(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Waits until something holds, two seconds at most. */
  async until(holds) {
    for (let turn = 0; turn < 40 && !(await this.try(holds)); turn++) await this.sleep(50);
  }
}

process.on('unhandledRejection', (error) => {
  const said = `unhandled: ${error?.message}`;
  refused.set(said, (refused.get(said) ?? 0) + 1);
});

for (const script of Object.values(scripts)) {
  console.log(`script ${script.name} ${createHash('sha1').update(script.content).digest('hex')}`);
}
const only = process.env.ONLY?.split(',');
await Promise.all(
  Object.entries(sections).map(async ([name, section], at) => {
    if (only && !only.includes(name)) return;
    const bench = new Bench(name, generator(Number(seed) * 1000 + at));
    const started = Date.now();
    try {
      await section(bench);
    } catch (error) {
      console.error(`section ${name}:`, error);
      process.exitCode = 1;
    }
    if (process.env.VERBOSE) console.error(`${name} took ${Date.now() - started} ms`);
  }),
);
const workers = open.filter((thing) => thing instanceof bullmq.Worker);
// Not by force: a worker that is closed under a job tries for ever to finish it.
await Promise.all(workers.map((worker) => worker.close().catch(() => {})));
await Promise.all(open.map((thing) => thing.close().catch(() => {})));
await client.quit();
const total = [...refused.values()].reduce((sum, count) => sum + count, 0);
console.log(`refused ${total}`);
if (process.env.VERBOSE) for (const [said, count] of refused) console.error(`${count} x ${said}`);
process.exit();
