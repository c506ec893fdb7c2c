// The status document (docs/status.md), as far as the page reads it by name; the rest is read by path.

export interface Need {
  code: string;
  state: string;
  since: string;
  what: string;
  meaning: string;
  by_itself: string;
  action: string;
  cause: string;
  remedy: string;
}

export interface Part {
  part: string;
  holds: boolean;
  detail: string;
}

export interface Dead {
  class: string;
  letters: number;
  first_at: string;
}

export interface Sentence {
  state: string;
  key: string;
  n: number;
  age_s: number | null;
  at: string | null;
}

export interface Status {
  at: string;
  answers: { box: Sentence; ghl: Sentence; needs: Sentence };
  needs: Need[];
  feeds: Record<string, { sender_of?: string; state?: string }>;
  queue: { crm: { dead: Dead[] } };
  store: { open: boolean };
  clock: { zone_minutes: number };
  containment: { parts: Part[] };
}

export function at(status: unknown, path: string): unknown {
  let value = status;
  for (const key of path.split(".")) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
