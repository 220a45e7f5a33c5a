// What is done with a bullmq package, one section a part of its interface. Sections run side by
// side, each on queues of its own. A method that a version lacks is refused, and counted.

const STATES = ['wait', 'active', 'delayed', 'completed', 'failed', 'paused', 'prioritized'];
const TYPES = [...STATES, 'waiting', 'waiting-children', 'repeat'];

/** Options of a job, of every kind. */
function options(bench) {
  const chosen = {};
  if (bench.below(3) === 0) chosen.delay = bench.pick(1, 20, 150, 60_000);
  if (bench.below(3) === 0) chosen.priority = 1 + bench.below(5);
  if (bench.below(4) === 0) chosen.lifo = true;
  if (bench.below(4) === 0) chosen.jobId = `own-${bench.below(12)}`;
  if (bench.below(4) === 0) chosen.attempts = 1 + bench.below(3);
  if (bench.below(4) === 0) chosen.backoff = bench.pick(5, { type: 'fixed', delay: 10 }, { type: 'exponential', delay: 5 });
  if (bench.below(4) === 0) chosen.removeOnComplete = bench.pick(true, false, 2, { age: 1 }, { count: 1, age: 60 });
  if (bench.below(4) === 0) chosen.removeOnFail = bench.pick(true, 1, { age: 1, limit: 1 }, { count: 0 });
  if (bench.below(5) === 0) chosen.keepLogs = 2;
  if (bench.below(5) === 0) chosen.stackTraceLimit = bench.below(3);
  if (bench.below(5) === 0) chosen.sizeLimit = bench.pick(10, 5000);
  if (bench.below(5) === 0) chosen.timestamp = 1_700_000_000_000 + bench.below(1e6);
  return chosen;
}

function job(bench) {
  return { name: bench.pick('a', 'b', 'ünï'), data: bench.data(), opts: options(bench) };
}

async function fill(bench, queue, count) {
  for (let n = 0; n < count; n++) {
    const { name, data, opts } = job(bench);
    await bench.try(() => queue.add(name, data, opts));
  }
}

/** Takes jobs by hand, with the tokens they were taken with. */
async function take(bench, worker, count) {
  const taken = [];
  for (let n = 0; n < count; n++) {
    const token = `token-${n}`;
    const found = await bench.try(() => worker.getNextJob(token, { block: false }));
    if (found) taken.push([found, token]);
  }
  return taken;
}

async function look(bench, queue) {
  for (const type of bench.pick(TYPES, TYPES.slice(0, 3))) {
    for (const [start, end, asc] of [[0, -1, false], [0, 2, true], [1, 3, false], [-2, -1, true], [5, 2, false]]) {
      await bench.try(() => queue.getJobs([type], start, end, asc));
      await bench.try(() => queue.getRanges([type], start, end, asc));
    }
  }
  await bench.try(() => queue.getJobCounts(...TYPES));
  await bench.try(() => queue.getJobs());
  await bench.try(() => queue.count());
  await bench.try(() => queue.getCountsPerPriority([0, 1, 2, 5, 9]));
  for (const kind of ['completed', 'failed']) {
    await bench.try(() => queue.getMetrics(kind));
    await bench.try(() => queue.getMetrics(kind, 1, 2));
  }
}

async function adds(bench) {
  const queue = bench.queue();
  await fill(bench, queue, 40);
  await bench.try(() => queue.addBulk(Array.from({ length: 25 }, () => job(bench))));
  await bench.try(() => queue.pause());
  await fill(bench, queue, 10);
  await bench.try(() => queue.isPaused());
  await look(bench, queue);
  await bench.try(() => queue.resume());
  const parent = await bench.try(() => queue.add('parent', {}));
  const of = (id) => ({ parent: { id, queue: `bull:${queue.name}` } });
  await bench.try(() => queue.add('child', {}, of(parent.id)));
  await bench.try(() => queue.add('child', {}, { ...of(parent.id), delay: 50, jobId: 'one' }));
  await bench.try(() => queue.add('child', {}, { ...of(parent.id), priority: 3 }));
  await bench.try(() => queue.add('child', {}, of('nobody')));
  await bench.try(() => queue.addBulk([{ name: 'child', data: 1, opts: of('nobody') }, { name: 'c', data: 2, opts: of(parent.id) }]));
  await bench.try(() => parent.getDependencies());
  await bench.try(() => queue.trimEvents(bench.below(20)));
  await bench.try(() => queue.removeDeprecatedPriorityKey());
  await bench.try(() => queue.getVersion());
  await bench.try(() => queue.getMeta());
  await look(bench, queue);
}

async function deduplication(bench) {
  const queue = bench.queue();
  const word = bench.version.startsWith('5.34') ? bench.pick('debounce', 'deduplication') : 'deduplication';
  const forms = [
    { id: 'simple' }, { id: 'ttl', ttl: 60 }, { id: 'long', ttl: 60_000 },
    { id: 'extend', ttl: 80, extend: true }, { id: 'replace', ttl: 500, extend: true, replace: true },
    { id: 'last', keepLastIfActive: true }, { id: 'both', ttl: 40, keepLastIfActive: true },
  ];
  const worker = bench.worker(queue, async (taken) => {
    await bench.sleep(20);
    if (bench.below(4) === 0) throw new Error('no');
    return taken.data;
  }, { concurrency: 2 });
  for (let n = 0; n < 60; n++) {
    const form = bench.pick(...forms);
    const delay = form.replace ? bench.pick(30, 100) : bench.pick(undefined, undefined, 30);
    const priority = bench.pick(undefined, undefined, 2);
    const added = await bench.try(() => queue.add('j', { n }, { [word]: form, delay, priority }));
    if (n % 5 === 0) await bench.sleep(15);
    if (n % 7 === 0) await bench.try(() => queue.removeDeduplicationKey(form.id));
    if (n % 8 === 0) await bench.try(() => added.removeDeduplicationKey());
    if (n % 6 === 0) await bench.try(() => added.remove());
    await bench.try(() => queue.getDeduplicationJobId(form.id));
  }
  await bench.try(() => queue.pause());
  await bench.try(() => queue.add('j', 1, { [word]: { id: 'simple' }, jobId: 'dup' }));
  await bench.try(() => queue.add('j', 1, { [word]: { id: 'other' }, jobId: 'dup' }));
  await bench.try(() => queue.resume());
  await bench.sleep(200);
  await bench.try(() => worker.close());
}

const FAILURES = ['failParentOnFailure', 'continueParentOnFailure', 'ignoreDependencyOnFailure', 'removeDependencyOnFailure'];

async function flows(bench) {
  const [parents, children] = [bench.queue('-parents'), bench.queue('-children')];
  const flows = bench.flows();
  const child = (depth) => ({
    name: bench.pick('good', 'bad', 'bad'),
    queueName: bench.pick(children.name, children.name, parents.name),
    data: bench.data(),
    opts: {
      ...(bench.below(2) ? { [bench.pick(...FAILURES)]: true } : {}),
      ...(bench.below(4) ? {} : { priority: 2 }), ...(bench.below(4) ? {} : { delay: 30 }),
      ...(bench.below(5) ? {} : { jobId: `kid-${bench.below(6)}` }),
      ...(bench.below(4) ? {} : { removeOnFail: true }), ...(bench.below(4) ? {} : { removeOnComplete: true }),
    },
    children: depth > 0 && bench.below(2) ? [child(depth - 1), child(depth - 1)] : undefined,
  });
  const tree = () => ({
    name: 'parent', queueName: parents.name, data: bench.data(),
    opts: { priority: bench.pick(undefined, 3), delay: bench.pick(undefined, undefined, 40), lifo: bench.pick(undefined, true) },
    children: Array.from({ length: 1 + bench.below(4) }, () => child(2)),
  });
  const nodes = [];
  for (let n = 0; n < 10; n++) nodes.push(await bench.try(() => flows.add(tree())));
  nodes.push(...((await bench.try(() => flows.addBulk([tree(), tree(), { name: 'single', queueName: parents.name }]))) ?? []));
  const wide = { name: 'wide', queueName: parents.name, children: Array.from({ length: 40 }, (_, n) => ({ name: n % 9 ? 'good' : 'bad', queueName: children.name, data: n, opts: { ignoreDependencyOnFailure: true } })) };
  const widest = await bench.try(() => flows.add(wide));
  nodes.push(widest);
  const known = nodes.filter(Boolean);
  const see = async () => {
    for (const { job: parent } of [...known.slice(0, 6), widest].filter(Boolean)) {
      await bench.try(() => parent.getDependencies());
      await bench.try(() => parent.getDependencies({ processed: { count: 50 }, unprocessed: { count: 50 }, ignored: { count: 50 }, failed: { count: 50 } }));
      await bench.try(() => parent.getDependenciesCount());
      await bench.try(() => parent.getDependenciesCount({ processed: true, unprocessed: true, ignored: true, failed: true }));
      await bench.try(() => parent.getChildrenValues());
      await bench.try(() => parent.getFailedChildrenValues());
      await bench.try(() => parent.getIgnoredChildrenFailures());
      for (const kind of ['processed', 'pending']) {
        await bench.try(() => parents.getDependencies(parent.id, kind, 0, -1));
        await bench.try(() => parents.getDependencies(parent.id, kind, 0, 4));
      }
      await bench.try(() => flows.getFlow({ queueName: parents.name, id: parent.id, depth: 3, maxChildren: 10 }));
    }
  };
  await see();
  for (const node of known.slice(0, 5)) {
    const kid = node.children?.[0]?.job;
    if (!kid) continue;
    await bench.try(() => bench.pick(() => kid.removeChildDependency(), () => kid.remove(), () => node.job.removeUnprocessedChildren(), () => node.job.remove({ removeChildren: bench.pick(true, false) }))());
  }
  await bench.try(() => known[0].job.removeUnprocessedChildren());
  await bench.try(() => known[5].children[0].job.removeChildDependency());
  const work = async (taken) => {
    if (taken.name === 'bad') throw new Error(`bad ${taken.id}`);
    return { done: taken.id };
  };
  const workers = [bench.worker(children, work, { concurrency: 3 }), bench.worker(parents, work, { concurrency: 2 })];
  await bench.sleep(700);
  await see();
  for (const { job: parent } of known) {
    await bench.try(() => parent.getState());
    await bench.try(() => parent.retry('failed'));
  }
  await bench.sleep(200);
  await bench.try(() => children.retryJobs({ count: 3 }));
  await bench.sleep(200);
  for (const queue of [parents, children]) await bench.try(() => queue.clean(0, 5, 'failed'));
  await bench.try(() => flows.add(tree()));
  await bench.try(() => parents.pause());
  await bench.try(() => flows.add(tree()));
  await bench.try(() => flows.add(wide));
  await Promise.all(workers.map((worker) => bench.try(() => worker.close())));
  await bench.try(() => flows.add(wide));
  await bench.try(() => children.drain(true));
  await bench.try(() => parents.resume());
  await bench.try(() => parents.obliterate({ force: true, count: 5 }));
}

/** A parent that adds children while it runs and waits for them. */
async function waiting(bench) {
  const [parents, children] = [bench.queue('-parents'), bench.queue('-children')];
  const { WaitingChildrenError } = bench.bullmq;
  const parent = bench.worker(parents, async (taken, token) => {
    let step = taken.data.step;
    if (step === 0) {
      const opts = { parent: { id: taken.id, queue: taken.queueQualifiedName } };
      const how = bench.pick({}, { failParentOnFailure: true }, { ignoreDependencyOnFailure: true });
      await bench.try(() => children.add(bench.pick('good', 'bad'), 1, { ...opts, ...how }));
      await bench.try(() => children.add('good', 2, { ...opts, ...how }));
      await taken.updateData({ step: 1 });
      step = 1;
    }
    if (step === 1 && (await taken.moveToWaitingChildren(token))) throw new WaitingChildrenError();
    return bench.try(() => taken.getChildrenValues());
  });
  const child = bench.worker(children, async (taken) => {
    await bench.sleep(10);
    if (taken.name === 'bad') throw new Error('bad');
    return taken.data;
  });
  for (let n = 0; n < 6; n++) await bench.try(() => parents.add('p', { step: 0 }, { attempts: 2 }));
  await bench.until(async () => (await parents.getJobCountByTypes('wait', 'active', 'waiting-children')) === 0);
  await bench.try(() => parents.getWaitingChildren());
  // By hand: a wrong token, a job without children, a child named.
  const byHand = bench.worker(parents, null);
  await bench.try(() => parent.close());
  const held = await bench.try(() => parents.add('p', { step: 0 }));
  const [taken] = await take(bench, byHand, 1);
  if (taken) {
    const [own, token] = taken;
    const kid = await bench.try(() => children.add('good', 1, { delay: 60_000, parent: { id: held.id, queue: held.queueQualifiedName } }));
    await bench.try(() => own.moveToWaitingChildren('wrong'));
    await bench.try(() => own.moveToCompleted(1, token));
    await bench.try(() => own.moveToWaitingChildren(token, { child: { id: 'nobody', queue: `bull:${children.name}` } }));
    await bench.try(() => own.moveToWaitingChildren(token, { child: { id: kid.id, queue: `bull:${children.name}` } }));
    await bench.try(() => own.moveToWaitingChildren(token));
    await bench.try(() => kid.removeChildDependency());
    await bench.try(() => own.getState());
  }
  await bench.try(() => child.close());
}

async function repeat(bench) {
  const queue = bench.queue();
  const worker = bench.worker(queue, async (taken) => taken.timestamp);
  const forms = [
    { every: 150 }, { every: 120, limit: 2 }, { every: 200, immediately: true }, { pattern: '* * * * * *' },
    { pattern: '0 5 * * *', tz: 'Europe/Berlin' }, { every: 1000, key: 'own' }, { pattern: '*/2 * * * * *', endDate: Date.now() + 5000 },
    { pattern: '* * * * * *', startDate: Date.now() + 60_000, immediately: false },
  ];
  for (const [at, form] of forms.entries()) {
    await bench.try(() => queue.add(`r${at}`, bench.data(), { repeat: form, jobId: bench.pick(undefined, 'id') }));
    await bench.try(() => queue.add(`r${at}`, bench.data(), { repeat: form, priority: bench.pick(undefined, 1) }));
  }
  await bench.try(() => queue.getRepeatableJobs());
  await bench.sleep(1100);
  for (const { key } of ((await bench.try(() => queue.getRepeatableJobs(0, -1, true))) ?? []).slice(0, 3)) {
    await bench.try(() => queue.removeRepeatableByKey(key));
  }
  for (const [at, form] of forms.entries()) await bench.try(() => queue.removeRepeatable(`r${at}`, form, 'id'));
  await bench.try(() => queue.removeRepeatable('none', { every: 5 }));
  await bench.try(() => worker.close());
  // The form of older versions: the name of the entry is what was asked for.
  const [zset, prefix] = bench.key(queue, 'repeat', '');
  const delayed = bench.key(queue, 'delayed')[0];
  await bench.try(() => bench.client.zadd(zset, 5, 'old:::every:50'));
  await bench.call('updateRepeatableJobMillis', [zset], [700, 'own', 'old:::every:50', prefix, 'own']);
  await bench.call('updateRepeatableJobMillis', [zset], [800, 'none', 'none', prefix, 'none']);
  await bench.call('removeRepeatable', [zset, delayed, bench.key(queue, 'events')[0]], ['old:::every:50', 'concat', 'old:::every:50', prefix]);
}

async function scheduler(bench) {
  const queue = bench.queue();
  let thrown = 0;
  const worker = bench.worker(queue, async (taken) => {
    await bench.sleep(5);
    if (bench.below(3) === 0 && thrown++ < 5) throw new Error('once more');
    return taken.id;
  }, { concurrency: 2 });
  const forms = [
    { every: 100 }, { every: 130, limit: 3 }, { every: 170, offset: 40 }, { pattern: '* * * * * *' }, { pattern: '30 4 * * 1', tz: 'America/New_York' },
    { every: 100, startDate: Date.now() + 400 }, { every: 50, endDate: Date.now() + 300 }, { every: 3_600_000 }, { pattern: '* * * * * *', immediately: true },
  ];
  const template = () => ({ name: 'tick', data: bench.data(), opts: { attempts: bench.pick(1, 2), backoff: 5, priority: bench.pick(undefined, 4), removeOnComplete: bench.pick(undefined, 3, true), lifo: bench.pick(undefined, true) } });
  for (let round = 0; round < 3; round++) {
    for (const [at, form] of forms.entries()) {
      await bench.try(() => queue.upsertJobScheduler(`s${at}`, bench.pick(form, form, { every: 90 }), bench.pick(undefined, template())));
    }
    for (let at = 0; at < forms.length + 1; at++) await bench.try(() => queue.getJobScheduler(`s${at}`));
    await bench.try(() => queue.getJobSchedulers(0, -1, round === 0));
    await bench.try(() => queue.getJobSchedulersCount());
    if (round === 1) await bench.try(() => queue.pause());
    await bench.sleep(round === 1 ? 150 : 500);
    await bench.try(() => queue.resume());
    const next = await bench.try(() => queue.getDelayed());
    for (const due of (next ?? []).slice(0, 3)) await bench.try(() => bench.pick(() => due.promote(), () => due.remove(), () => due.changeDelay(30))());
  }
  await bench.try(() => queue.clean(0, 10, 'delayed'));
  await bench.try(() => queue.promoteJobs());
  for (let at = 0; at < forms.length; at += 2) await bench.try(() => queue.removeJobScheduler(`s${at}`));
  await bench.try(() => queue.removeJobScheduler('none'));
  await bench.try(() => worker.close());
  await bench.try(() => queue.drain(true));
}

async function working(bench) {
  const { DelayedError, UnrecoverableError, WaitingError } = bench.bullmq;
  const queue = bench.queue();
  const events = bench.events(queue);
  await bench.try(() => events.waitUntilReady());
  const seen = new Map();
  const worker = bench.worker(queue, async (taken, token) => {
    const times = (seen.get(taken.id) ?? 0) + 1;
    seen.set(taken.id, times);
    await bench.try(() => taken.updateProgress(bench.pick(50, { at: 'half' }, 'x')));
    await bench.try(() => taken.log(`row ${times}`));
    switch (times > 2 ? 'good' : taken.data) {
      case 'bad': throw new Error('bad');
      case 'unrecoverable': throw new UnrecoverableError('no way');
      case 'delayed': await taken.moveToDelayed(Date.now() + 30, token); throw new DelayedError();
      case 'waiting': await taken.moveToWait(token); throw new WaitingError();
      case 'data': await taken.updateData({ changed: times }); return taken.data;
      case 'discard': taken.discard?.(); throw new Error('discarded');
      default: return bench.data();
    }
  }, {
    concurrency: 1 + bench.below(4), metrics: { maxDataPoints: 10 },
    removeOnComplete: bench.pick(undefined, { count: 5 }, { age: 100 }), settings: { backoffStrategy: () => bench.pick(5, -1, 0) },
  });
  const added = [];
  for (let n = 0; n < 60; n++) {
    const what = bench.pick('good', 'good', 'bad', 'unrecoverable', 'delayed', 'waiting', 'data', 'discard');
    const opts = options(bench);
    delete opts.jobId;
    if (opts.delay > 1000) opts.delay = 10;
    if (bench.below(5) === 0) Object.assign(opts, { attempts: 3, backoff: { type: 'custom' } });
    added.push(await bench.try(() => queue.add('w', what, opts)));
    if (n % 20 === 19) await bench.sleep(60);
  }
  const waited = added.filter(Boolean).slice(0, 6).map((one) => bench.try(() => one.waitUntilFinished(events, 800)));
  await bench.sleep(400);
  await bench.try(() => worker.pause());
  await fill(bench, queue, 3);
  await bench.try(() => worker.resume());
  await Promise.all(waited);
  for (const one of added.filter(Boolean)) {
    await bench.try(() => one.getState());
    await bench.try(() => one.waitUntilFinished(events, 1));
    await bench.try(() => queue.getJobLogs(one.id, 0, bench.pick(-1, 0, 2), bench.pick(true, false)));
  }
  await bench.try(() => queue.addJobLog(added[0].id, 'row', bench.pick(1, 5)));
  await bench.try(() => queue.addJobLog('none', 'row'));
  await bench.try(() => added[0].clearLogs(1));
  await bench.try(() => added[0].clearLogs());
  await bench.try(() => queue.updateJobProgress(added[1].id, 7));
  await bench.try(() => queue.updateJobProgress('none', 7));
  await bench.try(() => queue.getWorkers());
  await bench.try(() => queue.getWorkersCount());
  await bench.try(() => queue.exportPrometheusMetrics());
  await look(bench, queue);
  await bench.try(() => worker.close());
}

async function limits(bench) {
  const queue = bench.queue();
  const { RateLimitError } = bench.bullmq;
  const limiter = { max: 3, duration: 100 };
  let limited = 0;
  const work = async () => {
    await bench.sleep(2);
    if (bench.below(5) > 0 || limited++ > 3) return;
    await workers[0].rateLimit(40);
    throw new RateLimitError();
  };
  const workers = [0, 1].map(() => bench.worker(queue, work, { limiter, concurrency: 2 }));
  for (let n = 0; n < 25; n++) await bench.try(() => queue.add('l', n, { priority: bench.pick(undefined, 2) }));
  for (let n = 0; n < 6; n++) {
    await bench.try(() => queue.getRateLimitTtl());
    await bench.try(() => queue.getRateLimitTtl(3));
    await bench.try(() => queue.isMaxed());
    await bench.sleep(40);
  }
  await bench.try(() => queue.rateLimit(60));
  await bench.try(() => queue.getRateLimitTtl(1));
  await bench.try(() => queue.removeRateLimitKey());
  await bench.try(() => queue.setGlobalConcurrency(1));
  await bench.try(() => queue.getGlobalConcurrency());
  await bench.sleep(120);
  await bench.try(() => queue.isMaxed());
  await bench.try(() => queue.setGlobalRateLimit(1, 50));
  await bench.try(() => queue.getGlobalRateLimit());
  await bench.try(() => queue.getRateLimitTtl());
  await bench.sleep(250);
  await bench.try(() => queue.removeGlobalRateLimit());
  await bench.try(() => queue.removeGlobalConcurrency());
  await bench.sleep(200);
  await Promise.all(workers.map((worker) => bench.try(() => worker.close())));
}

/**
 * Jobs whose workers are gone. Several at once have numbers for ids: Redis keeps a set of numbers in
 * order, and any other set in an order that no two servers share.
 */
async function stalled(bench) {
  const queue = bench.queue();
  for (let n = 0; n < 8; n++) await bench.try(() => queue.add('s', n, { attempts: 2, priority: bench.pick(undefined, 1), failParentOnFailure: bench.pick(true, undefined), removeOnFail: bench.pick(undefined, true) }));
  await stalledIn(bench, queue, 6);
  const scheduled = bench.queue('scheduled');
  await bench.try(() => scheduled.upsertJobScheduler('sched', { every: 100, limit: 1 }, { name: 's' }));
  await stalledIn(bench, scheduled, 1);
}

async function stalledIn(bench, queue, count) {
  const dead = bench.worker(queue, null, { lockDuration: 60, skipLockRenewal: true });
  const taken = await take(bench, dead, count);
  for (const [own, token] of taken.slice(0, 2)) {
    await bench.try(() => own.extendLock(token, 200));
    await bench.try(() => own.extendLock('wrong', 200));
  }
  await bench.try(() => dead.extendJobLocks(taken.map(([own]) => own.id), taken.map(([, token], at) => (at % 2 ? token : 'wrong')), 100));
  const worker = bench.worker(queue, async () => bench.sleep(bench.pick(1, 150)), { lockDuration: 60, lockRenewTime: bench.pick(20, 1000), stalledInterval: 80, maxStalledCount: 1, concurrency: Math.min(3, count) });
  await bench.sleep(600);
  await bench.try(() => queue.pause());
  await bench.sleep(100);
  await bench.try(() => queue.resume());
  await bench.try(() => dead.startStalledCheckTimer());
  for (const [own, token] of taken) await bench.try(() => own.moveToCompleted('late', token, false));
  await bench.try(() => worker.close());
  const [stalledKey, wait, active, check, meta, paused, marker, events, repeatKey] = bench.key(queue, 'stalled', 'wait', 'active', 'stalled-check', 'meta', 'paused', 'marker', 'events', 'repeat');
  for (let n = 0; n < 3; n++) {
    await take(bench, dead, Math.min(2, count));
    await bench.sleep(90);
    await bench.call('moveStalledJobsToWait', [stalledKey, wait, active, check, meta, paused, marker, events, repeatKey], [n, bench.key(queue, '')[0], Date.now(), 20]);
  }
}

/** Jobs moved by hand, with right and wrong tokens and from every state. */
async function hand(bench) {
  const queue = bench.queue();
  await fill(bench, queue, 40);
  const worker = bench.worker(queue, null, { lockDuration: 5_000, metrics: { maxDataPoints: 3 } });
  for (let round = 0; round < 4; round++) {
    for (const [own, token] of await take(bench, worker, 6)) {
      const used = bench.pick(token, token, token, 'wrong');
      const then = bench.pick(true, false);
      await bench.try(() => bench.pick(
        () => own.moveToCompleted(bench.data(), used, then), () => own.moveToFailed(new Error('by hand'), used, then),
        () => own.moveToDelayed(Date.now() + bench.pick(5, 5000), used), () => own.moveToWait(used),
        () => own.retry('failed'), () => own.promote(), () => own.remove(), () => own.changeDelay(5),
      )());
      await bench.try(() => own.getState());
    }
    await bench.try(() => (round % 2 ? queue.resume() : queue.pause()));
  }
  await bench.try(() => queue.resume());
  for (const one of (await bench.try(() => queue.getJobs(['delayed', 'prioritized', 'wait', 'completed', 'failed']))) ?? []) {
    await bench.try(() => bench.pick(
      () => one.changeDelay(bench.pick(1, 50, 70_000)), () => one.changePriority({ priority: bench.below(4), lifo: bench.pick(true, false) }),
      () => one.promote(), () => one.retry('failed'), () => one.retry('completed', { resetAttemptsMade: true, resetAttemptsStarted: true }),
      () => one.updateData(bench.data()), () => one.updateProgress(3), () => one.log('x'), () => one.remove(),
    )());
  }
  await bench.try(() => queue.remove('none'));
  await bench.try(() => queue.add('p', 1, { delay: 5000 }).then((one) => one.changeDelay(20)));
  await bench.try(() => queue.add('p', 1, { delay: 5000, priority: 2 }).then((one) => one.promote()));
  await bench.try(() => queue.add('p', 1).then((one) => one.changePriority({ priority: 7 })));
  await bench.try(() => queue.add('p', 1, { priority: 2 }).then((one) => one.changePriority({ priority: 0, lifo: true })));
  const kept = await bench.try(() => queue.add('p', 1));
  await bench.try(() => kept.remove());
  for (const act of ['updateData', 'updateProgress', 'log', 'promote', 'remove', 'getState', 'retry', 'changeDelay']) await bench.try(() => kept[act](1));
  await bench.try(() => kept.changePriority({ priority: 1 }));
}

async function cleaning(bench) {
  const queue = bench.queue();
  const prepare = async () => {
    await fill(bench, queue, 30);
    const worker = bench.worker(queue, null, { lockDuration: 2_000 });
    for (const [at, [own, token]] of (await take(bench, worker, 8)).entries()) {
      if (at < 3) await bench.try(() => own.moveToCompleted(1, token, false));
      else if (at < 6) await bench.try(() => own.moveToFailed(new Error('f'), token, false));
    }
  };
  await prepare();
  for (const state of STATES) {
    await bench.try(() => queue.clean(bench.pick(0, 60_000), bench.pick(0, 2, 100), state));
    await bench.try(() => queue.clean(0, 3, state));
  }
  await prepare();
  await bench.try(() => queue.retryJobs({ state: 'completed', count: 2 }));
  await bench.try(() => queue.retryJobs({ state: 'failed', count: 1, timestamp: Date.now() + 10 }));
  await bench.try(() => queue.promoteJobs({ count: 2 }));
  await bench.try(() => queue.drain());
  await bench.try(() => queue.drain(true));
  await prepare();
  // Jobs that no list knows any more.
  const [wait, ...own] = bench.key(queue, 'wait', 'orphan', 'orphan:logs', 'orphan:lock', 'orphan:processed');
  await bench.try(() => bench.client.multi().lpop(wait).hset(own[0], 'name', 'o').rpush(own[1], 'row').set(own[2], 't').hset(own[3], 'a', 1).exec());
  await bench.try(() => queue.removeOrphanedJobs(10_000));
  await bench.try(() => queue.obliterate());
  await bench.try(() => queue.obliterate({ force: true, count: 7 }));
  await prepare();
  await bench.try(() => queue.pause());
  await bench.try(() => queue.clean(0, 0, 'paused'));
  await look(bench, queue);
  await bench.try(() => queue.obliterate({ force: true }));
  await look(bench, queue);
}

/** Scripts that no method of the package calls, or only with an old server. */
async function byName(bench) {
  const queue = bench.queue();
  await fill(bench, queue, 12);
  const worker = bench.worker(queue, null, { lockDuration: 5_000 });
  const taken = await take(bench, worker, 3);
  const states = bench.key(queue, 'completed', 'failed', 'delayed', 'active', 'wait', 'paused', 'waiting-children', 'prioritized');
  const jobs = (await bench.try(() => queue.getJobs())) ?? [];
  for (const id of ['none', ...jobs.filter(Boolean).map((one) => one.id)]) {
    await bench.call('getState', states, [id]);
    await bench.call('getStateV2', states, [id]);
    await bench.call('isJobInList', bench.key(queue, bench.pick('wait', 'active')), [id]);
    await bench.call('saveStacktrace', bench.key(queue, id), ['["at x"]', 'reason']);
    await bench.call('isFinished', bench.key(queue, 'completed', 'failed', id), [id, bench.pick('', '1')]);
  }
  for (const [own, token] of taken) {
    await bench.call('releaseLock', bench.key(queue, `${own.id}:lock`), ['wrong']);
    await bench.call('releaseLock', bench.key(queue, `${own.id}:lock`), [token, 50]);
    await bench.call('extendLock', bench.key(queue, `${own.id}:lock`, 'stalled'), [token, 50, own.id]);
  }
  // What is no set and no hash cannot be paged through; a set of some size is, in one go.
  const [numbers, words, list, parent, pending] = bench.key(queue, 'numbers', 'words', 'list', 'lone', 'lone:dependencies');
  await bench.try(() => bench.client.sadd(numbers, ...Array.from({ length: 30 }, () => bench.below(1000))));
  await bench.try(() => bench.client.hset(words, ...Array.from({ length: 20 }, (_, n) => [`w${n}`, n]).flat()));
  await bench.try(() => bench.client.rpush(list, 1));
  for (const key of [numbers, words, list, 'none']) {
    await bench.call('paginate', [key], [0, -1, 0, 0, 5]);
    await bench.call('paginate', [key], [0, 9, 0, 0, 5, 1]);
    await bench.call('paginate', [key], [5, 12, 0, 0, 5]);
  }
  await bench.try(() => bench.client.hset(parent, 'name', 'p', 'data', '{}', 'opts', '{}', 'timestamp', 1));
  await bench.try(() => bench.client.zadd(states[6], 1, 'lone'));
  await bench.call('releaseParentIfNoPendingDependencies', [parent, pending], [`bull:${queue.name}`, 'lone', Date.now()]);
  await bench.call('getRateLimitTtl', bench.key(queue, 'limiter', 'meta'), ['1']);
  await bench.call('removeChildDependency', bench.key(queue, ''), [parent, 'none']);
}

async function relay(bench) {
  const { Relay } = bench.bullmq;
  if (!Relay) return;
  const { connection } = bench;
  const node = (nodeId) => {
    const made = new Relay({ connection, namespace: bench.name, nodeId, leaseDuration: 200, heartbeatInterval: 60, sweepInterval: 90, blockTimeout: 100, inboxMaxLength: 20, lagThreshold: 5 });
    made.on('error', () => {});
    return made;
  };
  const [one, two, three] = [node('one'), node('two'), node('three')];
  await Promise.all([one, two, three].map((relay) => bench.try(() => relay.waitUntilReady())));
  const held = [];
  for (const pattern of ['a.b.c', 'a.*.c', 'a.>', '>', '*', 'z', 'a.b.c']) {
    held.push(await bench.try(() => bench.pick(one, two, three).subscribe(pattern, () => {})));
  }
  await bench.try(() => one.subscribe('bad..pattern', () => {}));
  for (let n = 0; n < 40; n++) {
    const topic = bench.pick('a.b.c', 'a.x.c', 'a', 'z', 'q.r', 'a..b');
    await bench.try(() => bench.pick(one, two).publish(topic, bench.data(), { retain: bench.pick(0, 0, 50, 60_000) }));
  }
  await bench.try(() => two.subscribe('z', () => {}));
  for (const relay of [one, two]) {
    await bench.try(() => relay.getCounts());
    await bench.try(() => relay.getNodes());
    await bench.try(() => relay.getNodes(0, 0));
    await bench.try(() => relay.getSubscriptions(bench.pick(undefined, { nodeId: 'one' }, { pattern: 'a.>' })));
    await bench.try(() => relay.getPatterns());
    await bench.try(() => relay.getRetained());
    await bench.try(() => relay.getNodeConnections('two'));
    await bench.try(() => relay.getNamespaces());
  }
  await bench.try(() => one.deleteRetained('a.b.c'));
  await bench.try(() => one.deleteRetained('nothing'));
  for (const sub of held.slice(0, 3)) await bench.try(() => sub?.unsubscribe());
  await bench.sleep(300);
  // A node that never beats is swept by the others.
  const [nodes, base] = [`bull::relay:{${bench.name}}:nodes`, `bull::relay:{${bench.name}}`];
  await bench.call('relayRegisterNode', [nodes], [base, 'ghost', 20, '{}', 1, 5]);
  await bench.call('relaySubscribe', [nodes], [base, 'ghost', 'endpoint', 'a.>']);
  for (let n = 0; n < 8; n++) await bench.try(() => one.publish('a.b', n));
  await bench.call('relayReadInbox', [nodes], [base, 'ghost', '0-0', 3]);
  await bench.call('relayAckInbox', [nodes], [base, 'ghost', '0-0']);
  await bench.call('relayTrimInbox', [nodes], [base, 'ghost', '0-0', 2]);
  await bench.sleep(200);
  await bench.call('relayHeartbeat', [nodes], [base, 'ghost', 100]);
  await bench.call('relaySweep', [nodes], [base, 10]);
  await Promise.all([one, two, three].map((relay) => bench.try(() => relay.close())));
}

export const sections = {
  adds, deduplication, flows, waiting, repeat, scheduler, working, limits, stalled, hand, cleaning, byName, relay,
};
