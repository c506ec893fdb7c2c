// Keeps the page alive: each event carries the whole status, and the elements that show a part of it are set again.

import { exactly, exactTime, mark, moment, needSince, number, say, show, word, type Moment } from "./say";
import type { Dead, Need, Part, Status } from "./status";

const lostVisibleAfter = 15_000;     // ms: a reconnect of five seconds is not news
const silentAfter = 20_000;          // ms: the box sends an event each 15 seconds at least

let status: Status | undefined;
let cameAt = 0;
let heardAt = performance.now();
let announced = "";
let needsShown = "";
let partsShown = "";
let sendersShown = "";
let deadShown = "";
let lostTimer: number | undefined;

function element(tag: string, className: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  if (className !== "") made.className = className;
  made.textContent = text;
  return made;
}

function shape(): Node {
  return document.querySelector(".shape")!.cloneNode(true);
}

function tint(target: HTMLElement): void {
  target.classList.remove("changed");
  void target.offsetWidth;             // starts the animation again
  target.classList.add("changed");
}

// Ages tick by themselves; only what the box counted or said is worth a tint.
function setText(target: HTMLElement, text: string, ticking: boolean): void {
  if (target.textContent === text) return;
  target.textContent = text;
  if (!ticking) tint(target);
}

function needLine(need: Need, now: Moment, open: boolean): HTMLElement {
  const line = document.createElement("li");
  line.dataset.state = need.state;
  line.dataset.code = need.code;
  const what = element("p", "what", "");
  const code = element("a", "code", need.code) as HTMLAnchorElement;
  code.href = `/help/${need.code}`;
  code.setAttribute("aria-label", `${word("page.help")} ${need.code}`);
  const when = element("span", "when", needSince(need.since, now));
  when.title = exactly(need.since, now);
  what.append(shape(), element("strong", "", need.what), when, code);
  const details = document.createElement("details");
  details.open = open;
  details.append(element("summary", "", word("page.details")), element("p", "", need.meaning), element("p", "", need.by_itself));
  if (need.cause !== "") details.append(element("p", "quiet", `${word("page.technician")} ${need.cause}${need.remedy === "" ? "" : `; ${need.remedy}`}`));
  line.append(what, element("p", "action", need.action), details);
  return line;
}

// Built again only when they read differently, so that what a person has opened or focused stays.
function showNeeds(needs: Need[], now: Moment): void {
  const wanted = JSON.stringify(needs.map((need) => [need, needSince(need.since, now)]));
  if (wanted === needsShown) return;
  needsShown = wanted;
  const list = document.getElementById("needs")!;
  const open = new Set(Array.from(list.querySelectorAll("details[open]"), (one) => one.closest("li")?.dataset.code));
  const focused = document.activeElement?.closest<HTMLElement>("#needs li")?.dataset.code;
  const onSummary = document.activeElement?.tagName === "SUMMARY";
  list.replaceChildren(...needs.map((need) => needLine(need, now, open.has(need.code))));
  if (focused === undefined) return;
  list.querySelector<HTMLElement>(`li[data-code="${focused}"] ${onSummary ? "summary" : "a"}`)?.focus();
}

function partLine(part: Part): HTMLElement {
  const line = document.createElement("li");
  line.dataset.state = part.holds ? "well" : "look";
  const said = `${part.part}: ${word(part.holds ? "containment.holds" : "containment.not")}`;
  line.append(shape(), element("span", "", said), element("span", "detail", part.detail));
  return line;
}

function showParts(parts: Part[]): void {
  const wanted = JSON.stringify(parts);
  if (wanted === partsShown) return;
  partsShown = wanted;
  const lines = parts.length > 0 ? parts.map(partLine) : [element("li", "", word("containment.none"))];
  document.getElementById("parts")!.replaceChildren(...lines);
}

function deadLine(one: Dead, now: Moment): HTMLElement {
  const line = document.createElement("li");
  line.dataset.state = "look";
  const said = `${number(one.letters)} · ${word(`dead.${one.class}`)} · ${needSince(one.first_at, now)}`;
  line.append(shape(), element("span", "", said), element("span", "detail", word(`dead.${one.class}.next`)));
  return line;
}

function showDead(dead: Dead[], open: boolean, now: Moment): void {
  const wanted = JSON.stringify([open, dead.map((one) => [one, needSince(one.first_at, now)])]);
  if (wanted === deadShown) return;
  deadShown = wanted;
  const lines = dead.map((one) => deadLine(one, now));
  const none = element("li", "", word(open ? "dead.none" : "page.closed"));
  document.getElementById("dead")!.replaceChildren(...(lines.length > 0 ? lines : [none]));
}

// The ages in it are set like all the others.
function showSenders(feeds: Status["feeds"], open: boolean): void {
  const names = Object.keys(feeds).filter((name) => feeds[name]?.sender_of !== undefined).sort();
  const keeping = (name: string): string => (open ? feeds[name]?.state : undefined) ?? "nothing_expected";
  const wanted = names.map((name) => `${name}:${keeping(name)}`).join(" ");
  if (wanted === sendersShown) return;
  sendersShown = wanted;
  document.getElementById("senders")!.replaceChildren(...names.map((name) => {
    const line = document.createElement("div");
    const last = document.createElement("dd");
    const age = element("span", "", "");
    age.dataset.show = `ago:feeds.${name}.last_message_s`;
    last.append(age);
    if (keeping(name) !== "nothing_expected") {
      line.dataset.state = keeping(name) === "silent" ? "look" : "well";
      last.prepend(shape());
      last.append(element("span", "", ` · ${word(`feeds.${keeping(name)}`)}`));
    }
    line.append(element("dt", "", `${word("feeds.sender")} ${name}`), last);
    return line;
  }));
}

// Spoken only when a state changed, never for a number or an age.
function announce(now: Moment): void {
  const { box, ghl, needs } = status!.answers;
  const key = [box.state, ghl.state, ghl.state === "well" ? "" : ghl.key, ...status!.needs.map((need) => need.code)].join(" ");
  if (announced !== "" && announced !== key) {
    const sentences = [box, ghl, needs].map((said) => say(said.key, { n: said.n, age: said.age_s ?? -1, at: Date.parse(said.at ?? "") / 1000 || 0 }, now));
    document.getElementById("announce")!.textContent = `${sentences.join(". ")}.`;
  }
  announced = key;
}

function render(): void {
  if (status === undefined) return;
  const now = moment(status, (performance.now() - cameAt) / 1000);
  showSenders(status.feeds, status.store.open);
  for (const target of document.querySelectorAll<HTMLElement>("[data-mark]")) target.dataset.state = mark(status, target.dataset.mark!);
  for (const target of document.querySelectorAll<HTMLElement>("[data-show]")) {
    const directive = target.dataset.show!;
    const title = exactTime(status, directive, now);
    if (title !== "" && !target.matches(":hover")) target.title = title;
    setText(target, show(status, directive, now), /^(ago|span|since|exact|sentence|bytes)/.test(directive));
  }
  showNeeds(status.needs, now);
  showParts(status.containment.parts);
  showDead(status.queue.crm.dead, status.store.open, now);
  announce(now);
}

function live(state: "live" | "lost", words: string): void {
  const sign = document.getElementById("live")!;
  if (sign.dataset.live === state) return;
  sign.dataset.live = state;
  sign.textContent = words;
}

function found(): void {
  window.clearTimeout(lostTimer);
  lostTimer = undefined;
  live("live", word("page.live"));
}

function lost(): void {
  lostTimer ??= window.setTimeout(() => live("lost", word("page.reconnecting")), lostVisibleAfter);
}

let source: EventSource;

// EventSource gives up for good on an answer that is no event stream: then a new one is made.
function listen(): void {
  source = new EventSource("/api/v1/events");
  source.addEventListener("status", (event: MessageEvent<string>) => {
    status = JSON.parse(event.data) as Status;
    cameAt = heardAt = performance.now();
    found();
    render();
  });
  source.onerror = () => {
    lost();
    if (source.readyState === EventSource.CLOSED) window.setTimeout(listen, 5_000);
  };
}

// A box that hangs ends no connection: its silence is what tells.
function tick(): void {
  if (performance.now() - heardAt > silentAfter && source.readyState !== EventSource.CLOSED) {
    heardAt = performance.now();
    live("lost", word("page.reconnecting"));
    source.close();
    listen();
  }
  render();
}

listen();
window.setInterval(tick, 1_000);
