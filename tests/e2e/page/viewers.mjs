// A thousand people look at once: no thread each, little memory each, and each hears of a change.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from './box.mjs';

const viewers_wanted = 1_000, at_once = 16;

export function viewers(world) {
  describe('a thousand viewers at once', () => {
    it('hold no thread each, and each hears of a change', async (test) => {
      const { box } = world;
      const watching = async () => Number(/^clinic_http_viewers (\d+)$/m.exec((await box.request('/metrics')).body)[1]);
      await eventually(async () => await watching() === 0, 'nobody looks');
      const before = box.proc('clinicd');
      const mail = Array.from({ length: viewers_wanted }, () => ({ events: 0, codes: '' }));
      const open = [];
      let next = 0, lost = 0;
      await Promise.all(Array.from({ length: at_once }, async () => {
        for (let mine; (mine = next++) < viewers_wanted;)
          open.push(await box.listen((text) => {
            mail[mine].events++;
            mail[mine].codes = JSON.parse(text).needs.map((need) => need.code).join(' ');
          }, () => { lost++; }));
      }));
      await eventually(() => mail.every((one) => one.events > 0), 'each viewer has its first event', 120);
      const during = box.proc('clinicd');
      assert.equal(lost, 0, 'some were dropped');
      assert.equal(await watching(), viewers_wanted);
      const each_kb = (during.VmRSS - before.VmRSS) / viewers_wanted;
      test.diagnostic(`threads ${before.Threads} before, ${during.Threads} with ${viewers_wanted} viewers; ` +
        `memory ${before.VmRSS} kB before, ${during.VmRSS} kB with them: ${each_kb.toFixed(1)} kB each`);
      assert.ok(each_kb <= 64, `${each_kb.toFixed(1)} kB for each viewer`); // a TLS connection's own
      assert.ok(during.Threads - before.Threads <= at_once + 4, 'workers are for those who ask, not for those who watch');

      const from = performance.now();
      await box.ctl('basis', 'set', 'off');
      await eventually(() => mail.every((one) => one.codes.includes('E2201')), 'each viewer hears of the change', 120);
      test.diagnostic(`a change reached all of them after ${Math.round(performance.now() - from)} ms`);
      assert.equal((await box.request('/')).status, 200, 'and there is a worker for everybody else');
      assert.equal(lost, 0);
      open.forEach((one) => one.end());
      await eventually(async () => await watching() === 0, 'they are gone');
      const after = box.proc('clinicd');
      test.diagnostic(`memory ${after.VmRSS} kB when they are gone`);
    });
  });
}
