'use strict';

// The suite of the npm package `nacos`, whose clients speak the v1 HTTP API and keep their
// instances alive with beats: `suite.js main` runs the cases, `suite.js hold` keeps an instance.
// What it is told and what it answers: see ../main.rs.

const assert = require('assert');
const readline = require('readline');
const { NacosNamingClient, NacosConfigClient } = require('nacos');

// Longer than anything here may take, even on a busy machine.
const PATIENCE = 60000;
const HELD = 'held';
const HELD_PORT = 7000;
const GROUP = 'DEFAULT_GROUP';
// Standard output is the driver's.
const logger = new console.Console(process.stderr, process.stderr);

function say(line) {
  process.stdout.write(`@${JSON.stringify(line)}\n`);
}

async function client(where, namespace = 'public') {
  const naming = new NacosNamingClient({ logger, serverList: process.env[where], namespace });
  // Without a listener an event named error ends the process.
  naming._hostReactor.on('error', error => logger.error(error));
  await naming.ready();
  return naming;
}

function instance(port, more = {}) {
  return { ip: '10.1.0.1', port, weight: 1, healthy: true, enabled: true, ephemeral: true, ...more };
}

const ports = hosts => hosts.map(host => host.port).sort((one, other) => one - other);

const sleep = millis => new Promise(done => setTimeout(done, millis));

async function until(what, ask, isSo) {
  const end = Date.now() + PATIENCE;
  let last = 'nothing';
  while (Date.now() < end) {
    try {
      const seen = await ask();
      if (isSo(seen)) return seen;
      last = JSON.stringify(seen);
    } catch (error) {
      last = String(error);
    }
    await sleep(50);
  }
  throw new Error(`never: ${what}; last seen: ${last}`);
}

function sees(who, service, wanted, { group = GROUP, clusters = '' } = {}) {
  const ask = async () => ports(await who.getAllInstances(service, group, clusters, false));
  const same = seen => JSON.stringify(seen) === JSON.stringify(wanted);
  return until(`${service} has ports ${wanted}`, ask, same);
}

async function refused(what, call) {
  try {
    await call();
  } catch (error) {
    assert(String(error.message).length > 0, `${what}: an error without a text`);
    return;
  }
  throw new Error(`${what} was accepted`);
}

// The latest list of a service as the SDK tells it, and which instances left it.
class Watcher {
  constructor() {
    this.hosts = null;
    this.removed = new Set();
    this.waiting = new Set();
    this.listener = hosts => this.onChange(hosts);
  }

  onChange(hosts) {
    const now = new Map(hosts.map(host => [`${host.ip}:${host.port}`, host]));
    for (const key of this.hosts ? this.hosts.keys() : []) {
      if (!now.has(key)) this.removed.add(key);
    }
    this.hosts = now;
    for (const look of this.waiting) look();
  }

  until(what, isSo) {
    return new Promise((done, failed) => {
      const look = () => {
        if (!this.hosts || !isSo(this.hosts)) return;
        clearTimeout(timer);
        this.waiting.delete(look);
        done();
      };
      const timer = setTimeout(() => {
        this.waiting.delete(look);
        failed(new Error(`never told: ${what}; last: ${JSON.stringify([...(this.hosts || [])])}`));
      }, PATIENCE);
      this.waiting.add(look);
      look();
    });
  }
}

// The SDK ignores a list without instances and keeps the last one it had: something has to stay in
// every list from which something goes. It is at this port.
const STAYS = 79;

const cases = {
  async register(a, b) {
    await a.registerInstance('register', instance(80));
    await sees(a, 'register', [80]);
    await sees(b, 'register', [80]);
  },

  async 'metadata-and-weight'(a, b) {
    await a.registerInstance('change', instance(80, { metadata: { zone: 'a' } }));
    const metadata = { zone: 'b', version: '2' };
    await a.registerInstance('change', instance(80, { metadata, weight: 2.5 }));
    const ask = () => b.getAllInstances('change', GROUP, '', false);
    const right = seen => seen.length === 1 && seen[0].weight === 2.5 &&
      seen[0].metadata.zone === 'b' && seen[0].metadata.version === '2';
    await until('metadata and weight changed on the other node', ask, right);
  },

  // Without a batch of its own: each instance is a client of its own.
  async batch(a, b) {
    for (const port of [81, 82, 83]) await a.registerInstance('batch', instance(port));
    await sees(b, 'batch', [81, 82, 83]);
    await a.deregisterInstance('batch', instance(81));
    await sees(b, 'batch', [82, 83]);
  },

  async deregister(a, b) {
    await a.registerInstance('deregister', instance(STAYS));
    await a.registerInstance('deregister', instance(80));
    await sees(b, 'deregister', [STAYS, 80]);
    await a.deregisterInstance('deregister', instance(80));
    await sees(a, 'deregister', [STAYS]);
    await sees(b, 'deregister', [STAYS]);
    return 'the SDK ignores lists without instances: the last instance of a service stays in its lists';
  },

  async 'select-healthy'(a, b) {
    await a.registerInstance('healthy', instance(81));
    await a.registerInstance('healthy', instance(82, { enabled: false }));
    await sees(b, 'healthy', [81]);
    const healthy = await b.selectInstances('healthy', GROUP, '', true, false);
    assert.deepStrictEqual(ports(healthy), [81]);
    const ill = await b.selectInstances('healthy', GROUP, '', false, false);
    assert.deepStrictEqual(ports(ill), []);
  },

  async subscribe(a, b) {
    const watcher = new Watcher();
    b.subscribe('watched', watcher.listener);
    await a.registerInstance('watched', instance(STAYS));
    await a.registerInstance('watched', instance(80));
    await watcher.until('added', hosts => hosts.size === 2 && hosts.has('10.1.0.1:80'));
    await a.registerInstance('watched', instance(80, { metadata: { v: '2' }, weight: 3 }));
    await watcher.until('changed', hosts => {
      const host = hosts.get('10.1.0.1:80');
      return hosts.size === 2 && host.weight === 3 && host.metadata.v === '2';
    });
    await a.deregisterInstance('watched', instance(80));
    await watcher.until('removed', hosts => hosts.size === 1 && !hosts.has('10.1.0.1:80'));
    b.unSubscribe('watched', watcher.listener);
  },

  async groups(a, b) {
    await a.registerInstance('grouped', instance(81), 'g1');
    await a.registerInstance('grouped', instance(82), 'g2');
    await sees(b, 'grouped', [81], { group: 'g1' });
    await sees(b, 'grouped', [82], { group: 'g2' });
    await sees(b, 'grouped', []);
  },

  async namespaces(a, b) {
    const there = await client('SUITE_A', 'other');
    const also = await client('SUITE_B', 'other');
    await there.registerInstance('spaced', instance(STAYS));
    await there.registerInstance('spaced', instance(81));
    await a.registerInstance('spaced', instance(82));
    await sees(also, 'spaced', [STAYS, 81]);
    await sees(b, 'spaced', [82]);
    await there.deregisterInstance('spaced', instance(81));
    await sees(also, 'spaced', [STAYS]);
    await there.close();
    await also.close();
  },

  async clusters(a, b) {
    await a.registerInstance('clustered', instance(81, { clusterName: 'east' }));
    await a.registerInstance('clustered', instance(82, { clusterName: 'west' }));
    await sees(b, 'clustered', [81, 82]);
    await sees(b, 'clustered', [81], { clusters: 'east' });
    await sees(b, 'clustered', [82], { clusters: 'west' });
    await sees(b, 'clustered', [81, 82], { clusters: 'east,west' });
  },

  async paging(a, b) {
    const names = [0, 1, 2, 3, 4, 5, 6].map(number => `page-${number}`);
    for (const name of names) await a.registerInstance(name, instance(80), 'paged');
    // The client has no method for it, its proxy has.
    const page = number => b._serverProxy.getServiceList(number, 3, 'paged');
    await until('seven services', () => page(1), seen => seen.count === 7);
    const pages = [];
    for (const number of [1, 2, 3, 4]) pages.push((await page(number)).data);
    assert.deepStrictEqual(pages.map(one => one.length), [3, 3, 1, 0]);
    const plain = name => name.split('@@').pop();
    assert.deepStrictEqual(pages.flat().map(plain).sort(), names);
  },

  async 'wrong-input'(a, b) {
    const attempt = (what, service, more, group) =>
      refused(what, () => a.registerInstance(service, instance(80, more), group));
    await attempt('a name with a blank', 'a b', {});
    await attempt('a port over 65535', 'wrong', { port: 65536 });
    await attempt('a cluster with a dot', 'wrong', { clusterName: 'a.b' });
    await attempt('a group with a blank', 'wrong', {}, 'a b');
    assert.strictEqual(await a.getServerStatus(), 'UP');
    await a.registerInstance('right', instance(80));
    await sees(b, 'right', [80]);
    await sees(b, 'wrong', []);
  },

  async 'persistent-refused'(a) {
    const lasting = instance(80, { ephemeral: false });
    await refused('a persistent instance', () => a.registerInstance('lasting', lasting));
  },

  async 'config-refused'() {
    const config = new NacosConfigClient({ serverAddr: process.env.SUITE_A, logger, cacheDir: process.env.SUITE_DIR });
    config.on('error', error => logger.error(error));
    await refused('publishing a configuration', async () => {
      await config.ready();
      const done = await config.publishSingle('d', GROUP, 'c');
      if (!done) throw new Error('answered false');
    });
    config.close();
  },
};

async function observe(b) {
  const watcher = new Watcher();
  await b.registerInstance(HELD, instance(STAYS));
  b.subscribe(HELD, watcher.listener);
  say({ observing: HELD });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [ word, what, ...more ] = line.split(' ');
    try {
      switch (word) {
        case 'present':
          await watcher.until(line, hosts => hosts.has(what));
          say({ present: what });
          break;
        case 'absent':
          await watcher.until(line, hosts => !hosts.has(what));
          say({ absent: what });
          break;
        case 'mark':
          watcher.removed.clear();
          say({ marked: true });
          break;
        case 'removed':
          say({ removed: [...watcher.removed] });
          break;
        case 'sees':
          await sees(b, what, more.map(Number));
          say({ sees: what });
          break;
        case 'end':
          return;
        default:
          throw new Error(`no such question: ${line}`);
      }
    } catch (error) {
      say({ [word]: false, error: String(error) });
    }
  }
}

async function main() {
  say({ sdk: 'nacos (Node.js)', version: require('nacos/package.json').version });
  const a = await client('SUITE_A');
  const b = await client('SUITE_B');
  const only = (process.env.SUITE_CASES || '').split(' ').filter(Boolean);
  for (const [ name, run ] of Object.entries(cases)) {
    if (only.length && !only.includes(name)) continue;
    try {
      const note = await run(a, b);
      say({ case: name, ok: true, note });
    } catch (error) {
      say({ case: name, ok: false, why: String(error) });
    }
  }
  say({ cases: 'done' });
  await observe(b);
}

async function hold() {
  const who = await client('SUITE_ALL');
  // Beats every second, so that the driver need not wait for half a minute.
  const metadata = {
    'preserved.heart.beat.interval': '1000',
    'preserved.heart.beat.timeout': '3000',
    'preserved.ip.delete.timeout': '6000',
  };
  await who.registerInstance(HELD, instance(HELD_PORT, { metadata }));
  say({ holding: `10.1.0.1:${HELD_PORT}` });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line === 'end') return;
  }
}

const roles = { main, hold };
roles[process.argv[2]]().then(() => process.exit(0), error => {
  console.error(error);
  process.exit(1);
});
