// From what the processes of a run saw to its outcome: executions, concurrency, errors, and how
// late the machine was.
'use strict';
const { count, iteration, legend, relative } = require('./words.cjs');

const ERRORS = ['startup', 'workerError', 'queueError', 'goError', 'uncaught', 'unhandled', 'closeError'];

const lifeName = ({ c, life }) => c + (life ? '#' + life : '');

function scheduleName(id, texts) {
  const found = iteration(id);
  if (!found) return null;
  return texts[found.key] ? `legacy ${texts[found.key]}` : `scheduler ${found.key}`;
}

function executions(scenario, starts, base) {
  const texts = legend(scenario);
  const found = {
    total: starts.length, distinctJobs: new Set(starts.map(start => start.id)).size,
    byName: {}, bySource: {}, byContainer: {}, byVariantOfData: {}, byJobId: {}, perSchedule: {}, perWindow: {},
  };
  for (const { t, c, id, name, src, v } of starts) {
    count(found.byName, name);
    count(found.bySource, src ?? '(none)');
    count(found.byContainer, c);
    count(found.byVariantOfData, `${name}/${v ?? '(none)'}`);
    count(found.byJobId, relative(id, base));
    const schedule = scheduleName(id, texts);
    if (schedule) {
      const of = (found.perSchedule[schedule] ??= { executions: 0, byInstant: {} });
      of.executions += 1;
      count(of.byInstant, '+' + (iteration(id).at - base));
    }
    const window = scenario.windowMs;
    if (window) count((found.perWindow['+' + Math.floor((t - base) / window) * window] ??= {}), name);
  }
  return found;
}

// Each start with its end: its own, or the death of its process, or none.
function spans(events, starts, exits) {
  const ends = events.filter(event => event.ev === 'end');
  const used = new Set();
  return starts.map(start => {
    const same = other => other.c === start.c && other.life === start.life;
    const end = ends.find(end => !used.has(end) && same(end) && end.id === start.id && end.t >= start.t);
    if (end) {
      used.add(end);
      return { start, end: end.t, result: end.result };
    }
    const death = events.find(event => event.ev === 'selfkill' && same(event)) || exits.find(same);
    return death ? { start, end: death.t, result: 'killed' } : { start, end: Infinity, result: 'running' };
  });
}

function concurrency(spans) {
  const points = [];
  for (const { start, end } of spans) points.push([start.t, 1, start], [end, -1, start]);
  points.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const now = {};
  const most = {};
  for (const [, step, { name, id }] of points) {
    for (const key of ['all', 'name ' + name, 'job ' + id]) {
      count(now, key, step);
      most[key] = Math.max(most[key] || 0, now[key]);
    }
  }
  const those = kind => Object.entries(most).filter(([key]) => key.startsWith(kind));
  return {
    maxConcurrent: most.all || 0,
    maxConcurrentByName: Object.fromEntries(those('name ').map(([key, n]) => [key.slice(5), n])),
    maxConcurrentSameJob: Math.max(0, ...those('job ').map(([, n]) => n)),
  };
}

function told(events) {
  const errors = {};
  const trips = {};
  const returns = {};
  for (const event of events) {
    if (ERRORS.includes(event.ev) && event.error) {
      const text = event.error.replace(/\d{13}/g, '<ms>').slice(0, 300);
      count(errors, `${event.ev}${event.do ? ' ' + event.do : ''}: ${text}`);
    }
    if (event.ev === 'roundtrip') (trips[event.c] ??= []).push(`${event.action}/${event.name}`);
    if (event.ev === 'startup' && event.ret !== undefined) (returns[event.c] ??= []).push(`${event.do}=${event.ret}`);
  }
  const some = map => (Object.keys(map).length > 0 ? map : undefined);
  return { errors, roundTrips: some(trips), startupReturns: some(returns) };
}

// Cases with a victim and a healer: executions before the first boots, before the second, after.
function verdict(scenario, starts, t0) {
  const boot = id => scenario.containers.find(container => container.id === id)?.at;
  const [victim, healer] = [boot('victim'), boot('healer')];
  if (victim === undefined || healer === undefined) return undefined;
  const texts = legend(scenario);
  const perSchedule = {};
  for (const { id, name, t } of starts) {
    const of = (perSchedule[scheduleName(id, texts) || name] ??= { beforeVictim: 0, afterDeath: 0, afterNextBoot: 0 });
    of[t - t0 < victim ? 'beforeVictim' : t - t0 < healer ? 'afterDeath' : 'afterNextBoot'] += 1;
  }
  const sum = key => Object.values(perSchedule).reduce((all, of) => all + of[key], 0);
  const [died, healed] = [sum('afterDeath'), sum('afterNextBoot')];
  if (died > 0) return { perSchedule, result: healed > 0 ? 'alive' : 'stopped' };
  return { perSchedule, result: healed > 0 ? 'lost-then-healed-by-next-boot' : 'lost' };
}

function outcome(scenario, { events, exits, left, t0, base }) {
  const starts = events.filter(event => event.ev === 'start');
  const spanned = spans(events, starts, exits);
  const results = {};
  for (const { result } of spanned) count(results, result);
  const stalled = events.filter(event => event.ev === 'stalledEvent').map(event => event.id + event.t);
  const deaths = events.filter(event => event.ev === 'selfkill').map(event => `${event.c}: ${event.why}`);
  return {
    executions: executions(scenario, starts, base), results, ...concurrency(spanned),
    stalledEvents: new Set(stalled).size, ...left, ...told(events),
    verdict: verdict(scenario, starts, t0), selfKills: deaths,
  };
}

function timeline(events, exits, base) {
  const starts = events.filter(event => event.ev === 'start');
  const rows = spans(events, starts, exits).map(({ start, end, result }) => [
    start.t - base, end === Infinity ? null : end - base, start.name, relative(start.id, base),
    lifeName(start), start.attemptsMade, start.attemptsStarted ?? null, start.stalledCounter ?? null, result,
  ]);
  const columns = ['startMs', 'endMs', 'name', 'jobId', 'container#life', 'attemptsMade', 'attemptsStarted', 'stalledCounter', 'result'];
  return { columns, rows: rows.sort((a, b) => a[0] - b[0]) };
}

// How late the machine was: a process after its planned start, its connection, its start-up code,
// a step of it, its worker, a processor's end, a process's timer, a signal, the recorder's own timer.
// All in milliseconds.
function quality(lives, events, { t0, stopLagMs, stallMs }) {
  const by = (ev, life) => events.find(event => event.ev === ev && event.c === life.id && event.life === life.life)?.t;
  const [gone, ready, booted, works] = [[], [], [], []];
  for (const life of lives) {
    const [go, connected] = [by('go', life), by('queueReady', life)];
    // A processor that blocks keeps a worker from saying that it is ready.
    const [done, told, started] = ['startupDone', 'workerReady', 'start'].map(ev => by(ev, life));
    const working = told && Math.min(told, started ?? told);
    if (go) gone.push(go - t0 - life.at);
    if (connected) ready.push(connected - t0 - life.at);
    if (go && done) booted.push(done - go);
    if (working && life.order !== 'worker-first' && done) works.push(working - done);
    if (working && life.order === 'worker-first') works.push(working - connected);
  }
  const late = [];
  for (const { start, end, result } of spans(events, events.filter(event => event.ev === 'start'), [])) {
    if (result !== 'killed' && end !== Infinity) late.push(end - start.t - (start.ms || 0));
  }
  const steps = events.filter(event => event.ev === 'startup' && event.ms !== undefined);
  const stalls = events.filter(event => event.ev === 'late');
  const range = list => (list.length > 0 ? [Math.min(...list), Math.max(...list)] : undefined);
  return {
    stepMs: range(steps.map(event => Math.ceil(event.ms))), processLagMs: Math.max(0, ...stalls.map(event => event.ms)),
    goLagMs: Math.max(0, ...gone), bootMs: Math.max(0, ...booted), readyMs: range(ready), workerMs: range(works),
    handlerLagMs: Math.max(0, ...late), stopLagMs, stallMs,
  };
}

function timing(lives, run) {
  const { events, exits, t0, base } = run;
  const of = ev => events.filter(event => event.ev === ev);
  return {
    quality: quality(lives, events, run), t0EpochMs: t0, baseEpochMs: base,
    closeMs: of('closed').map(event => [event.c, event.ms]),
    exits: exits.map(({ c, life, t, code, signal }) => [c, life, t - base, code, signal]),
    stalledAtMs: of('stalledEvent').map(event => [event.c, event.t - base, relative(event.id, base)]),
  };
}

module.exports = { outcome, timeline, timing };
