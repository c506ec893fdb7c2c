// The status page as everybody may use it: in Chromium, on a whole box. Source: docs/status.md.
import { mkdirSync } from 'node:fs';
import { after, before, describe } from 'node:test';
import { chromium } from 'playwright-core';
import { Box, portBase } from './box.mjs';
import { looks } from './looks.mjs';
import { silence } from './silence.mjs';
import { viewers } from './viewers.mjs';

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const world = { shots: 'shots' };

describe('the status page', () => {
  before(async () => {
    mkdirSync(world.shots, { recursive: true });
    world.box = await Box.start(portBase(24_000));
    world.browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
  }, { timeout: 1_500_000 });
  after(async () => {
    await world.browser?.close();
    await world.box?.stop();
  });
  looks(world);
  silence(world);
  viewers(world);
});
