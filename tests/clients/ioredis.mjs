// What ioredis does with a server, with its answers.
//
//   node ioredis.mjs <folder with node_modules/ioredis> <port>

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder, port] = process.argv.slice(2);
const { Redis } = createRequire(join(folder, 'node_modules', 'ioredis', 'package.json'))('ioredis');
const made = [];
const connect = (options = {}) => {
  const client = new Redis({ host: '127.0.0.1', port: Number(port), ...options });
  made.push(client);
  return client;
};
const redis = connect({ connectionName: 'first' });

async function basics() {
  assert.equal(await redis.ping(), 'PONG');
  assert.equal(await redis.set('s', 'é\u0000', 'PX', 60_000), 'OK');
  assert.equal(await redis.get('s'), 'é\u0000');
  assert.deepEqual(await redis.getBuffer('s'), Buffer.from('é\u0000'));
  const left = await redis.pttl('s');
  assert.ok(left > 50_000 && left <= 60_000, `${left} ms`);
  assert.equal(await redis.get('none'), null);
  assert.equal(await redis.incrby('n', 41), 41);
  assert.equal(await redis.incr('n'), 42);
  assert.equal(await redis.hset('h', { a: 1, b: 'two' }), 2);
  assert.deepEqual(await redis.hgetall('h'), { a: '1', b: 'two' });
  assert.deepEqual(await redis.hmget('h', 'b', 'c'), ['two', null]);
  assert.equal(await redis.rpush('l', 'a', 'b', 'c'), 3);
  assert.deepEqual(await redis.lrange('l', 0, -1), ['a', 'b', 'c']);
  assert.equal(await redis.sadd('set', 'x', 'y', 'x'), 2);
  assert.deepEqual((await redis.smembers('set')).sort(), ['x', 'y']);
  assert.equal(await redis.zadd('z', 1.5, 'one', 'inf', 'last'), 2);
  assert.deepEqual(await redis.zrange('z', 0, -1, 'WITHSCORES'), ['one', '1.5', 'last', 'inf']);
  assert.equal(await redis.client('GETNAME'), 'first');
  assert.equal(await redis.select(3), 'OK');
  assert.equal(await redis.get('s'), null);
  await redis.select(0);
  await assert.rejects(redis.lpush('s', 'x'), /^ReplyError: WRONGTYPE Operation against/);
  await assert.rejects(redis.call('nothing', 'x'), /unknown command 'nothing', with args beginning with: 'x'/);
}

async function walks() {
  await redis.mset(Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`walk:${n}`, n])));
  const found = new Set();
  for await (const keys of redis.scanStream({ match: 'walk:*', count: 50 })) keys.forEach((key) => found.add(key));
  assert.equal(found.size, 500);
}

async function pipelines() {
  const answers = await redis.pipeline().set('p', 1).incr('p').lpush('p', 'x').get('p').exec();
  assert.deepEqual(answers.map(([, answer]) => answer), ['OK', 2, undefined, '2']);
  assert.match(answers[2][0].message, /^WRONGTYPE/);
  const many = redis.pipeline();
  for (let n = 0; n < 2000; n++) many.incr('many');
  assert.equal((await many.exec()).at(-1)[1], 2000);
}

async function transactions() {
  const answers = await redis.multi().set('t', 'x').append('t', 'y').get('t').exec();
  assert.deepEqual(answers, [[null, 'OK'], [null, 2], [null, 'xy']]);
  await assert.rejects(redis.multi().set('t').exec(), /EXECABORT/);
  const other = connect();
  await redis.watch('t');
  await other.set('t', 'changed');
  assert.equal(await redis.multi().set('t', 'mine').exec(), null);
  assert.equal(await redis.get('t'), 'changed');
}

async function messages() {
  const [reader, writer] = [connect(), connect()];
  const got = [];
  reader.on('message', (channel, message) => got.push([channel, message]));
  reader.on('pmessage', (pattern, channel, message) => got.push([pattern, channel, message]));
  assert.equal(await reader.subscribe('news', 'more'), 2);
  assert.equal(await reader.psubscribe('n*'), 3);
  assert.equal(await writer.publish('news', 'first'), 2);
  assert.equal(await writer.publish('more', 'second'), 1);
  assert.equal(await writer.publish('other', 'none'), 0);
  for (let turn = 0; got.length < 3 && turn < 100; turn++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(got, [['news', 'first'], ['n*', 'news', 'first'], ['more', 'second']]);
  assert.equal(await reader.unsubscribe('news', 'more'), 1);
  assert.equal(await reader.punsubscribe('n*'), 0);
}

async function scripts() {
  redis.defineCommand('add', { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" });
  assert.equal(await redis.add('script', 5), 5);
  assert.equal(await redis.add('script', 6), 11);
  assert.deepEqual(await redis.eval("return {1, 'two', {3.7, false}, cjson.encode({a = KEYS[1]})}", 1, 'k'), [1, 'two', [3, null], '{"a":"k"}']);
  await assert.rejects(redis.evalsha('0'.repeat(40), 0), /^ReplyError: NOSCRIPT No matching script/);
  await assert.rejects(redis.eval("return redis.error_reply('MINE own')", 0), /^ReplyError: MINE own/);
  await assert.rejects(redis.eval('return nothing', 0), /nonexistent global variable 'nothing'/);
}

async function blocking() {
  const [waiter, other] = [connect(), connect()];
  const popped = waiter.bzpopmin('queue', 5);
  const listed = other.blpop('list', 5);
  await redis.zadd('queue', 7, 'job');
  await redis.rpush('list', 'item');
  assert.deepEqual(await popped, ['queue', 'job', '7']);
  assert.deepEqual(await listed, ['list', 'item']);
  const before = Date.now();
  assert.equal(await waiter.bzpopmin('queue', 0.1), null);
  assert.ok(Date.now() - before >= 95, 'it waits');
  const read = waiter.xread('BLOCK', 5000, 'STREAMS', 'stream', '$');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const id = await redis.xadd('stream', '*', 'field', 'value');
  assert.deepEqual(await read, [['stream', [[id, ['field', 'value']]]]]);
  // A client that goes while it waits takes nothing.
  other.blpop('list', 0).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 50));
  other.disconnect();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await redis.rpush('list', 'kept'), 1);
}

for (const part of [basics, walks, pipelines, transactions, messages, scripts, blocking]) await part();
await redis.flushall();
console.log('all as it should be');
process.exit();
