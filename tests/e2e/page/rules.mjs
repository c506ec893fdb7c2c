// A page opened in Chromium under watch: what it asks for, what it complains of, and what axe finds.
import assert from 'node:assert/strict';
import axe from 'axe-core';

// Every request goes to the box itself, and the console stays empty.
export async function open(world, path, { refused = false, ...options } = {}) {
  const context = await world.browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [], asked = [];
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(String(error)));
  context.on('request', (request) => asked.push(request.url()));
  await page.goto(world.box.url + path);
  return {
    page,
    async close() {
      await context.close();
      assert.deepEqual(asked.filter((url) => new URL(url).origin !== world.box.url), [], 'a request to somebody else');
      // Chromium says so itself when a page is a refusal.
      const own = complaints.filter((text) => !(refused && text.startsWith('Failed to load resource')));
      assert.deepEqual(own, [], 'the console is not empty');
    },
  };
}

// An answer is a large sentence under its question, and no heading; what a state hides another state shows, which is
// looked at as well: axe cannot tell.
const decided = ['p-as-heading', 'hidden-content'];

// All rules of axe, AAA and best practice too; `incomplete` is what axe could not decide by itself.
export async function violations(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const axe = globalThis.axe;
    const rules = Object.fromEntries(axe.getRules().map((rule) => [rule.ruleId, { enabled: true }]));
    const { violations, incomplete, passes } = await axe.run(document, { rules });
    const short = (list) => list.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target} ${node.html.slice(0, 120)}`));
    return { violations: short(violations), incomplete: short(incomplete), passed: passes.length };
  });
  assert.ok(found.passed > 15, 'axe looked at hardly anything');
  return { ...found, incomplete: found.incomplete.filter((line) => !decided.includes(line.split(':')[0])) };
}
