// Numbers, ages and sentences in words. daemon/web/words/words.cpp and daemon/web/values.cpp are the twins.

import words from "../words/en.json";
import { at, type Sentence, type Status } from "./status";

const catalogue: Record<string, string> = words;
const minute = 60, hour = 3600, day = 86400;

export function word(key: string): string {
  return catalogue[key] ?? key;
}

// The moment a sentence is said at: the status' own, moved on by what has passed since it came.
export interface Moment {
  seconds: number;      // since the epoch
  passed: number;       // seconds since the status came
  zone: number;         // minutes east of UTC
}

export function moment(status: Status, passed: number): Moment {
  return { seconds: epoch(status.at) + passed, passed, zone: status.clock.zone_minutes };
}

function epoch(time: unknown): number {
  return typeof time === "string" ? Date.parse(time) / 1000 : 0;
}

function wall(seconds: number, now: Moment): Date {
  return new Date((seconds + now.zone * 60) * 1000);     // its UTC fields are the clinic's local ones
}

const two = (value: number): string => String(value).padStart(2, "0");
const clock = (seconds: number, now: Moment): string =>
  `${two(wall(seconds, now).getUTCHours())}:${two(wall(seconds, now).getUTCMinutes())}`;

function sameDay(a: number, b: number, now: Moment): boolean {
  return wall(a, now).toISOString().slice(0, 10) === wall(b, now).toISOString().slice(0, 10);
}

function dayAndMonth(seconds: number, now: Moment): string {
  const time = wall(seconds, now);
  return `${time.getUTCDate()} ${word(`month.${time.getUTCMonth() + 1}`)}`;
}

function date(seconds: number, now: Moment): string {
  const year = wall(seconds, now).getUTCFullYear();
  const thisYear = year === wall(now.seconds, now).getUTCFullYear();
  return dayAndMonth(seconds, now) + (thisYear ? "" : ` ${year}`);
}

function exact(seconds: number, now: Moment): string {
  const time = wall(seconds, now);
  return `${dayAndMonth(seconds, now)} ${time.getUTCFullYear()}, ${clock(seconds, now)}:${two(time.getUTCSeconds())}`;
}

interface Values {
  n?: number;
  age?: number;         // -1: never
  at?: number;
}

export function say(key: string, values: Values, now: Moment): string {
  const n = values.n ?? 0;
  const form = catalogue[key] ?? word(`${key}.${n === 1 ? "one" : "other"}`);
  return form.replace(/\{(\w+)\}/g, (_, place: string) => {
    switch (place) {
      case "n": return number(n);
      case "ago": return ago(values.age ?? -1, now);
      case "span": return span(values.age ?? 0, now);
      case "since": return since(values.at ?? 0, now);
      case "date": return date(values.at ?? 0, now);
      default: return clock(values.at ?? 0, now);
    }
  });
}

export function number(value: number): string {
  return Math.trunc(value).toLocaleString("en-US");
}

function ago(age: number, now: Moment): string {
  if (age < 0) return word("page.never");
  if (age < 2) return word("time.now");
  if (age < minute) return say("time.seconds_ago", { n: Math.trunc(age) }, now);
  if (age < hour) return say("time.minutes_ago", { n: Math.trunc(age / minute) }, now);
  const then = now.seconds - age;
  return say(sameDay(then, now.seconds, now) ? "time.at" : "time.on", { at: then }, now);
}

function span(seconds: number, now: Moment): string {
  if (seconds < minute) return say("time.seconds", { n: Math.trunc(Math.max(seconds, 0)) }, now);
  if (seconds < hour) return say("time.minutes", { n: Math.trunc(seconds / minute) }, now);
  if (seconds < 2 * day) return say("time.hours", { n: Math.trunc(seconds / hour) }, now);
  return say("time.days", { n: Math.trunc(seconds / day) }, now);
}

function since(seconds: number, now: Moment): string {
  return sameDay(seconds, now.seconds, now) ? clock(seconds, now) : date(seconds, now);
}

function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit + 1 < units.length) { value /= 1000; unit++; }
  return `${value.toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}

const age = (value: unknown, now: Moment): number => (typeof value === "number" ? value + now.passed : -1);
const count = (value: unknown): number => (typeof value === "number" ? value : 0);

function sentence(said: Sentence, now: Moment): string {
  return say(said.key, { n: said.n, age: age(said.age_s, now), at: epoch(said.at) }, now);
}

export function needSince(time: string, now: Moment): string {
  return say("page.since", { at: epoch(time) }, now);
}

export function exactly(time: string, now: Moment): string {
  return exact(epoch(time), now);
}

// Counts, ages and the basis lie in the records: while those are closed nobody knows them.
function isKnown(status: Status, path: string): boolean {
  return status.store.open || path === "store.disk_free_percent" || !/^(egress|queue|intake|feeds|basis|store)\./.test(path);
}

// The state of an element: "lane:lanes.crm.state".
export function mark(status: Status, directive: string): string {
  const [kind = "", path = ""] = directive.split(":");
  const value = at(status, path);
  if (kind === "state") return String(value);
  if (kind === "lane") return value === "up" ? "well" : value === "unknown" || value === "unset" ? "information" : "look";
  if (kind === "open") return value === true ? "open" : "closed";
  if (!isKnown(status, path)) return "information";
  return value === true ? "well" : "look";
}

// The text of an element: "n:egress.crm.pending".
export function show(status: Status, directive: string, now: Moment): string {
  const [kind = "", path = "", second = "", third = ""] = directive.split(":");
  const value = at(status, path);
  if (!isKnown(status, kind === "word" ? second : path)) return word("page.not_known");
  switch (kind) {
    case "n": return number(count(value));
    case "ago": return ago(age(value, now), now);
    case "span": return count(value) > 0 ? span(count(value) + now.passed, now) : word("page.none");
    case "bytes": return bytes(count(value));
    case "word": {
      const said = String(at(status, second));
      return catalogue[path + said] ?? said;
    }
    case "sentence": return sentence(value as Sentence, now);
    case "since": return needSince(String(value), now);
    case "date": return typeof value === "string" ? date(epoch(value), now) : word("page.none");
    case "exact": return exact(epoch(value), now);
    case "seconds": return typeof value === "number" ? say("clock.seconds", { n: value }, now) : word("page.not_said");
    case "either": return word(value === true ? second : third);
    case "balance": return word(value === true ? "page.adds_up" : "page.adds_not");
    default: return "";
  }
}

// The exact time behind a relative one, for its title.
export function exactTime(status: Status, directive: string, now: Moment): string {
  const [kind = "", path = ""] = directive.split(":");
  const value = at(status, path);
  if (!isKnown(status, path)) return "";
  if (kind === "ago" && typeof value === "number") return exact(now.seconds - age(value, now), now);
  if (kind === "since") return exactly(String(value), now);
  return "";
}
