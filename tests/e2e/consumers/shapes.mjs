// The shapes of docs/mqtt.md: closed objects, key by key. Each key named here is looked for in that page as well.
const is = {
  bool: (value) => typeof value === 'boolean',
  count: (value) => Number.isInteger(value) && value >= 0,
  text: (value) => typeof value === 'string' && value !== '',
  code: (value) => /^[a-z0-9_]{0,32}$/.test(value),
  version: (value) => /^\d+\.\d+\.\d+$/.test(value),
  ms: (value) => Number.isInteger(value) && value > 1_700_000_000_000 && value < 10_000_000_000_000,
};
const one = (...words) => (value) => words.includes(value);
const only = (literal) => (value) => value === literal;
const band = one('0', 'lt11', '11_25', '26_50', '51_100', '101_250', 'gt250');

const state = { v: only(1), box: is.text, online: is.bool, session: is.count, reason: one('connected', 'shutdown', 'lwt') };
const heading = (type, data) => ({ v: only(1), msg_id: is.text, box: is.text, session: is.count, seq: is.count, ts: is.ms, sent_ts: is.ms,
  type: only(type), data });
const feed = { state: one('up', 'stale', 'off'), received: band, stored: band, quarantined: band, refused: band, duplicate: band };
const metrics = {
  mode: one('running', 'locked', 'damaged', 'full', 'clock-untrusted', 'restoring', 'draining'), uptime_s: is.count, version: is.version,
  basis: one('off', 'deid', 'authorized', 'baa', 'consumer_consent'), queue: is.count,
  oldest: one('lt1m', 'lt15m', 'lt1h', 'lt1d', 'ge1d'), dead: band,
  disk_free_percent: (value) => is.count(value) && value <= 100 && value % 5 === 0,
  clock_trusted: is.bool, kernel_clock: is.bool, contained: is.bool, chain: one('ok', 'broken'),
  crm: one('up', 'paused', 'down'), crm_code: is.code, feeds: { mllp: feed, csv: feed },
};
const event = { number: is.count, code: (value) => /^E\d{4}$/.test(value), severity: one('info', 'warn', 'error', 'critical') };

export const shapes = { state, metrics: heading('metrics', metrics), event: heading('event', event) };

// What is wrong with a value, with its place: nothing missing, nothing more, each value in its range.
export function faults(shape, value, place = '') {
  if (typeof shape === 'function') return shape(value) ? [] : [`${place}: ${JSON.stringify(value)}`];
  if (typeof value !== 'object' || value === null) return [`${place}: not an object`];
  const more = Object.keys(value).filter((key) => !(key in shape)).map((key) => `${place}.${key}: not in the shape`);
  return more.concat(Object.entries(shape).flatMap(([key, part]) =>
    key in value ? faults(part, value[key], `${place}.${key}`) : [`${place}.${key}: missing`]));
}

export function keys(shape) {
  return Object.entries(shape).flatMap(([key, part]) => (typeof part === 'function' ? [key] : [key, ...keys(part)]));
}

export const kind = (topic) => /^clinic\/[a-z0-9-]+\/(?:up\/v1\/)?(state|metrics|event)$/.exec(topic)?.[1];
