// Asks the real cron-parser. Arguments: the folder of a bullmq package's node_modules.
//
// Each line of the input is a JSON value, and each has one line of answer:
//
// { zones: [[name, [start ms, ...], [offset minutes, ...]], ...], from, until } tells what offsets
// zones have from one instant to another. They are compared with what Intl has, at both sides of
// each change and every ten days. The answer: for each zone null, or the first instant at which
// the two differ. From then on luxon gets offsets from the tables as far as they agree, since Intl
// takes 20 microseconds for each.
//
// [[pattern, zone or null, start ms, afresh], ...] asks for three firings of each, by one iterator
// or by reading the pattern afresh for each, as BullMQ does. The answer: for each a list of the
// firings, and the message of what was thrown, if anything, after "p:" (parsing) or "n:" (next).
"use strict";

const path = require("path");
const readline = require("readline");

const modules = path.resolve(process.argv[2]);
const parser = require(path.join(modules, "cron-parser"));
const { IANAZone } = require(path.join(modules, "luxon"));
const parse = parser.parseExpression
  ? (pattern, options) => parser.parseExpression(pattern, options)
  : (pattern, options) => parser.CronExpressionParser.parse(pattern, options);

const asked = IANAZone.prototype.offset;
const tables = new Map();
let from = 0;

function told({ starts, offsets }, ms) {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= ms) low = middle;
    else high = middle;
  }
  return offsets[low];
}

IANAZone.prototype.offset = function (ms) {
  const table = tables.get(this.name);
  const known = table !== undefined && ms >= from && ms < table.until;
  return known ? told(table, ms) : asked.call(this, ms);
};

function zones(request) {
  const { until } = request;
  from = request.from;
  return request.zones.map(([name, starts, offsets]) => {
    const table = { starts, offsets };
    const at = starts.flatMap((start) => [start - 1, start]);
    for (let ms = from; ms < until; ms += 864e6) at.push(ms);
    const zone = IANAZone.create(name);
    const wrong = at
      .filter((ms) => ms >= from && ms < until && asked.call(zone, ms) !== told(table, ms));
    const first = wrong.length === 0 ? null : Math.min(...wrong);
    // The change that is not the same lies up to ten days before what was seen of it.
    tables.set(name, { ...table, until: first === null ? until : first - 864e6 });
    return first;
  });
}

function firings([pattern, tz, start, afresh]) {
  const found = [];
  const options = (ms) => ({ ...(tz === null ? {} : { tz }), currentDate: new Date(ms) });
  let stage = "p:";
  try {
    let expression = parse(pattern, options(start));
    for (let n = 0; n < 3; n += 1) {
      if (afresh && n > 0) expression = parse(pattern, options(found[n - 1]));
      stage = "n:";
      found.push(expression.next().getTime());
    }
    return [found, null];
  } catch (error) {
    return [found, stage + error.message];
  }
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const request = JSON.parse(line);
  const answer = Array.isArray(request)
    ? request.map(firings)
    : { tz: process.versions.tz, differ: zones(request) };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
