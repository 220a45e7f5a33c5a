// What is left of a queue in Redis: counts, ids, registrations and what is pending of them.
'use strict';
const { iteration, relative } = require('./words.cjs');

const LISTS = ['wait', 'active', 'paused'];
const SETS = ['delayed', 'prioritized', 'completed', 'failed'];
// The order in which a job is looked for.
const PLACES = [...LISTS, ...SETS];
const PENDING = ['wait', 'active', 'paused', 'delayed', 'prioritized'];

async function keysOf(redis, pattern) {
  const keys = [];
  let cursor = '0';
  do {
    const [next, some] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 1000);
    cursor = next;
    keys.push(...some);
  } while (cursor !== '0');
  return keys;
}

function pairs(flat) {
  const found = [];
  for (let i = 0; i < flat.length; i += 2) found.push([flat[i], +flat[i + 1]]);
  return found;
}

// All of it in one transaction, so that it is of one instant.
async function read(redis, prefix) {
  const keys = (await keysOf(redis, prefix + '*')).sort();
  const all = redis.multi();
  for (const list of LISTS) all.lrange(prefix + list, 0, -1);
  for (const set of [...SETS, 'repeat']) all.zrange(prefix + set, 0, -1, 'WITHSCORES');
  all.hgetall(prefix + 'meta');
  for (const key of keys) all.type(key);
  const replies = (await all.exec()).map(([error, reply]) => (error ? null : reply));
  const ids = {};
  for (const list of LISTS) ids[list] = replies.shift() || [];
  for (const set of SETS) ids[set] = pairs(replies.shift() || []).map(([id]) => id);
  const repeat = pairs(replies.shift() || []);
  const meta = replies.shift() || {};
  return { keys, ids, repeat, meta, types: replies };
}

async function schedule(redis, prefix, [key, next], ids, base) {
  const hash = await redis.hgetall(`${prefix}repeat:${key}`);
  const id = `repeat:${key}:${next}`;
  const state = PLACES.find(place => ids[place].includes(id)) || 'missing';
  const waiting = ['wait', 'active', 'paused', 'delayed'].flatMap(place => ids[place]);
  const mine = waiting.filter(other => other.startsWith(`repeat:${key}:`));
  return {
    key,
    name: hash.name ?? null,
    pattern: hash.pattern ?? null,
    every: hash.every ? +hash.every : null,
    tz: hash.tz ?? null,
    offset: hash.offset ? +hash.offset : undefined,
    hashFields: Object.keys(hash).sort(),
    templateVariant: hash.data ? JSON.parse(hash.data).v ?? null : null,
    next: next - base,
    nextJobState: state,
    alive: PENDING.includes(state) || mine.length > 0,
    pendingIterations: mine.map(other => relative(other, base)),
  };
}

async function snapshot(redis, prefix, base) {
  const { keys, ids, repeat, meta, types } = await read(redis, prefix);
  const told = list => list.map(id => relative(id, base));
  const counts = {};
  for (const place of PLACES) {
    // An old version's marker in a list is no job.
    counts[place] = ids[place].filter(id => !id.startsWith('0:')).length;
  }
  const schedules = [];
  for (const entry of repeat) schedules.push(await schedule(redis, prefix, entry, ids, base));
  const known = new Set(repeat.map(([key]) => key));
  const orphans = ids.delayed.filter(id => iteration(id) && !known.has(iteration(id).key));
  const failedReasons = {};
  for (const id of ids.failed) {
    const reason = await redis.hget(prefix + id, 'failedReason');
    failedReasons[reason] = (failedReasons[reason] || 0) + 1;
  }
  const named = keys.map((key, i) => [relative(key.slice(prefix.length), base), types[i]]);
  return {
    repeatEntries: schedules.length,
    schedules,
    schedulesAlive: schedules.filter(one => one.alive).length,
    schedulesLost: schedules.filter(one => !one.alive).length,
    orphanDelayedIterations: told(orphans),
    finalCounts: counts,
    finalIds: Object.fromEntries(['wait', 'active', 'delayed', 'failed'].map(place => [place, told(ids[place])])),
    failedReasons,
    queuePaused: Boolean(meta.paused),
    keys: Object.fromEntries(named),
  };
}

module.exports = { keysOf, snapshot };
