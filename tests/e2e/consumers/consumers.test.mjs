// Programs nobody here wrote read what the box publishes: mqtt.js, mosquitto_sub with jq, promtool, curl, a text browser.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import mqtt from 'mqtt';
import { Box, eventually, portBase, registration, run } from './box.mjs';
import { faults, keys, kind, shapes } from './shapes.mjs';

let box, ops;
const heard = [];     // every message of this run, in order

// Central ops, written by others: MQTT 5 over mutual TLS, everything of every box.
async function listen() {
  const { host, port, ca, cert, key } = box.endpoints.mqtt;
  const client = await mqtt.connectAsync(`mqtts://${host}:${port}`, { protocolVersion: 5, clean: true, reconnectPeriod: 0,
    ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) });
  const messages = [];
  client.on('message', (topic, payload, packet) => {
    const message = { topic, text: payload.toString(), retained: packet.retain, qos: packet.qos,
      expiry: packet.properties?.messageExpiryInterval, at: Date.now() };
    messages.push(message);
    heard.push(message);
  });
  await client.subscribeAsync('clinic/#', { qos: 1 });
  return { messages, end: () => client.endAsync(true) };
}
const of = (messages, wanted) => messages.filter(({ topic }) => kind(topic) === wanted).map((one) => ({ ...one, told: JSON.parse(one.text) }));
const states = () => of(ops.messages, 'state');
const basis = (...words) => box.ctl('basis', 'set', ...words);
const sub = (...words) => {
  const { host, port, ca, cert, key } = box.endpoints.mqtt;
  return ['-V', '5', '-h', host, '-p', String(port), '--cafile', ca, '--cert', cert, '--key', key, ...words];
};
// What a shell's pipe does: the first program's output is the second's input. The first one ends by itself, or is told
// to when `until` has come about.
function pipe(first, second, until) {
  return new Promise((resolve, reject) => {
    const from = spawn(first[0], first.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    until?.then(() => from.kill('SIGTERM'), (failed) => { from.kill('SIGTERM'); reject(failed); });
    const ended = new Promise((over) => { from.on('exit', over); });
    const to = spawn(second[0], second.slice(1), { stdio: [from.stdout, 'pipe', 'pipe'] });
    let out = '', complaint = '';
    to.stdout.on('data', (part) => { out += part; });
    to.stderr.on('data', (part) => { complaint += part; });
    to.on('close', async (code) => resolve({ code, out, complaint, first: await ended }));
  });
}
const curl = (...words) => ['curl', '--silent', '--show-error', '--max-time', '20', '--cacert', box.endpoints.console_ca, ...words];

describe('consumers nobody here wrote', () => {
  before(async () => {
    box = await Box.start(portBase(26_000));
    ops = await listen();
  }, { timeout: 1_500_000 });
  after(async () => {
    await ops?.end();
    await box?.stop();
  });

  describe('mqtt.js', () => {
    it('hears the retained state at once, as one who comes late', async () => {
      const first = await eventually(() => states()[0], 'a state');
      assert.equal(first.retained, true);
      assert.deepEqual(faults(shapes.state, first.told), []);
      assert.deepEqual([first.told.box, first.told.online, first.told.reason], [box.endpoints.box, true, 'connected']);
    });
    it('hears metrics that expire and follow what the box does', async () => {
      await box.send(registration());
      const told = await eventually(() => of(ops.messages, 'metrics').find(({ told: { data } }) => data.feeds.mllp.received === 'lt11'),
        'metrics with the message in them');
      assert.deepEqual([told.retained, told.qos], [false, 1]);
      assert.ok(told.expiry > 3_500 && told.expiry <= 3_600, String(told.expiry));
    });
    it('hears an event, once acknowledged not again', async () => {
      await basis('off');
      const told = await eventually(() => of(ops.messages, 'event').find(({ told: { data } }) => data.code === 'E2201'), 'the event');
      assert.equal(told.told.msg_id, `${box.endpoints.box}-e${told.told.data.number}`);
      assert.equal(told.told.data.severity, 'warn');
      await basis('baa', '--evidence', join(box.folder, 'etc', 'baa-demo.txt'), '--expires', '2099-01-01');
      const later = of(ops.messages, 'metrics').length;
      await eventually(() => of(ops.messages, 'metrics').length > later, 'more metrics');
      assert.equal(of(ops.messages, 'event').filter(({ told: { data } }) => data.number === told.told.data.number).length, 1);
    });
    it('hears the will after kill -9, and a higher session when the box is back', async () => {
      const session = states().at(-1).told.session;
      box.kill('clinic-syncd');
      const will = await eventually(() => states().find(({ told }) => told.reason === 'lwt'), 'the will');
      assert.deepEqual([will.told.online, will.told.session], [false, session]);
      const late = await listen();
      const kept = await eventually(() => of(late.messages, 'state')[0], 'the state for one who comes late');
      assert.deepEqual([kept.retained, kept.told.reason], [true, 'lwt']);
      await late.end();
      box.revive();
      const back = await eventually(() => states().find(({ told }) => told.session > session), 'the next session');
      assert.deepEqual([back.told.online, back.told.reason], [true, 'connected']);
    });
    it('hears a clean stop, and nothing is older than what came before it', async () => {
      const session = states().at(-1).told.session;
      box.signal('clinic-syncd', 'SIGTERM');
      const stop = await eventually(() => states().find(({ told }) => told.reason === 'shutdown'), 'the clean stop');
      assert.equal(stop.told.session, session);
      await eventually(() => states().at(-1).told.session > session, 'the next session');
      await eventually(() => of(ops.messages, 'metrics').some(({ told }) => told.session > session), 'metrics of that session');
      const numbers = ops.messages.filter(({ topic }) => kind(topic) !== 'state').map(({ text }) => JSON.parse(text));
      const grows = (key) => numbers.every((one, i) => i === 0 || one[key] >= numbers[i - 1][key]);
      assert.ok(grows('session') && grows('seq'), JSON.stringify(numbers.map(({ session: s, seq }) => [s, seq])));
      assert.equal(new Set(numbers.map(({ seq }) => seq)).size, numbers.length, 'a number twice');
      assert.equal(new Set(numbers.map(({ msg_id }) => msg_id)).size, numbers.length, 'an id twice');
    });
    it('understands every message that was told, and the documentation names every key of it', (test) => {
      const page = readFileSync(join(process.env.CLINIC_SOURCE_DIR, 'docs', 'mqtt.md'), 'utf8');
      for (const shape of Object.values(shapes))
        for (const key of keys(shape)) assert.match(page, new RegExp(`\\b${key}\\b`), `docs/mqtt.md does not name ${key}`);
      for (const { topic, text } of heard) {
        assert.ok(kind(topic), `${topic} is not documented`);
        assert.deepEqual(faults(shapes[kind(topic)], JSON.parse(text)), [], text);
        assert.doesNotMatch(text, /p_[0-9a-z]{20}|Quillfeather|Ottoline|CEpid/, 'something of a patient');
      }
      test.diagnostic(`${heard.length} messages, of them ${['state', 'metrics', 'event'].map((one) => `${of(heard, one).length} ${one}`).join(', ')}`);
    });
    it('would see a shape that is wrong', () => {
      const good = JSON.parse(of(heard, 'metrics')[0].text);
      for (const wrong of [{ ...good, more: 1 }, { ...good, seq: '1' }, { ...good, data: { ...good.data, queue: -1 } },
        { ...good, data: { ...good.data, feeds: { mllp: good.data.feeds.mllp } } }])
        assert.notDeepEqual(faults(shapes.metrics, wrong), []);
    });
  });

  describe('mosquitto_sub with jq', () => {
    it('reads all that is published, message by message', async () => {
      const from = ops.messages.length;
      const told = () => ops.messages.slice(from).map(({ topic, text }) => [kind(topic), JSON.parse(text).reason].filter(Boolean).join(' '));
      const everything = async () => {
        await eventually(() => told().includes('metrics'), 'metrics');
        await basis('off');
        await eventually(() => told().includes('event'), 'an event');
        await basis('baa', '--evidence', join(box.folder, 'etc', 'baa-demo.txt'), '--expires', '2099-01-01');
        box.kill('clinic-syncd');
        await eventually(() => told().includes('state lwt'), 'the will');
        box.revive();
        await eventually(() => told().at(-1) === 'metrics', 'it is back');
        box.signal('clinic-syncd', 'SIGTERM');
        await eventually(() => told().includes('state shutdown'), 'the clean stop');
        await eventually(() => told().at(-1) === 'metrics', 'it is back again');
      };
      const seen = await pipe(['mosquitto_sub', ...sub('-t', 'clinic/#', '-F', '%J')],
        ['jq', '-c', '--unbuffered', '-f', join(process.cwd(), 'shapes.jq')], everything());
      assert.equal(seen.complaint, '');
      const lines = seen.out.trim().split('\n').map((line) => JSON.parse(line));
      assert.deepEqual(lines.filter(([, good]) => !good), []);
      assert.deepEqual([...new Set(lines.map(([what]) => what))].sort(), ['event', 'metrics', 'state connected', 'state lwt', 'state shutdown']);
    });
    it('would see a message that is not as documented', async () => {
      const wrong = await run('jq', ['-c', '-f', 'shapes.jq'],
        { input: '{"topic":"clinic/x/state","payload":{"v":1,"box":"x","online":"yes","session":1,"reason":"lwt"}}' });
      assert.equal(wrong.out, '["state lwt",false]\n');
    });
  });

  describe('Prometheus', () => {
    it('promtool has nothing to say against /metrics', async () => {
      const checked = await pipe(curl('--fail', `${box.url}/metrics`), ['promtool', 'check', 'metrics']);
      assert.deepEqual(checked, { code: 0, out: '', complaint: '', first: 0 });
      const { body } = await box.request('/metrics');
      assert.ok(body.match(/^# TYPE /gm).length > 30, 'it had next to nothing to read');
    });
    it('promtool would say so', async () => {
      const checked = await run('promtool', ['check', 'metrics'], { input: '# TYPE clinic_x counter\nclinic_x 1\n' });
      assert.notEqual(checked.code, 0);
    });
  });

  describe('curl', () => {
    const ask = async (...words) => (await run(...[curl(...words)].map(([command, ...rest]) => [command, rest])[0])).out;
    it('reads the status, the health and a refusal', async () => {
      assert.equal(JSON.parse(await ask(`${box.url}/api/v1/status`)).format, 1);
      assert.deepEqual(JSON.parse(await ask(`${box.url}/api/health`)), { alive: true, ready: true, mode: 'running' });
      assert.equal(JSON.parse(await ask(`${box.url}/api/nothing`)).error, 'not_found');
      assert.equal(await ask('-o', '/dev/null', '-w', '%{http_code} %{content_type}', `${box.url}/`), '200 text/html; charset=utf-8');
    });
    it('reads live events', async () => {
      const live = await ask('--no-buffer', '--max-time', '3', `${box.url}/api/v1/events`);
      assert.match(live, /^id: \d+\nevent: status\ndata: \{.*"format":1/m);
    });
  });

  describe('b2sum', () => {
    const sum = (bytes) => spawnSync('b2sum', ['-l', '256'], { input: bytes }).stdout.toString().slice(0, 64);
    const whole = (value, size) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(BigInt(value));
      return bytes.subarray(8 - size);
    };
    // docs/audit.md, "The hash".
    const canonical = (link) => {
      const detail = Buffer.from(link.detail);
      return Buffer.concat([Buffer.from('clinic-audit-1'), whole(link.number, 8), whole(link.at, 8), whole(link.kind, 1), whole(link.refers, 8),
        whole(link.actor, 1), whole(link.actor_id, 8), whole(link.action, 1), whole(link.purpose, 1), whole(detail.length, 2), detail,
        whole(link.subjects.length, 4), ...link.subjects.map((subject) => Buffer.from(subject, 'hex'))]);
    };
    it('verifies the audit chain that was exported, link by link', async () => {
      const [head, ...links] = (await box.ctl('audit', 'export')).out.trim().split('\n').map((line) => JSON.parse(line));
      assert.ok(links.length > 5 && links.some(({ subjects }) => subjects.length > 0), JSON.stringify(links));
      let hash = sum(Buffer.concat([Buffer.from('clinic-audit-1 first'), Buffer.from(head.store, 'hex')]));
      for (const link of links) {
        const wrong = sum(Buffer.concat([Buffer.from(hash, 'hex'), canonical({ ...link, actor_id: link.actor_id + 1 })]));
        hash = sum(Buffer.concat([Buffer.from(hash, 'hex'), canonical(link)]));
        assert.equal(hash, link.hash, `link ${link.number}`);
        assert.notEqual(wrong, hash);
      }
      assert.deepEqual(links.map(({ number }) => number), links.map((_, i) => i + 1));
    });
    it('is told by a list who did what, and why', async () => {
      const { out } = await box.ctl('audit', 'list', '--limit', '3');
      assert.match(out, /operator \d+ +read +security +0\n +audit_list\n/);
      assert.match(out, /audit_export/);
    });
  });

  describe('a text browser', () => {
    it('reads the three answers, then the books, without script or style', async () => {
      const url = box.url.replace('127.0.0.1', 'localhost');     // w3m looks for names alone in a certificate
      const words = ['-dump', '-cols', '80', '-o', `ssl_ca_file=${box.endpoints.console_ca}`, '-o', 'ssl_verify_server=1'];
      const seen = await run('w3m', [...words, `${url}/`]);
      assert.equal(seen.code, 0, seen.complaint);
      const order = ['Is the box well?', 'Is GHL up to date?', 'What needs me?', 'What comes in', 'No way out', 'Released for GHL', 'Clock', 'Version'];
      const places = order.map((text) => seen.out.indexOf(text));
      assert.ok(!places.includes(-1), seen.out);
      assert.deepEqual(places, [...places].sort((a, b) => a - b), seen.out);
      assert.ok(seen.out.split('\n').every((line) => line.length <= 80), 'wider than a terminal');
      for (const answer of ['All well', 'Up to date', 'Nothing needs you']) assert.ok(seen.out.includes(answer), `${answer}: ${seen.out}`);
      await basis('off');
      const needs = await run('w3m', [...words, `${url}/`]);
      for (const said of ['Needs a look', 'Nothing leaves: no legal basis is set', 'E2201']) assert.ok(needs.out.includes(said), `${said}: ${needs.out}`);
      await basis('baa', '--evidence', join(box.folder, 'etc', 'baa-demo.txt'), '--expires', '2099-01-01');
      const help = await run('w3m', [...words, `${url}/help/E2102`]);
      assert.match(help.out, /What to do/);
    });
  });
});
