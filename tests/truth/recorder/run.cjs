// One run of a case: a process for each life of a container, started and ended on time; what is left
// in Redis at the end.
'use strict';
const { fork } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { keysOf, snapshot } = require('./snapshot.cjs');
const { outcome, timeline, timing } = require('./outcome.cjs');
const { md5, snapped } = require('./words.cjs');

// Processes are made this long before they start, so that loading the library costs no time then.
const LEAD_MS = 7000;
// How often the recorder looks whether it is late itself.
const TICK_MS = 20;

const sleep = ms => new Promise(wake => setTimeout(wake, ms));

// All processes of a scenario: an entry for each life of a container.
function livesOf(scenario) {
  return scenario.containers.flatMap(container => {
    const { at = 0, loop, lives } = container;
    const order = life => ({ ...life, order: scenario.variants[life.variant].order });
    if (lives) return lives.map((own, life) => order({ ...container, ...own, life }));
    if (!loop) return [order({ ...container, at, life: 0 })];
    return Array.from({ length: loop.n }, (_, life) => {
      const from = at + life * loop.period;
      const stays = loop.keepLast && life === loop.n - 1;
      const stop = stays ? undefined : { at: from + loop.up, how: loop.how || 'SIGKILL' };
      return order({ ...container, life, at: from, stop });
    });
  });
}

// The state of one run.
class Run {
  constructor(settings, kase, number) {
    Object.assign(this, { settings, kase, scenario: kase.scenario });
    this.tag = `truth${md5(kase.name).slice(0, 8)}r${number}`;
    this.queueName = this.scenario.queue?.name || 'q';
    this.log = path.join(os.tmpdir(), `bootrace-${process.pid}-${this.tag}.jsonl`);
    this.lives = livesOf(this.scenario);
    this.ready = new Map();
    this.processes = new Set();
    this.exits = [];
    this.timers = [];
    this.over = false;
    this.stopLagMs = 0;
    this.stallMs = 0;
    fs.writeFileSync(this.log, '');
  }

  // A process that has loaded its library and waits.
  process(life) {
    const variant = this.scenario.variants[life.variant];
    const version = life.version || variant.version || this.kase.version;
    const child = fork(path.join(__dirname, 'container.cjs'), [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.processes.add(child);
    child.on('error', () => {});
    child.on('exit', (code, signal) => {
      this.processes.delete(child);
      this.exits.push({ c: life.id, life: life.life, t: Date.now(), code, signal });
      if (child.onGone) child.onGone();
    });
    const { dieAfter, killOn, traceCommands, id } = life;
    const connection = { host: '127.0.0.1', port: this.settings.port, maxRetriesPerRequest: null };
    const told = {
      id, life: life.life, log: this.log, library: path.join(this.settings.packages, version),
      prefix: this.tag, queueName: this.queueName, connection, variant, variantName: life.variant,
      defaultJobOptions: this.scenario.queue?.defaultJobOptions, dieAfter, killOn, traceCommands,
    };
    child.send({ type: 'load', life: told });
    return new Promise(loaded => child.on('message', () => loaded(child)));
  }

  // Does something at an instant of the scenario.
  at(ms, what) {
    this.timers.push(setTimeout(what, Math.max(0, this.t0 + ms - Date.now())));
  }

  // Starts a life, and with a restart policy the next one when it has ended.
  start(life, child) {
    child.send({ type: 'go' });
    const { restart } = life;
    if (!restart || (restart.max ?? Infinity) < 1) return;
    const left = { ...restart, max: (restart.max ?? Infinity) - 1 };
    const next = { ...life, life: life.life + 1, restart: left, killOn: restart.keepKill ? life.killOn : undefined };
    const spare = this.process(next);
    child.onGone = async () => {
      await sleep(restart.delay);
      const child = await spare;
      if (!this.over) this.start(next, child);
    };
  }

  plan() {
    for (const life of this.lives) {
      if (!this.ready.has(life)) this.at(life.at - LEAD_MS, () => this.ready.set(life, this.process(life)));
      this.at(life.at, async () => {
        const child = await this.ready.get(life);
        if (child.connected && !this.over) this.start(life, child);
      });
      for (const stop of [].concat(life.stop || [])) {
        this.at(stop.at, async () => {
          const child = await this.ready.get(life);
          if (child.exitCode === null && child.signalCode === null) {
            this.stopLagMs = Math.max(this.stopLagMs, Date.now() - this.t0 - stop.at);
            child.kill(stop.how);
          }
        });
      }
    }
    for (const action of this.scenario.redisActions || []) {
      if (action.do === 'wipe') this.at(action.at, () => this.wipe());
    }
  }

  watch() {
    let due = Date.now() + TICK_MS;
    const tick = setInterval(() => {
      this.stallMs = Math.max(this.stallMs, Date.now() - due);
      due = Date.now() + TICK_MS;
    }, TICK_MS);
    return () => clearInterval(tick);
  }

  async wipe() {
    const keys = await keysOf(this.settings.redis, this.tag + ':*');
    if (keys.length > 0) await this.settings.redis.del(...keys);
  }

  // When it begins: an instant that fits its alignment, a moment from now.
  begin() {
    const { mod = 1000, phase = 0 } = this.scenario.align || {};
    this.t0 = Math.ceil((Date.now() + 250 - phase) / mod) * mod + phase;
    this.base = Math.floor(this.t0 / mod) * mod;
  }

  async play() {
    await this.wipe();
    // One after the other: together they would be slow for each other.
    for (const life of this.lives.filter(life => life.at < LEAD_MS)) {
      this.ready.set(life, await this.process(life));
    }
    this.begin();
    this.plan();
    const unwatch = this.watch();
    await sleep(this.t0 + this.scenario.observeMs - Date.now());
    unwatch();
    const left = await snapshot(this.settings.redis, `${this.tag}:${this.queueName}:`, this.base);
    await this.end();
    return this.tell(left);
  }

  async end() {
    this.over = true;
    this.timers.forEach(clearTimeout);
    for (const child of this.processes) {
      child.onGone = null;
      child.kill('SIGKILL');
    }
    // What they sent last may still arrive.
    await sleep(60);
    await this.wipe();
  }

  tell(left) {
    const end = this.t0 + this.scenario.observeMs;
    const lines = fs.readFileSync(this.log, 'utf8').split('\n').filter(Boolean);
    fs.unlinkSync(this.log);
    const events = lines.map(line => JSON.parse(line)).filter(event => event.t < end);
    const exits = this.exits.filter(exit => exit.t < end);
    const { t0, base, stopLagMs, stallMs } = this;
    const seen = outcome(this.scenario, { events, exits, left, t0, base });
    const ms = this.scenario.snapMs;
    return {
      outcome: ms ? snapped(seen, ms) : seen,
      timing: timing(this.lives, { events, exits, t0, base, stopLagMs, stallMs }),
      timeline: timeline(events, exits, base),
    };
  }
}

module.exports = { Run, livesOf };
