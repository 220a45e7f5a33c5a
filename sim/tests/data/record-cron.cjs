// Records what the real cron-parser does with seeded random patterns, zones and starts.
//
//   node record-cron.cjs <path of the cron-parser 4.9.0 package> [rows] [seed] [end year]
//
// It prints cron-fuzz.jsonl. Run it with TZ=UTC. Nothing in it is after the start of the end year,
// since what zones will do is not the same in every edition of the IANA data. A row is [pattern, zone, start ms, firings, chained, error]: `firings` are
// those of one iterator, each as ms since the one before it (the first: since the start);
// `chained`, or null if it is the same, is what comes of reading the pattern afresh after each;
// `error` is the message of what was thrown, if anything, by parsing ("p:") or searching ("n:").
"use strict";

const path = require("path");
const { parseExpression } = require(path.resolve(process.argv[2]));
const rows = Number(process.argv[3] ?? 3600);
const FIRINGS = 3;

// mulberry32
let state = Number(process.argv[4] ?? 20260808) >>> 0;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const between = (a, b) => a + below(b - a + 1);
const pick = (list) => list[below(list.length)];
const chance = (p) => random() < p;

const ZONES = [
  "UTC", "America/New_York", "Europe/Berlin", "Europe/London", "America/Sao_Paulo",
  "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca",
  "America/St_Johns", "Pacific/Chatham", "America/Havana", "Asia/Tehran", "Asia/Beirut",
  "Africa/Cairo", "America/Asuncion", "America/Santiago", "Antarctica/Troll", "Europe/Dublin",
  "Asia/Gaza", "Asia/Amman", "America/Scoresbysund", "Pacific/Norfolk", "Asia/Pyongyang",
  "Europe/Moscow", "Asia/Kolkata", "America/Caracas", "Atlantic/Azores", "Africa/Juba",
  "Europe/Volgograd", "Asia/Hebron", "Antarctica/Casey",
];
const BEGIN = Date.UTC(2015, 0, 1);
const END = Date.UTC(Number(process.argv[5] ?? 2026), 0, 1);

const formats = new Map();
function wall(zone, ms) {
  if (!formats.has(zone)) {
    const parts = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric" };
    formats.set(
      zone,
      new Intl.DateTimeFormat("en-US", { ...parts, minute: "numeric", timeZone: zone, hourCycle: "h23" }),
    );
  }
  const at = {};
  for (const { type, value } of formats.get(zone).formatToParts(ms)) at[type] = Number(value);
  return Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute) - Math.floor(ms / 6e4) * 6e4;
}
const known = new Map();
function changes(zone) {
  if (known.has(zone)) return known.get(zone);
  const found = [];
  for (let low = BEGIN; low < END; low += 864e5) {
    let [a, b] = [low, low + 864e5];
    const before = wall(zone, a);
    if (before === wall(zone, b)) continue;
    while (b - a > 6e4) {
      const middle = a + Math.floor((b - a) / 12e4) * 6e4;
      if (wall(zone, middle) === before) a = middle;
      else b = middle;
    }
    found.push(b);
  }
  known.set(zone, found);
  return found;
}

function start(zone) {
  const near = changes(zone);
  let ms = near.length && chance(0.6)
    ? pick(near) + between(-1, 1) * pick([0, 5e4, 18e5, 36e5, 72e5, 864e5]) + between(-72e5, 72e5)
    : between(BEGIN, END);
  const grain = pick([1, 1e3, 1e3, 6e4, 9e5, 36e5]);
  ms = Math.floor(ms / grain) * grain;
  return ms + (chance(0.1) ? pick([-1, 1]) : 0);
}

const MONTHS = ["JAN", "feb", "Mar", "apr", "MAY", "jun", "Jul", "aug", "SEP", "oct", "Nov", "dec"];
const DAYS = ["SUN", "mon", "Tue", "wed", "THU", "fri", "Sat"];
const LIMITS = [[0, 59], [0, 59], [0, 23], [1, 31], [1, 12], [0, 7]];

function entry(index) {
  const [min, max] = LIMITS[index];
  const a = between(min, max);
  const b = between(a, max);
  switch (below(9)) {
    case 0: return `${a}-${b}`;
    case 1: return `*/${between(1, Math.ceil(max / 2))}`;
    case 2: return `${a}/${between(1, max)}`;
    case 3: return `${a}-${b}/${between(1, max)}`;
    case 4: if (index === 4) return MONTHS[a - 1];
    case 5: if (index === 5) return DAYS[a % 7];
    default: return `${a}`;
  }
}
function hours() {
  return chance(0.7) ? pick(["0", "1", "2", "3", "1,2", "2,3", "0-3", "23", "0,23", "1-2", "2/3", "*/2", "*/3", "0-23"]) : entry(2);
}
function field(index) {
  if (index === 2) return chance(0.25) ? "*" : hours();
  if (index === 3 && chance(0.12)) return pick(["L", "1,L", "?", "31", "29", "30", "1-29", "1-28,5"]);
  if (index === 5 && chance(0.2)) {
    return pick(["5L", "0L,3L", "7", "1#1", "2#5", "MON#3", "0-6", "1-7", "?", "5-7", "1,5L", `${below(8)}#${between(1, 5)}`]);
  }
  if (index >= 3 && chance(0.6)) return "*";
  if (index === 0 && chance(0.4)) return "0";
  const list = [entry(index)];
  while (chance(0.2)) list.push(entry(index));
  return list.join(",");
}
function sensible() {
  // The seconds of a sparse minute cost the real search many steps: mostly five fields.
  const first = chance(0.3) ? 0 : 1;
  const fields = [];
  for (let i = first; i < 6; i++) fields.push(field(i));
  return fields.join(chance(0.9) ? " " : pick(["  ", "\t", " \u00a0"]));
}
const PIECES = [
  "*", "?", "L", "W", "#", "/", "-", ",", "0", "1", "5", "7", "12", "31", "59", "60", "007", "mon",
  "JAN", "foo", "H", "5L", "1#2", "*/5", "-0", "0-", "1-7/2", " ", "  ", "@daily", "1e1", "0x1", ".",
];
function nonsense() {
  let text = "";
  const fields = between(1, 7);
  for (let i = 0; i < fields; i++) {
    if (i) text += " ";
    for (let n = chance(0.6) ? 1 : between(1, 4); n > 0; n--) text += pick(PIECES);
  }
  return text;
}
function mutant() {
  const text = [...sensible()];
  for (let n = between(1, 3); n > 0; n--) {
    const at = below(text.length + 1);
    const insert = chance(0.6) ? [pick([..."0123456789*?L#/-, ", pick(PIECES)])] : [];
    text.splice(at, chance(0.6) ? 1 : 0, ...insert);
  }
  return text.join("");
}
const FIXED = ["@yearly", "@monthly", "@weekly", "@daily", "@hourly", "@annually", "@reboot", "", " ", "* * * * * * *"];
function pattern() {
  const kind = random();
  if (kind < 0.005) return pick(FIXED);
  return kind < 0.62 ? sensible() : kind < 0.85 ? mutant() : nonsense();
}

const sum = (from, steps, last) => steps.slice(0, last + 1).reduce((a, b) => a + b, from);

function record() {
  const [text, zone] = [pattern(), pick(ZONES)];
  const from = start(zone);
  const read = (ms) => parseExpression(text, { currentDate: new Date(ms), tz: zone });
  let iterator;
  try {
    iterator = read(from);
  } catch (error) {
    return [text, zone, from, [], null, `p:${error.message}`];
  }
  const [firings, chained] = [[], []];
  let [last, message, fresh] = [from, undefined, null];
  try {
    while (firings.length < FIRINGS) {
      const next = iterator.next().getTime();
      firings.push(next - last);
      last = next;
    }
  } catch (error) {
    message = `n:${error.message}`;
  }
  try {
    for (let at = from; chained.length < firings.length; ) {
      const next = chained.length ? read(at).next().getTime() : from + firings[0];
      chained.push(next - at);
      at = next;
    }
  } catch {}
  if (Math.max(last, ...chained.map((_, i) => sum(from, chained, i))) >= END) return record();
  if (String(chained) !== String(firings)) fresh = chained;
  const row = [text, zone, from, firings, fresh];
  return message === undefined ? row : [...row, message];
}

for (let n = 0; n < rows; n++) console.log(JSON.stringify(record()));
