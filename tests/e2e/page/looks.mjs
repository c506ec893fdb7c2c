// How the page looks and speaks: each state, light and dark, phone to wall, by keyboard, without script, on paper.
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { eventually, nonsense, registration } from './box.mjs';
import { open, violations } from './rules.mjs';

const widths = [320, 1280, 1600];
const schemes = ['light', 'dark'];

const basisOff = (box) => box.ctl('basis', 'set', 'off');
const basisBack = (box) => box.ctl('basis', 'set', 'baa', '--evidence', join(box.folder, 'etc', 'baa-demo.txt'), '--expires', '2099-01-01');

// What makes the box so, what makes it well again, and the first line of its needs.
function states(box) {
  const key = join(box.folder, 'keys', 'store.key'), kept = `${key}.kept`;
  const swapKey = async (write, mode) => {
    write();
    box.signal('clinicd', 'SIGKILL');
    await eventually(async () => (await box.status()).mode === mode, `mode ${mode}`);
  };
  return {
    well: { enter: async () => {}, leave: async () => {}, code: null },
    look: {
      enter: async () => {
        await box.send(nonsense());                                   // for the quarantine
        await basisOff(box);
      },
      leave: () => basisBack(box),
      code: 'E2201',
    },
    not_working: {
      enter: () => swapKey(() => { copyFileSync(key, kept); writeFileSync(key, 'ab'.repeat(32)); }, 'locked'),
      leave: () => swapKey(() => writeFileSync(key, readFileSync(kept)), 'running'),
      code: 'E2001',
    },
  };
}

const sideways = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const openAll = (page) => page.evaluate(() => document.querySelectorAll('details').forEach((one) => { one.open = true; }));
// Elements whose text runs out of them.
const clipped = (page) => page.evaluate(() => [...document.querySelectorAll('main *')]
  .filter((one) => getComputedStyle(one).clipPath === 'none' && one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline')
  .map((one) => `${one.tagName}.${one.className} ${one.textContent.trim().slice(0, 40)}`));

// Texts of which each word has a line of its own although there is room beside it.
const stacked = (page) => page.evaluate(() => {
  const found = [];
  const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text !== null; text = texts.nextNode()) {
    const words = text.textContent.trim().split(/\s+/).length;
    if (words < 3 || text.parentElement.clientWidth < 160) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const lines = new Set([...range.getClientRects()].map((one) => Math.round(one.top))).size;
    if (lines >= words) found.push(`${text.parentElement.tagName}: ${text.textContent.trim().slice(0, 40)}`);
  }
  return found;
});

// The focused element, and whether a person sees that it is.
const focused = (page) => page.evaluate(() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  const hit = document.elementFromPoint(box.x + Math.min(box.width, 20) / 2, box.y + box.height / 2);
  return {
    name: `${one.tagName} ${one.getAttribute('aria-label') ?? one.textContent.trim().replace(/\s+/g, ' ')}`,
    outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
    uncovered: one === document.body || one.contains(hit) || hit?.contains(one),
    high: box.height,
  };
});

async function looksOf(world, name, width, scheme) {
  const { page, close } = await open(world, '/', { viewport: { width, height: 900 }, colorScheme: scheme });
  await page.screenshot({ path: join(world.shots, `${name}-${width}-${scheme}.png`), fullPage: true });
  await openAll(page);
  assert.equal(await sideways(page), 0, `${name} at ${width} px scrolls sideways`);
  assert.deepEqual(await clipped(page), [], `${name} at ${width} px`);
  assert.deepEqual(await stacked(page), [], `${name} at ${width} px: a word a line`);
  const found = await violations(page);
  assert.deepEqual(found.violations, [], `${name}, ${width} px, ${scheme}`);
  assert.deepEqual(found.incomplete, [], `${name}, ${width} px, ${scheme}: not decided`);
  await close();
}

async function byKeyboard(world) {
  const { page, close } = await open(world, '/', { viewport: { width: 1280, height: 600 } });
  await page.locator('#needs li[data-code=E2201]').waitFor();
  await page.locator('#live[data-live=live]').waitFor();
  const codes = await page.locator('#needs li').evaluateAll((lines) => lines.map((line) => line.dataset.code));
  const expected = ['A Skip to the details', ...codes.flatMap((code) => [`A Help for code ${code}`, 'SUMMARY What it means']),
    'SUMMARY protections', 'A A browser warns about this page', 'A Status as JSON'];
  for (const name of expected) {
    await page.keyboard.press('Tab');
    const now = await focused(page);
    if (name === 'SUMMARY protections') assert.match(now.name, /^SUMMARY \d+ of \d+ protections hold$/);
    else assert.equal(now.name, name);
    assert.ok(now.outline >= 3, `${now.name} does not show that it has the focus`);
    assert.ok(now.uncovered, `${now.name} lies under something`);
    assert.ok(now.high >= 44, `${now.name} is too small`);
  }
  // Back to the first summary; it is opened, and an event of the box takes neither that nor the focus away.
  for (let i = 0; i < expected.length - 3; ++i) await page.keyboard.press('Shift+Tab');
  assert.equal((await focused(page)).name, 'SUMMARY What it means');
  await page.keyboard.press('Enter');
  const before = await page.locator('#needs').innerText();
  await world.box.send(nonsense());
  await page.waitForFunction((text) => document.querySelector('#needs').innerText !== text, before);
  assert.equal(await page.locator('#needs li details[open]').count(), 1);
  assert.equal((await focused(page)).name, 'SUMMARY What it means');
  await close();
}

export function looks(world) {
  for (const name of ['well', 'look', 'not_working'])
    describe(`in the state ${name}`, () => {
      it('is free of violations of AAA rules in light and dark, from a phone to a wall', async () => {
        const state = states(world.box)[name];
        await state.enter();
        try {
          await eventually(async () => (await world.box.status()).well === name, `the state ${name}`);
          for (const width of widths) for (const scheme of schemes) await looksOf(world, name, width, scheme);
        } finally {
          await state.leave();
        }
        await eventually(async () => (await world.box.status()).well === 'well', 'well again');
      });
      it('comes and goes on an open page', async () => {
        const state = states(world.box)[name];
        const { page, close } = await open(world, '/');
        await page.locator('#live[data-live=live]').waitFor();
        await state.enter();
        try {
          if (state.code) await page.locator(`#needs li[data-code=${state.code}]`).waitFor();
          else assert.equal(await page.locator('#needs li').count(), 0);
        } finally {
          await state.leave();
        }
        await page.locator('.answer[data-state=well] >> nth=0').waitFor({ timeout: 60_000 });
        await close();
      });
    });

  describe('its other pages', () => {
    it('help and refusals are free of violations of AAA rules in light and dark', async () => {
      const paths = ['/help/E2102', '/help/E2301', '/trust', '/nothing', '/help/E9999'];
      for (const path of paths)
        for (const scheme of schemes) {
          const { page, close } = await open(world, path, { refused: true, colorScheme: scheme, viewport: { width: 320, height: 700 } });
          const found = await violations(page);
          assert.deepEqual([...found.violations, ...found.incomplete], [], `${path}, ${scheme}`);
          assert.equal(await sideways(page), 0, path);
          await page.screenshot({ path: join(world.shots, `${path.slice(1).replace('/', '-')}-${scheme}.png`) });
          await close();
        }
    });
    it('each code has a help page with its next step', async () => {
      const codes = readFileSync(join(process.env.CLINIC_SOURCE_DIR, 'docs', 'events.md'), 'utf8').match(/^\| E\d{4}/gm);
      assert.ok(codes.length > 20);
      for (const code of codes) {
        const help = await world.box.request(`/help/${code.slice(2)}`);
        assert.equal(help.status, 200, code);
        for (const part of ['What it means', 'What happens by itself', 'What to do']) assert.ok(help.body.includes(part), `${code}: ${part}`);
      }
    });
  });

  describe('for every hand and eye', () => {
    it('is used by keyboard alone: in order, seen, uncovered, and what is open stays open', async () => {
      await basisOff(world.box);
      try {
        await byKeyboard(world);
      } finally {
        await basisBack(world.box);
      }
    });

    it('the skip link leads past the answers', async () => {
      const { page, close } = await open(world, '/');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.keyboard.press('Tab');
      assert.match((await focused(page)).name, /protections hold$/);
      await close();
    });

    it('stands 200 % zoom, text of twice the size, and wide spacing', async () => {
      for (const width of [320, 640]) {     // 1280 px at 400 % and at 200 %
        const { page, close } = await open(world, '/', { viewport: { width, height: 450 }, deviceScaleFactor: 1280 / width });
        await openAll(page);
        assert.equal(await sideways(page), 0, `${width} px`);
        await page.evaluate(() => {
          const add = (selector, style) => document.querySelectorAll(selector).forEach((one) => Object.assign(one.style, style));
          add('*', { lineHeight: '1.5', letterSpacing: '0.12em', wordSpacing: '0.16em' });
          add('p', { marginBottom: '2em' });
        });
        assert.equal(await sideways(page), 0, `spacing at ${width} px`);
        assert.deepEqual(await clipped(page), [], `spacing at ${width} px`);
        await close();
      }
      const { page, close } = await open(world, '/');
      await page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
      await openAll(page);
      assert.equal(await sideways(page), 0);
      assert.deepEqual(await clipped(page), []);
      await close();
    });

    it('moves only to show that a value changed, and not at all where motion is not wanted', async () => {
      for (const reducedMotion of ['no-preference', 'reduce']) {
        const { page, close } = await open(world, '/', { reducedMotion });
        await page.locator('#live[data-live=live]').waitFor();
        await page.evaluate(() => {
          globalThis.seen = [];
          document.addEventListener('animationstart', (event) => globalThis.seen.push(event.animationName));
        });
        const received = '[data-show="n:intake.mllp.received"]';
        const before = Number(await page.locator(received).textContent());
        await world.box.send(registration());
        await page.waitForFunction(([where, count]) => Number(document.querySelector(where).textContent) > count, [received, before]);
        const moves = await page.locator(received).evaluate((one) => [getComputedStyle(one).animationName, getComputedStyle(one).animationDuration]);
        assert.deepEqual(moves, reducedMotion === 'reduce' ? ['none', '0s'] : ['changed', '0.3s']);
        const others = await page.evaluate(() => globalThis.seen.filter((name) => name !== 'changed'));
        assert.deepEqual(others, []);
        if (reducedMotion === 'reduce') assert.deepEqual(await page.evaluate(() => globalThis.seen), []);
        await close();
      }
    });

    it('says a change of state once, and no number', async () => {
      const { page, close } = await open(world, '/');
      await page.locator('#live[data-live=live]').waitFor();
      await page.evaluate(() => {
        globalThis.said = [];
        new MutationObserver(() => globalThis.said.push(document.getElementById('announce').textContent))
          .observe(document.getElementById('announce'), { childList: true, characterData: true, subtree: true });
      });
      const received = '[data-show="n:intake.mllp.received"]';
      const before = Number(await page.locator(received).textContent());
      await world.box.send(registration());
      await page.waitForFunction(([where, count]) => Number(document.querySelector(where).textContent) > count, [received, before]);
      assert.deepEqual(await page.evaluate(() => globalThis.said), [], 'a number was said');
      await basisOff(world.box);
      try {
        await page.locator('#needs li[data-code=E2201]').waitFor();
        const said = await page.evaluate(() => globalThis.said);
        assert.equal(said.length, 1, said.join(' | '));
        assert.match(said[0], /^Needs a look\. Nothing leaves: no legal basis is set\. /);
      } finally {
        await basisBack(world.box);
      }
      await page.locator('#needs li[data-code=E2201]').waitFor({ state: 'detached' });
      await close();
    });

    it('reads the three answers first and in order to a screen reader', async () => {
      const { page, close } = await open(world, '/');
      await page.locator('#live[data-live=live]').waitFor();
      const session = await page.context().newCDPSession(page);
      const { nodes } = await session.send('Accessibility.getFullAXTree');
      const byId = new Map(nodes.map((node) => [node.nodeId, node]));
      const heard = [];
      const walk = (node) => {
        const role = node.role?.value, name = node.name?.value?.trim();
        if (!node.ignored && name && ['heading', 'StaticText', 'link', 'image'].includes(role)) heard.push(`${role}: ${name}`);
        if (node.ignored || role !== 'StaticText') (node.childIds ?? []).forEach((id) => walk(byId.get(id)));
      };
      walk(nodes[0]);
      assert.equal(heard.filter((line) => line.startsWith('image')).length, 0, 'the shapes are decoration');
      const place = (text) => {
        const at = heard.findIndex((line) => line.startsWith(text));
        assert.notEqual(at, -1, `${text} is not heard in: ${heard.join(' / ')}`);
        return at;
      };
      const order = ['heading: How the box is doing', 'heading: Is the box well?', 'StaticText: All well', 'heading: Is GHL up to date?',
        'StaticText: Up to date', 'heading: What needs me?', 'heading: What comes in'].map(place);
      assert.deepEqual(order, [...order].sort((a, b) => a - b), heard.join(' / '));
      assert.match(await page.locator('main').ariaSnapshot(), /heading "How the box is doing" \[level=1\]/);
      await close();
    });
  });

  describe('in every form', () => {
    it('is the same page without JavaScript, and comes again each 30 seconds', async () => {
      const script = await open(world, '/');
      await script.page.locator('#live[data-live=live]').waitFor();
      const plain = await open(world, '/', { javaScriptEnabled: false });
      const lines = async (page) => (await page.locator('main').innerText()).split('\n')
        .filter((line) => line !== '' && !/\d|just now/.test(line));
      assert.deepEqual(await lines(plain.page), await lines(script.page));
      assert.match(await plain.page.content(), /<noscript><meta http-equiv="refresh" content="30"><\/noscript>/);
      await plain.page.screenshot({ path: join(world.shots, 'plain-1280.png'), fullPage: true });
      await script.close();
      await plain.close();
    });

    it('builds what needs somebody the same with and without JavaScript', async () => {
      await basisOff(world.box);
      try {
        const script = await open(world, '/');
        await script.page.locator('#live[data-live=live]').waitFor();
        // One that comes while the page is open is built by the script; the others came with the page.
        await script.page.locator('#needs li[data-code=E2201]').waitFor();
        await script.page.evaluate(() => document.getElementById('needs').replaceChildren());
        await world.box.send(nonsense());
        await script.page.locator('#needs li[data-code=E2401]').waitFor();
        const plain = await open(world, '/', { javaScriptEnabled: false });
        const lines = async (page) => (await page.locator('#needs').innerHTML()).replaceAll(' open=""', '');
        assert.equal(await lines(script.page), await lines(plain.page));
        const found = await violations(script.page);
        assert.deepEqual([...found.violations, ...found.incomplete], []);
        await script.close();
        await plain.close();
      } finally {
        await basisBack(world.box);
      }
    });

    it('prints on one sheet of either size, with its answers', async () => {
      const { page, close } = await open(world, '/');
      for (const format of ['A4', 'Letter']) {
        const sheet = await page.pdf({ format, path: join(world.shots, `sheet-${format}.pdf`) });
        assert.equal(sheet.toString('latin1').match(/\/Type\s*\/Page[^s]/g).length, 1, format);
      }
      await close();
    });

    it('has three columns and larger letters on a wall, two on a desk, one on a phone', async () => {
      for (const [width, columns, size] of [[1600, 3, '20px'], [1280, 2, '16px'], [320, 1, '16px']]) {
        const { page, close } = await open(world, '/', { viewport: { width, height: 900 } });
        const seen = await page.evaluate(() => [getComputedStyle(document.querySelector('.columns')).gridTemplateColumns.split(' ').length,
          getComputedStyle(document.documentElement).fontSize]);
        assert.deepEqual(seen, [columns, size], `${width} px`);
        await close();
      }
    });
  });

  describe('its walls', () => {
    const wanted = {
      'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'permissions-policy': 'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    };
    it('stand in the head of every answer', async () => {
      const paths = [['/'], ['/trust'], ['/help/E2103'], ['/nothing'], ['/api/nothing'], ['/api/v1/status'], ['/api/health'], ['/metrics'],
        ['/assets/app.js'], ['/assets/style.css'], ['/assets/icon.svg'], ['/', 'HEAD'], ['/', 'POST'], ['/api/v1/events', 'HEAD']];
      for (const [path, method] of paths) {
        const { headers } = await world.box.request(path, { method });
        for (const [name, value] of Object.entries(wanted)) assert.equal(headers[name], value, `${method ?? 'GET'} ${path}: ${name}`);
        for (const name of ['strict-transport-security', 'server', 'set-cookie', 'x-powered-by'])
          assert.equal(headers[name], undefined, `${path}: ${name}`);
      }
      const live = await world.box.listen(() => {});
      for (const [name, value] of Object.entries(wanted)) assert.equal(live.answer.headers[name], value, `live events: ${name}`);
      live.end();
    });
    it('hold against what an injected script would try', async () => {
      const context = await world.browser.newContext({ ignoreHTTPSErrors: true });
      const page = await context.newPage();
      const ends = new Map();     // of what was tried elsewhere; the browser reports a request before it refuses it
      context.on('request', (request) => { if (!request.url().startsWith(world.box.url)) ends.set(request.url(), 'sent'); });
      context.on('requestfailed', (request) => ends.set(request.url(), request.failure().errorText));
      await page.goto(world.box.url);
      const tried = await page.evaluate(async () => {
        await new Promise((resolve) => setTimeout(resolve, 0));     // what the debugger itself runs is not held to the policy
        const refused = [];
        document.addEventListener('securitypolicyviolation', (event) => refused.push(event.effectiveDirective));
        const add = (tag, set) => document.head.append(Object.assign(document.createElement(tag), set));
        add('style', { textContent: 'body { display: none }' });
        document.body.setAttribute('style', 'display: none');
        add('img', { src: 'https://elsewhere.invalid/x' });
        add('link', { rel: 'stylesheet', href: 'https://elsewhere.invalid/x.css' });
        const throwing = [() => { document.body.innerHTML = '<p>x'; }, () => add('script', { text: 'globalThis.ran = 1' }),
          () => globalThis.eval('globalThis.ran = 1')];
        const thrown = throwing.filter((attempt) => { try { attempt(); return false; } catch { return true; } }).length;
        const fetched = await fetch('https://elsewhere.invalid/').then(() => true, () => false);
        await new Promise((resolve) => setTimeout(resolve, 0));
        return { refused: [...new Set(refused)], thrown, fetched, ran: globalThis.ran ?? 0, shown: getComputedStyle(document.body).display };
      });
      assert.deepEqual({ ...tried, refused: 0 }, { refused: 0, thrown: 3, fetched: false, ran: 0, shown: 'block' });
      for (const directive of ['style-src-elem', 'style-src-attr', 'img-src', 'connect-src', 'require-trusted-types-for'])
        assert.ok(tried.refused.includes(directive), `${directive} is not among ${tried.refused}`);
      for (const [url, end] of ends) assert.equal(end, 'csp', url);
      await context.close();
    });
  });
}
