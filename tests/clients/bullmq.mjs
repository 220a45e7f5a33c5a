// What BullMQ does with a server, with what comes of it.
//
//   node bullmq.mjs <folder with node_modules/bullmq> <port>

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder, port] = process.argv.slice(2);
const load = createRequire(join(folder, 'node_modules', 'bullmq', 'package.json'));
const { FlowProducer, Queue, QueueEvents, Worker } = load('bullmq');
const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null };
const open = [];
const opened = (thing) => (open.push(thing), thing);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const queue = (name) => opened(new Queue(name, { connection }));
const worker = (name, processor, options = {}) => opened(new Worker(name, processor, { connection, ...options }));

async function until(what, holds) {
  for (let turn = 0; turn < 200; turn++) {
    if (await holds()) return;
    await sleep(50);
  }
  assert.fail(`never: ${what}`);
}

async function jobs() {
  const mails = queue('mails');
  const events = opened(new QueueEvents('mails', { connection }));
  await events.waitUntilReady();
  const tried = new Map();
  worker('mails', async (job) => {
    tried.set(job.id, (tried.get(job.id) ?? 0) + 1);
    await job.updateProgress(50);
    if (job.data.fails >= tried.get(job.id)) throw new Error('not yet');
    return { sum: job.data.a + 1 };
  }, { concurrency: 2 });
  const plain = await mails.add('plain', { a: 1 });
  const again = await mails.add('again', { a: 2, fails: 2 }, { attempts: 3, backoff: { type: 'exponential', delay: 20 } });
  const never = await mails.add('never', { a: 3, fails: 9 }, { attempts: 2 });
  assert.deepEqual(await plain.waitUntilFinished(events, 10_000), { sum: 2 });
  assert.deepEqual(await again.waitUntilFinished(events, 10_000), { sum: 3 });
  await assert.rejects(never.waitUntilFinished(events, 10_000), /not yet/);
  assert.equal(tried.get(again.id), 3);
  assert.deepEqual(await mails.getJobCounts('wait', 'active', 'completed', 'failed'), { wait: 0, active: 0, completed: 2, failed: 1 });
  assert.equal(await mails.getWorkersCount(), 1);
  assert.equal((await mails.getJob(plain.id)).progress, 50);
}

async function delays() {
  const later = queue('later');
  const started = new Map();
  const before = Date.now();
  await later.add('delayed', {}, { delay: 300 });
  await later.add('soon', {});
  assert.equal(await later.getDelayedCount(), 1);
  worker('later', async (job) => void started.set(job.name, Date.now() - before));
  await until('the delayed job runs', () => started.size === 2);
  assert.ok(started.get('delayed') >= 295, `${started.get('delayed')} ms`);
  assert.ok(started.get('delayed') < 5000, `${started.get('delayed')} ms`);
}

async function repeats() {
  const ticks = queue('ticks');
  const times = [];
  await ticks.add('tick', {}, { repeat: { every: 200 } });
  await ticks.add('tick', {}, { repeat: { every: 200 } });
  assert.equal((await ticks.getRepeatableJobs()).length, 1);
  worker('ticks', async () => void times.push(Date.now()));
  await until('three ticks', () => times.length >= 3);
  const [{ key }] = await ticks.getRepeatableJobs();
  assert.equal(await ticks.removeRepeatableByKey(key), true);
  await sleep(250);
  const count = times.length;
  await sleep(450);
  assert.equal(times.length, count, 'it repeats no more');
}

async function schedulers() {
  const plan = queue('plan');
  const seen = [];
  await plan.upsertJobScheduler('every', { every: 150 }, { name: 'e', data: { old: true } });
  await plan.upsertJobScheduler('every', { every: 150 }, { name: 'e', data: { old: false } });
  await plan.upsertJobScheduler('cron', { pattern: '* * * * * *' }, { name: 'c' });
  assert.equal(await plan.getJobSchedulersCount(), 2);
  worker('plan', async (job) => void seen.push(job.name));
  await until('each twice', () => ['e', 'c'].every((name) => seen.filter((one) => one === name).length >= 2));
  assert.equal(await plan.removeJobScheduler('every'), true);
  assert.equal((await plan.getJobScheduler('cron')).pattern, '* * * * * *');
}

/** A worker that takes a job and is never heard of again. */
async function stalls() {
  const held = queue('held');
  const dead = worker('held', null, { lockDuration: 300, skipLockRenewal: true });
  const added = await held.add('held', {});
  const taken = await dead.getNextJob('token', { block: false });
  assert.equal(taken.id, added.id);
  const runs = [];
  const living = worker('held', async (job) => void runs.push(job.id), { lockDuration: 300, stalledInterval: 200 });
  const stalled = [];
  living.on('stalled', (id) => stalled.push(id));
  await until('another worker has done it', async () => (await added.getState()) === 'completed');
  assert.deepEqual([runs, stalled], [[added.id], [added.id]]);
  await assert.rejects(taken.moveToCompleted('late', 'token', false), /Missing (lock|key)|not in the active state/);
}

async function flows() {
  const flow = opened(new FlowProducer({ connection }));
  const sums = [];
  worker('parts', async (job) => job.data);
  worker('whole', async (job) => void sums.push(Object.values(await job.getChildrenValues()).reduce((a, b) => a + b)));
  await flow.add({ name: 'w', queueName: 'whole', children: [1, 2, 3].map((data) => ({ name: 'p', queueName: 'parts', data })) });
  await until('the parent runs', () => sums.length === 1);
  assert.deepEqual(sums, [6]);
}

await Promise.all([jobs, delays, repeats, schedulers, stalls, flows].map((part) => part()));
await Promise.all(open.filter((thing) => thing instanceof Worker).map((one) => one.close()));
await Promise.all(open.map((thing) => thing.close()));
console.log('all as it should be');
process.exit();
