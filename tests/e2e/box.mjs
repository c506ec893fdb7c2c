// A whole box as `packaging/try` makes it, for suites in node: started once, stopped at the end.
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const source = process.env.CLINIC_SOURCE_DIR;
const tryIt = join(source, 'packaging', 'try');

// Exit code and output; never throws.
export function run(command, words, { input, timeout = 120_000 } = {}) {
  return new Promise((resolve) => {
    const child = execFile(command, words, { timeout, maxBuffer: 16 << 20 }, (error, out, complaint) =>
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : -1) : 0, out, complaint }));
    child.stdin.on('error', () => {});     // it may have ended before it read
    child.stdin.end(input ?? '');
  });
}

// Looks again and again until it holds; the condition is what is waited for, never the time.
export async function eventually(holds, what, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await holds();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`this did not come about in ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export class Box {
  static async start(portBase) {
    const box = new Box();
    box.folder = mkdtempSync(join(tmpdir(), 'clinic-box-'));
    chmodSync(box.folder, 0o711);
    const tried = await run(tryIt, ['--empty', '--detach', '--dir', box.folder, '--port-base', String(portBase)],
      { timeout: 1_200_000 });
    if (tried.code !== 0) throw new Error(`packaging/try: ${tried.complaint}`);
    box.endpoints = JSON.parse(readFileSync(join(box.folder, 'endpoints.json'), 'utf8'));
    box.ca = readFileSync(box.endpoints.console_ca);
    return box;
  }
  async stop() {
    await run(tryIt, ['stop', '--dir', this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  get url() { return this.endpoints.console; }

  request(path, { method = 'GET' } = {}) {
    return new Promise((resolve, reject) => {
      const asked = https.request(this.url + path, { ca: this.ca, method, agent: false, timeout: 20_000 }, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts).toString() }));
        answer.on('error', reject);
      });
      asked.on('timeout', () => asked.destroy(new Error('no answer')));
      asked.on('error', reject);
      asked.end();
    });
  }
  async status() {
    try { return JSON.parse((await this.request('/api/v1/status')).body); } catch { return {}; }
  }
  // Live events: the head of the answer, and each status as it comes. The caller ends it.
  listen(onStatus, onEnd = () => {}) {
    return new Promise((resolve, reject) => {
      const asked = https.request(this.url + '/api/v1/events', { ca: this.ca, agent: false }, (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part) => {
          text += part;
          for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
            const data = /^data: (.*)$/m.exec(text.slice(0, end));
            if (data) onStatus(data[1]);
          }
        });
        answer.on('close', onEnd);
        answer.on('error', onEnd);
        resolve({ answer, end: () => asked.destroy() });
      });
      asked.on('error', reject);
      asked.end();
    });
  }
  ctl(...words) {
    const [command, ...first] = this.endpoints.clinicctl;
    return run(command, [...first, ...words]);
  }
  // One MLLP frame, and the answer.
  send(message) {
    return new Promise((resolve, reject) => {
      const [host, port] = this.endpoints.mllp.split(':');
      const socket = net.connect(Number(port), host, () => socket.write(`\x0b${message}\x1c\r`));
      let answer = '';
      socket.setTimeout(20_000, () => socket.destroy(new Error('no answer')));
      socket.on('data', (part) => { answer += part; if (answer.includes('\x1c')) { socket.end(); resolve(answer); } });
      socket.on('error', reject);
    });
  }

  // The process of a program: clinicd, clinic-syncd, ghl-emulator, clinic-supervise, mosquitto. 0: there is none.
  pid(name) {
    for (const process of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      try {
        const exe = readlinkSync(`/proc/${process}/exe`);
        const words = readFileSync(`/proc/${process}/cmdline`, 'utf8');
        if (exe === join(this.folder, 'bin', name) || (exe.endsWith(`/${name}`) && words.includes(`${this.folder}/`)))
          return Number(process);
      } catch { /* it has ended meanwhile */ }
    }
    return 0;
  }
  signal(name, signal) {
    const pid = this.pid(name);
    if (pid === 0) throw new Error(`${name} does not run`);
    process.kill(pid, signal);
    return pid;
  }
  // Dead and not started again, until `revive`.
  kill(name) {
    this.signal('clinic-supervise', 'SIGSTOP');
    return this.signal(name, 'SIGKILL');
  }
  revive() { this.signal('clinic-supervise', 'SIGCONT'); }
  // Numbers of /proc/<pid>/status, such as Threads or VmRSS (kB).
  proc(name) {
    const lines = readFileSync(`/proc/${this.pid(name)}/status`, 'utf8').split('\n');
    return Object.fromEntries(lines.map((line) => line.split(':')).map(([key, value]) => [key, parseInt(value, 10)]));
  }
}

const stamp = (at) => at.toISOString().replace(/[-:T]/g, '').slice(0, 14);
let sent = 0;

// A registration of somebody nobody knows yet.
export function registration() {
  const now = stamp(new Date());
  const id = `${Date.now()}${++sent}`;
  return `MSH|^~\\&|PMS|CLINIC|BOX|EDGE|${now}+0000||ADT^A28|C${id}|P|2.5.1\rEVN|A28|${now}+0000\r` +
    `PID|1||N${id}^^^CLINIC^MR||Quillfeather^Ottoline||19800102|F|||12 Elm Street^^Salem^OR^97301||^PRN^CP^^^503^5550199\r`;
}

// A message that cannot be understood, and is another each time.
export const nonsense = () => `MSH|^~\\&|nonsense${Date.now()}${++sent}`;

// Free of the other suites' ranges.
export const portBase = (from) => from + (process.pid % 100) * 10;
