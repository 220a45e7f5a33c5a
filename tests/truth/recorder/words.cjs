// How the recorder writes instants and ids: relative to the base of a run, so that runs compare.
'use strict';
const crypto = require('crypto');

const md5 = text => crypto.createHash('md5').update(text).digest('hex');

// Job ids may carry instants: `repeat:<key>:<ms>` becomes `repeat:<key>:@+<ms after the base>`.
function relative(id, base) {
  const after = ms => (ms >= base ? '+' : '') + (ms - base);
  return String(id).replace(/:(\d{13})(?=:|$)/g, (_, ms) => ':@' + after(+ms));
}

// The registration and the instant that the id of an iteration names.
function iteration(id) {
  const match = /^repeat:(.+):(\d{13})$/.exec(id);
  return match && { key: match[1], at: +match[2] };
}

// The md5 keys of the older repeat API that a scenario's start-up code makes, and their texts.
function legend(scenario) {
  const texts = {};
  for (const variant of Object.values(scenario.variants)) {
    for (const { do: what, name, opts } of variant.startup || []) {
      if (what !== 'add' || !opts || !opts.repeat) continue;
      const { endDate, tz, pattern, every } = opts.repeat;
      const text = [name, opts.jobId || '', endDate || '', tz || '', pattern || every].join(':');
      texts[md5(text)] = text;
    }
  }
  return texts;
}

// With `snapMs`, an instant that is no multiple of it is told as the multiple before, with a `~`:
// it depends on the very millisecond of a boot.
function snapped(outcome, ms) {
  const told = at => (+at % ms === 0 ? at : `${Math.floor(+at / ms) * ms}~`);
  for (const schedule of outcome.schedules) {
    if (schedule.next % ms) schedule.next = told(schedule.next);
    if (schedule.offset !== undefined) schedule.offset = told(schedule.offset);
  }
  const word = text => text.replace(/(^|:@)\+(\d+)(?=:|$)/g, (_, before, at) => `${before}+${told(at)}`);
  return reworded(outcome, word);
}

// A value with other words; what two keys counted that are one now is added up.
function reworded(value, word) {
  if (typeof value === 'string') return word(value);
  if (Array.isArray(value)) return value.map(one => reworded(one, word));
  if (!value || typeof value !== 'object') return value;
  const found = {};
  for (const [key, own] of Object.entries(value)) {
    const [name, one] = [word(key), reworded(own, word)];
    found[name] = typeof found[name] === 'number' ? found[name] + one : one;
  }
  return found;
}

function count(counts, key, by = 1) {
  counts[key] = (counts[key] || 0) + by;
}

module.exports = { md5, relative, iteration, legend, snapped, count };
