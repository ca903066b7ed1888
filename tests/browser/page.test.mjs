// The gateway's page in a real Chromium, on a desktop and on a phone. It relies on `[data-symbol]` rows with
// `[data-field]` cells, `#filter`, `#rate` and `#link[data-link]`, and on nothing else of the page.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { startGateway } from './gateway.mjs';

const OUT = join(import.meta.dirname, 'out');
const VIEWPORTS = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const WAIT = { timeout: 30_000 };

let browser;
let gateway;

before(async () => {
  mkdirSync(OUT, { recursive: true });
  gateway = await startGateway();
  // playwright-core gives each launch a fresh profile folder.
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
  const code = await gateway?.stop();
  assert.equal(code, 0, `exit code after SIGTERM; its log:\n${gateway?.logged()}`);
});

/** A page of that gateway, and what it complained about. */
async function open(t, viewport, { url } = gateway) {
  const context = await browser.newContext({ viewport });
  t.after(() => context.close());
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
  await page.goto(url);
  return { page, complaints };
}

/** The bid, ask and last price of each symbol, as shown. */
const prices = (page) => page.evaluate(() => Object.fromEntries(
  [...document.querySelectorAll('[data-symbol]')].map((row) => [
    row.dataset.symbol,
    ['bid', 'ask', 'last'].map((field) => row.querySelector(`[data-field="${field}"]`).textContent).join(' '),
  ]),
));

const changedSince = (before) => [...document.querySelectorAll('[data-symbol]')].filter((row) => {
  const now = ['bid', 'ask', 'last'].map((field) => row.querySelector(`[data-field="${field}"]`).textContent).join(' ');
  return row.dataset.symbol in before && before[row.dataset.symbol] !== now;
}).length >= 10;

for (const [name, viewport] of Object.entries(VIEWPORTS)) {
  test(`${name}: ten symbols or more, with prices that change`, async (t) => {
    const { page, complaints } = await open(t, viewport);
    await page.waitForFunction(
      () => [...document.querySelectorAll('[data-symbol] [data-field="bid"]')].filter((bid) => bid.textContent).length >= 10,
      null, WAIT,
    );
    await page.waitForFunction(changedSince, await prices(page), WAIT);
    assert.equal(await page.locator('#link').getAttribute('data-link'), 'open');
    await page.waitForFunction(() => Number(document.querySelector('#rate').textContent) > 0, null, WAIT);
    await page.screenshot({ path: join(OUT, `${name}.png`) });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${overflow} px of the page are beside the screen`);
    assert.deepEqual(complaints, []);
  });
}

test('the filter shows what matches, and the keyboard is enough', async (t) => {
  const { page, complaints } = await open(t, VIEWPORTS.desktop);
  await page.waitForFunction(() => document.querySelectorAll('[data-symbol]').length >= 10, null, WAIT);
  const visible = () => page.locator('[data-symbol]:visible').evaluateAll((rows) => rows.map((row) => row.dataset.symbol));
  const all = await visible();
  const wanted = all.at(-1).slice(0, 3);
  const matching = all.filter((symbol) => symbol.includes(wanted));
  await page.keyboard.press('/');
  await page.keyboard.type(wanted.toLowerCase());
  assert.deepEqual(await visible(), matching);
  await page.screenshot({ path: join(OUT, 'filtered.png') });
  await page.locator('#filter').fill('no-such-symbol');
  assert.deepEqual(await visible(), []);
  await page.locator('#filter').press('Escape');
  assert.deepEqual(await visible(), all);
  assert.deepEqual(complaints, []);
});

test('the page comes back to a gateway that was restarted', async (t) => {
  const first = await startGateway();
  const { page } = await open(t, VIEWPORTS.desktop, first);
  const live = () => page.waitForFunction(
    () => document.querySelector('#link').dataset.link === 'open' && document.querySelectorAll('[data-symbol]').length >= 10,
    null, WAIT,
  );
  await live();
  assert.equal(await first.stop(), 0, first.logged());
  await page.waitForFunction(() => document.querySelector('#link').dataset.link === 'waiting', null, WAIT);
  const second = await startGateway({ bind: first.host });
  t.after(async () => assert.equal(await second.stop(), 0, second.logged()));
  await live();
});

test('the page says that the gateway itself hears nothing, until it hears again', async (t) => {
  const context = await browser.newContext({ viewport: VIEWPORTS.desktop });
  t.after(() => context.close());
  const page = await context.newPage();
  let told;
  // In the gateway's place: what this one hears does not depend on anything.
  await page.routeWebSocket(/\/v1\/ws/, (socket) => {
    told = socket;
    socket.send(JSON.stringify([{ T: 'welcome', proto: 1, node: 'one', epoch: 'e', time: 1, ping_s: 20 }]));
  });
  await page.goto(gateway.url);
  const link = (state) => page.waitForFunction((it) => document.querySelector('#link').dataset.link === it, state, WAIT);
  await link('open');
  told.send(JSON.stringify([{ T: 'source', state: 'stale', since: 1, why: 'no word from the feed node' }]));
  await link('stale');
  assert.equal(await page.locator('#link').textContent(), 'stale: no word from the feed node');
  assert.equal(await page.locator('#prices.offline').count(), 1, 'the prices look old');
  assert.equal(await page.locator('#again').isVisible(), false, 'there is nothing to try again');
  told.send(JSON.stringify([{ T: 'source', state: 'live' }]));
  await link('open');
  assert.equal(await page.locator('#prices.offline').count(), 0);
});

test('dark and light both show', async (t) => {
  const context = await browser.newContext({ viewport: VIEWPORTS.desktop, colorScheme: 'dark' });
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(gateway.url);
  const shade = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await shade();
  await page.emulateMedia({ colorScheme: 'light' });
  assert.notEqual(await shade(), dark);
});
