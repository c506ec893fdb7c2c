// What hangs or dies is on the page within 5 seconds, with its cause and the next step, and leaves it by itself.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually, registration } from './box.mjs';
import { open } from './rules.mjs';

const limit_ms = 5_000;

const program = { code: 'E2101', what: 'The delivery program does not answer', action: 'If it lasts ten minutes, restart the box.' };
const ghl = { code: 'E2103', what: 'GHL cannot be reached', action: 'If it lasts an hour, look at GHL\'s own status page.' };
const broker = { code: 'E2106', what: 'Central operations cannot be reached', action: 'If it lasts a day, tell your technician.' };
const internet = { code: 'E2102', what: 'The internet is down', action: 'If others in the clinic are online, pull the box\'s network cable and plug it in again.' };

export function silence(world) {
  const well = () => eventually(async () => {
    const { well: state, lanes } = await world.box.status();
    return state === 'well' && lanes.crm.state === 'up' && lanes.mqtt.state === 'up';
  }, 'the box is well', 120);

  // Milliseconds from `happen` until the page shows it; then it is undone, and the page is well again.
  async function shown(test, { happen, undo, cause, alone = true }) {
    await well();
    const { page, close } = await open(world, '/');
    await page.locator('#live[data-live=live]').waitFor();
    await page.locator('.answer[data-state=well] >> nth=0').waitFor();
    // clinic-syncd knows that somebody looks.
    await page.waitForTimeout(1_500);
    const from = performance.now();
    try {
      await happen();
      await page.locator(`#needs li[data-code=${cause.code}]`).waitFor({ timeout: 30_000 });
      const took = Math.round(performance.now() - from);
      test.diagnostic(`${test.name}: on the page after ${took} ms`);
      const line = page.locator(`#needs li[data-code=${cause.code}]`);
      assert.equal(await line.locator('strong').textContent(), cause.what);
      assert.equal(await line.locator('.action').textContent(), cause.action);
      if (alone) assert.equal(await page.locator('#needs li[data-state=look]').count(), 1, 'one cause, one line');
      assert.ok(took <= limit_ms, `it took ${took} ms`);
    } finally {
      undo();
    }
    await page.locator(`#needs li[data-code=${cause.code}]`).waitFor({ state: 'detached', timeout: 120_000 });
    await close();
    await well();
  }
  const stopped = (name) => ({ happen: () => world.box.signal(name, 'SIGSTOP'), undo: () => world.box.signal(name, 'SIGCONT') });
  const killed = (name) => ({ happen: () => world.box.kill(name), undo: () => world.box.revive() });

  describe('a silence is on the page within 5 seconds', () => {
    it('of a hung clinic-syncd', (test) => shown(test, { ...stopped('clinic-syncd'), cause: program }));
    it('of a dead clinic-syncd', (test) => shown(test, { ...killed('clinic-syncd'), cause: program }));
    it('of a hung broker', (test) => shown(test, { ...stopped('mosquitto'), cause: broker }));
    it('of a dead broker', (test) => shown(test, { ...killed('mosquitto'), cause: broker }));
    it('of a hung GHL while nothing is sent', (test) => shown(test, { ...stopped('ghl-emulator'), cause: ghl }));
    it('of a dead GHL while nothing is sent', (test) => shown(test, { ...killed('ghl-emulator'), cause: ghl }));
    it('of a hung GHL while a change is sent', (test) => shown(test, {
      happen: async () => { world.box.signal('ghl-emulator', 'SIGSTOP'); await world.box.send(registration()); },
      undo: () => world.box.signal('ghl-emulator', 'SIGCONT'), cause: ghl,
    }));
    // Nobody looked for longer than a look lasts: the page that is opened then tells it within the same time.
    it('of a hung GHL that nobody was looking at', async (test) => {
      await well();
      await eventually(async () => /^clinic_page_watched 0$/m.test((await world.box.request('/metrics')).body), 'nobody looks', 90);
      world.box.signal('ghl-emulator', 'SIGSTOP');
      try {
        const { page, close } = await open(world, '/');
        const from = performance.now();
        await page.locator(`#needs li[data-code=${ghl.code}]`).waitFor({ timeout: 30_000 });
        const took = Math.round(performance.now() - from);
        test.diagnostic(`${test.name}: on the page after ${took} ms`);
        assert.ok(took <= limit_ms, `it took ${took} ms`);
        await close();
      } finally {
        world.box.signal('ghl-emulator', 'SIGCONT');
      }
      await well();
    });
    it('of both at once, as one cause', (test) => shown(test, {
      happen: () => { world.box.signal('clinic-supervise', 'SIGSTOP'); world.box.signal('mosquitto', 'SIGKILL'); world.box.signal('ghl-emulator', 'SIGKILL'); },
      undo: () => world.box.revive(), cause: internet,
    }));
  });

  describe('a box that hangs itself', () => {
    it('is said by the open page, which comes back by itself', async () => {
      await well();
      const { page, close } = await open(world, '/');
      await page.locator('#live[data-live=live]').waitFor();
      world.box.signal('clinicd', 'SIGSTOP');
      try {
        await page.locator('#live[data-live=lost]').waitFor({ timeout: 60_000 });
        assert.equal(await page.locator('#live').textContent(), 'This page lost the box; it tries again by itself');
      } finally {
        world.box.signal('clinicd', 'SIGCONT');
      }
      await page.locator('#live[data-live=live]').waitFor({ timeout: 60_000 });
      await close();
      await well();
    });
  });

  describe('what is no news', () => {
    it('a program that is started again at once is not told', async () => {
      await well();
      const codes = new Set();
      const live = await world.box.listen((text) => JSON.parse(text).needs.forEach((need) => codes.add(need.code)));
      const before = world.box.signal('clinic-syncd', 'SIGKILL');
      await eventually(() => ![0, before].includes(world.box.pid('clinic-syncd')), 'clinic-syncd is started again');
      await well();
      live.end();
      assert.ok(!codes.has('E2101'), [...codes].join(' '));
    });
  });
}
