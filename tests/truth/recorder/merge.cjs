// Several runs of a case as one: a leaf that differs is `{"varies": [run 1, run 2, ...]}`. And a
// line that says what came out.
'use strict';

function merge(runs, place = '', varying = {}) {
  const first = runs[0];
  if (runs.every(run => JSON.stringify(run) === JSON.stringify(first))) return { merged: first, varying };
  const tables = runs.every(run => run && typeof run === 'object' && !Array.isArray(run));
  if (!tables) {
    varying[place] = { values: runs };
    return { merged: { varies: runs }, varying };
  }
  const merged = {};
  for (const key of new Set(runs.flatMap(run => Object.keys(run)))) {
    const values = runs.map(run => run[key] ?? null);
    merged[key] = merge(values, place ? `${place} > ${key}` : key, varying).merged;
  }
  return { merged, varying };
}

// A value in a headline: those that varied with bars between.
function shown(value) {
  if (value && value.varies) return [...new Set(value.varies.map(one => one ?? 0))].join('|');
  return typeof value === 'object' ? JSON.stringify(value) : value;
}

function headline(outcome) {
  const list = map => Object.entries(map || {}).map(([key, n]) => `${key}=${shown(n)}`).join(' ');
  const parts = [`exec ${list(outcome.executions.byName) || '0'}`];
  for (const [key, of] of Object.entries(outcome.executions.perSchedule || {})) {
    if (of && of.byInstant) parts.push(`${key.slice(0, 46)}: ${Object.values(of.byInstant).map(shown).join(',')}`);
  }
  parts.push(`maxConc ${shown(outcome.maxConcurrent)}`);
  if (shown(outcome.repeatEntries)) {
    const { repeatEntries, schedulesAlive, schedulesLost } = outcome;
    parts.push(`repeat=${shown(repeatEntries)} alive=${shown(schedulesAlive)} lost=${shown(schedulesLost)}`);
  }
  if (outcome.verdict) parts.push('verdict ' + shown(outcome.verdict.result));
  const counts = Object.entries(outcome.finalCounts).filter(([, n]) => shown(n) !== 0);
  parts.push('end ' + (list(Object.fromEntries(counts)) || 'empty'));
  const errors = Object.keys(outcome.errors || {}).slice(0, 2);
  if (errors.length > 0) parts.push('errors: ' + errors.map(error => error.slice(0, 80)).join(' | '));
  return parts.join('; ');
}

module.exports = { merge, headline };
