// One container: a process that loads a version of bullmq, waits for `go`, then does what its
// variant's start-up code does and starts a worker.
//
// What it sees it appends to a file of JSON lines at once, so that SIGKILL takes nothing back.
// It is told {type: 'load', life} and {type: 'go'}, and says {type: 'loaded'}.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

// Commands of a connection itself: no round trips of what the start-up code does.
const CHATTER = ['info', 'client', 'hello', 'select', 'ping'];
// What a process that counts waits first, so that the Queue's own write is over.
const COUNTED_WAIT_MS = 150;
// How often a process looks how late it is.
const TICK_MS = 20;

let life;
let bullmq;
let queue;
let worker;
let closing = false;
// A processor has blocked the process since the last look at how late it is.
let blocked = false;
// How long processors have blocked it, in all.
let blockedMs = 0;
// The start-up code whose round trips are counted, while it runs.
let counted = null;
let killRules = [];
const scripts = {};

// Redis keeps a key through the last millisecond of its time, and a timer of Node may end in it: a
// stalled check finds its own mutex then, and the next check is another worker's. Measured with a
// real server: one check in ten on a quiet machine. Recordings stay away from this edge.
const EDGE_MS = 2;
const LONG_MS = 100;
const { setTimeout: timer } = globalThis;
globalThis.setTimeout = Object.assign(
  (call, ms, ...rest) => timer(call, ms >= LONG_MS ? ms + EDGE_MS : ms, ...rest), timer);

const sleep = ms => new Promise(wake => setTimeout(wake, ms));
const sha1 = text => crypto.createHash('sha1').update(text).digest('hex');

function log(ev, more = {}) {
  const line = { t: Date.now(), c: life.id, life: life.life, ev, ...more };
  fs.appendFileSync(life.log, JSON.stringify(line) + '\n');
}

function die(why) {
  log('selfkill', { why });
  process.kill(process.pid, 'SIGKILL');
}

// The name of a command; of a script, the one that it was defined under.
function named(command) {
  if (command.name !== 'evalsha' && command.name !== 'eval') return command.name;
  const first = String(command.args[0]);
  const sha = command.name === 'evalsha' ? first : sha1(first);
  return (scripts[sha] || sha).replace(/:.*/, '');
}

function dieBeforeSend(name, counts) {
  if (counted && counts && counted.dieAfter === 0) die('before command 1: ' + name);
  for (const rule of killRules) {
    if (rule.script !== name || rule.when !== 'send') continue;
    rule.n += 1;
    if (rule.n === (rule.nth || 1)) die(`before send of ${name} #${rule.n}`);
  }
}

function dieAfterReply(name, reply, by) {
  if (by) {
    by.trace.push(name);
    log('roundtrip', { k: by.trace.length, name, action: by.action });
    if (by.trace.length === by.dieAfter) die(`after round trip ${by.dieAfter}: ${name}`);
  }
  for (const rule of killRules) {
    if (rule.script !== name || rule.when !== 'reply') continue;
    if (rule.gotJob && !(Array.isArray(reply) && reply[0])) continue;
    rule.n += 1;
    if (rule.n === (rule.nth || 1)) die(`after reply of ${name} #${rule.n}`);
  }
}

// Puts itself around ioredis, so that the process can die at a chosen round trip.
function watch(Redis) {
  const { defineCommand, sendCommand } = Redis.prototype;
  Redis.prototype.defineCommand = function (name, definition) {
    scripts[sha1(definition.lua)] = name;
    return defineCommand.call(this, name, definition);
  };
  Redis.prototype.sendCommand = function (command, ...rest) {
    if (!command || !command.name) return sendCommand.call(this, command, ...rest);
    const name = named(command);
    const counts = !CHATTER.includes(name);
    dieBeforeSend(name, counts);
    const by = counts ? counted : null;
    const sent = sendCommand.call(this, command, ...rest);
    command.promise.then(reply => dieAfterReply(name, reply, by), () => {});
    return sent;
  };
}

function data(step, more = {}) {
  return { src: step.src || step.name, from: life.id, v: life.variantName, ...more };
}

const STEPS = {
  add: step => queue.add(step.name, data(step, step.data), step.opts),
  addMany: async step => {
    for (let i = 0; i < step.count; i++) await queue.add(step.name, data(step, { i }), step.opts);
  },
  upsertJobScheduler: step => {
    const template = { name: step.name, data: data(step, step.data), opts: step.opts };
    const none = step.template === null;
    return queue.upsertJobScheduler(step.id, step.repeat, none ? undefined : template);
  },
  removeRepeatable: step => queue.removeRepeatable(step.name, step.repeat, step.jobId),
  removeRepeatableByKey: step => queue.removeRepeatableByKey(step.key),
  removeAllRepeatables: async () => {
    for (const job of await queue.getRepeatableJobs()) await queue.removeRepeatableByKey(job.key);
  },
  removeJobScheduler: step => queue.removeJobScheduler(step.id),
  drain: step => queue.drain(step.delayed),
  obliterate: () => queue.obliterate({ force: true }),
  pause: () => queue.pause(),
  resume: () => queue.resume(),
  sleep: step => sleep(step.ms),
};

async function startUp() {
  const { startup = [], onStartupError } = life.variant;
  if (startup.length > 0 && counts()) counted = { trace: [], dieAfter: life.dieAfter };
  for (const [i, step] of startup.entries()) {
    const [from, others] = [Date.now(), blockedMs];
    if (counted) counted.action = step.do;
    try {
      const got = await STEPS[step.do](step);
      const plain = typeof got === 'boolean' || typeof got === 'number';
      const own = Date.now() - from - (step.ms || 0) - (blockedMs - others);
      const ms = Math.max(0, own) / (step.count || 1);
      log('startup', { i, do: step.do, ok: true, ret: plain ? got : undefined, ms });
    } catch (error) {
      log('startup', { i, do: step.do, ok: false, error: error.message });
      if (onStartupError === 'crash') process.exit(1);
    }
  }
  counted = null;
  log('startupDone');
}

const counts = () => life.traceCommands || life.dieAfter !== undefined;

// Tells how late the process was, where that was more than a little and no processor blocked it.
function watchLateness() {
  let due = Date.now() + TICK_MS;
  setInterval(() => {
    const late = Date.now() - due;
    if (late > TICK_MS && !blocked) log('late', { ms: late });
    blocked = false;
    due = Date.now() + TICK_MS;
  }, TICK_MS).unref();
}

async function work(job) {
  const handlers = life.variant.handlers || {};
  const handler = handlers[job.name] || handlers['*'] || { ms: 100 };
  const { src, v, from } = job.data || {};
  const { attemptsMade, attemptsStarted, stalledCounter } = job;
  const id = String(job.id);
  log('start', { id, name: job.name, src, v, from, attemptsMade, attemptsStarted, stalledCounter, ms: handler.ms });
  const outcomes = handler.outcomes || ['ok'];
  const outcome = outcomes[Math.min(attemptsMade, outcomes.length - 1)];
  if (handler.block) {
    blocked = true;
    blockedMs += handler.ms;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, handler.ms);
  } else {
    await sleep(handler.ms);
  }
  log('end', { id, name: job.name, result: outcome === 'exit' ? 'process-exit' : outcome });
  if (outcome === 'exit') process.exit(1);
  if (outcome === 'fail') throw new Error('planned failure');
  return 'done';
}

function startWorker() {
  if (life.variant.worker === null) return;
  const { connection, prefix } = life;
  worker = new bullmq.Worker(life.queueName, work, { connection, prefix, ...life.variant.worker });
  worker.on('error', error => log('workerError', { error: error.message }));
  worker.on('stalled', id => log('stalledEvent', { id: String(id) }));
  worker.on('ready', () => log('workerReady'));
}

async function go() {
  log('go');
  const { connection, prefix, defaultJobOptions } = life;
  queue = new bullmq.Queue(life.queueName, { connection, prefix, defaultJobOptions });
  queue.on('error', error => log('queueError', { error: error.message }));
  await queue.waitUntilReady();
  log('queueReady');
  watchLateness();
  if (counts()) await sleep(COUNTED_WAIT_MS);
  killRules = (life.killOn || []).map(rule => ({ when: 'reply', ...rule, n: 0 }));
  if (life.variant.order !== 'worker-first') {
    await startUp();
    startWorker();
    return;
  }
  startWorker();
  if (worker) await worker.waitUntilReady();
  if (life.variant.gapMs) await sleep(life.variant.gapMs);
  await startUp();
}

async function close() {
  if (closing) return;
  closing = true;
  const from = Date.now();
  log('sigterm');
  try {
    if (worker) await worker.close();
    if (queue) await queue.close();
  } catch (error) {
    log('closeError', { error: error.message });
  }
  log('closed', { ms: Date.now() - from });
  process.exit(0);
}

process.on('message', message => {
  if (message.type === 'load') {
    life = message.life;
    watch(require(path.join(life.library, 'node_modules/ioredis')));
    bullmq = require(path.join(life.library, 'node_modules/bullmq'));
    process.send({ type: 'loaded' });
  } else if (message.type === 'go') {
    go().catch(error => log('goError', { error: error.message }));
  }
});
process.on('SIGTERM', close);
process.on('uncaughtException', error => {
  log('uncaught', { error: error.message });
  process.exit(1);
});
process.on('unhandledRejection', error => log('unhandled', { error: error && error.message }));
// Without the recorder nobody would end it.
process.on('disconnect', () => process.exit(0));
