// The chart under a row, in a real Chromium: history and stream without a seam, also over a line that breaks; by keys,
// on a phone, in the dark, and in words. It relies on the row's button, `#detail` with its `select` and `svg`, and on the
// script's `chart.bars`.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { startGateway } from './gateway.mjs';
import { startLine } from './line.mjs';

const OUT = join(import.meta.dirname, 'out');
const VIEWPORTS = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const WAIT = { timeout: 40_000 };

let browser;
let gateway;
let line;

before(async () => {
  mkdirSync(OUT, { recursive: true });
  gateway = await startGateway();
  line = await startLine(gateway.host);
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
});

after(async () => {
  await browser?.close();
  line?.stop();
  const code = await gateway?.stop();
  assert.equal(code, 0, `exit code after SIGTERM; its log:\n${gateway?.logged()}`);
});

/** A page with rows, and what it complained about. */
async function open(t, options, url = gateway.url) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(url);
  await page.waitForFunction(() => document.querySelectorAll('[data-symbol]').length >= 10, null, WAIT);
  return { page, complaints };
}

const finals = (page, count) => page.waitForFunction(
  (least) => [...chart.bars.values()].filter((bar) => bar.final).length >= least, count, WAIT,
);

/** Every final bar of the chart is the gateway's, and none between its first and its last is missing. */
async function agrees(page) {
  const { had, told } = await page.evaluate(async () => {
    const had = [...chart.bars.values()].filter((bar) => bar.final);
    const answer = await fetch(`/v1/bars/${chart.symbol}?interval=${chart.interval}&limit=1000`);
    return { had, told: (await answer.json()).bars };
  });
  const between = told.filter(({ t, final }) => final && t >= had[0].t && t <= had.at(-1).t);
  assert.deepEqual(had, between);
}

for (const [name, viewport] of Object.entries(VIEWPORTS)) {
  for (const colorScheme of ['light', 'dark']) {
    test(`${name}, ${colorScheme}: a chart that goes on, by keys alone`, async (t) => {
      const { page, complaints } = await open(t, { viewport, colorScheme });
      const button = page.locator('[data-symbol] button').first();
      const symbol = await button.textContent();
      await button.focus();
      await page.keyboard.press('Enter');
      assert.equal(await button.getAttribute('aria-expanded'), 'true');
      // The minute that forms now is a chart of one bar.
      await page.waitForFunction(() => chart.interval === '1m' && chart.bars.size > 0, null, WAIT);
      await page.locator('#detail select').selectOption('1s');
      await finals(page, 8);
      await agrees(page);
      const picture = page.getByRole('img', { name: new RegExp(`^${symbol} since .+: last [\\d.]+, .+ %, highest [\\d.]+, lowest`) });
      assert.ok(await picture.isVisible(), await page.locator('#chart-text').textContent());
      const drawn = await page.evaluate(() => {
        const paths = [...document.querySelectorAll('#detail .up, #detail .down')];
        return { moves: paths.map((path) => path.getAttribute('d')).join('').split('Z').length - 1, bars: chart.bars.size };
      });
      assert.ok(Math.abs(drawn.moves - drawn.bars) <= 1, `${drawn.moves} drawn of ${drawn.bars}`);
      await page.screenshot({ path: join(OUT, `chart-${name}-${colorScheme}.png`) });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(overflow <= 0, `${overflow} px of the page are beside the screen`);
      await button.focus();
      await page.keyboard.press('Enter');
      assert.equal(await page.locator('#detail').count(), 0);
      assert.equal(await button.getAttribute('aria-expanded'), 'false');
      assert.deepEqual(complaints, []);
    });
  }
}

test('one chart at a time; it follows its row, and nothing is left of the last one', async (t) => {
  const { page, complaints } = await open(t, { viewport: VIEWPORTS.desktop });
  const rows = page.locator('[data-symbol]');
  const names = await rows.evaluateAll((all) => all.map((row) => row.dataset.symbol));
  for (const i of [0, 3, 1]) await rows.nth(i).click();
  await page.locator('#detail select').selectOption('1s');
  await finals(page, 2);
  assert.equal(await page.locator('#detail').count(), 1);
  assert.equal(await page.evaluate(() => document.querySelector('#detail').previousElementSibling.dataset.symbol), names[1]);
  assert.ok(await page.evaluate((name) => [...chart.bars.values()].every(({ S, i }) => S === name && i === '1s'), names[1]));
  const listed = page.evaluate(() => new Promise((done) => {
    take.list = ({ subscriptions }) => done(subscriptions.filter(({ channel }) => channel.startsWith('bars.')));
    socket.send('{"op":"list"}');
  }));
  assert.deepEqual((await listed).map(({ S, channel }) => [S, channel]), [[names[1], 'bars.1s']]);
  await page.locator('#filter').fill(names[3]);
  assert.equal(await page.locator('#detail').isVisible(), false);
  await page.locator('#filter').fill('');
  assert.equal(await page.locator('#detail').isVisible(), true);
  assert.deepEqual(complaints, []);
});

test('a chart on a line that breaks has no hole', async (t) => {
  const { page } = await open(t, { viewport: VIEWPORTS.desktop }, `http://${line.host}/`);
  await page.locator('[data-symbol]').first().click();
  await page.locator('#detail select').selectOption('1s');
  for (const count of [2, 3, 5]) {
    await finals(page, count);
    line.cut();
    await page.waitForFunction(() => document.querySelector('#link').dataset.link !== 'open', null, WAIT);
    await page.waitForFunction(() => document.querySelector('#link').dataset.link === 'open', null, WAIT);
  }
  const before = await page.evaluate(() => Math.max(...chart.bars.keys(), 0));
  await page.waitForFunction((t) => [...chart.bars.values()].some((bar) => bar.final && bar.t > t), before, WAIT);
  await agrees(page);
});

test('another numbering while the page is open keeps the connection, and the chart begins anew', async (t) => {
  const own = await startGateway();
  t.after(async () => assert.equal(await own.stop(), 0, own.logged()));
  const { page, complaints } = await open(t, { viewport: VIEWPORTS.desktop }, own.url);
  await page.locator('[data-symbol]').first().click();
  await page.locator('#detail select').selectOption('1s');
  await finals(page, 2);
  await page.evaluate(() => { window.first = socket; });
  const answer = await fetch(`${own.url}test/renumber/other`, { method: 'POST' });
  assert.equal(answer.status, 204);
  await page.waitForFunction(() => epoch === 'other' && chart.position !== Infinity, null, WAIT);
  const before = await page.evaluate(() => Math.max(...chart.bars.keys(), 0));
  await page.waitForFunction((t) => [...chart.bars.values()].some((bar) => bar.final && bar.t > t), before, WAIT);
  await agrees(page);
  assert.ok(await page.evaluate(() => socket === window.first), 'it was never closed');
  assert.deepEqual(complaints, []);
});

test('an interval that is not computed is said in words', async (t) => {
  const own = await startGateway({ settings: { TICKCAST_HISTORY__INTERVALS: '1s' } });
  t.after(async () => assert.equal(await own.stop(), 0, own.logged()));
  const { page } = await open(t, { viewport: VIEWPORTS.phone }, own.url);
  await page.locator('[data-symbol]').first().click();
  await page.waitForFunction(
    () => document.querySelector('#chart-text').textContent.includes('is not computed here'), null, WAIT,
  );
  await page.locator('#detail select').selectOption('1s');
  await finals(page, 1);
});
