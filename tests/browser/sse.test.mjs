// A real EventSource on a line that breaks: Chromium comes back by itself with its Last-Event-ID, and misses nothing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { startGateway } from './gateway.mjs';
import { startLine } from './line.mjs';

const CUTS = 3;
const WAIT = { timeout: 30_000 };

let browser;
let gateway;
let line;

before(async () => {
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

test('an EventSource that is cut off misses nothing', async () => {
  const page = await browser.newPage();
  await page.goto(`http://${line.host}/healthz`);
  await page.evaluate(() => {
    window.messages = [];
    window.opened = 0;
    window.source = new EventSource('/v1/sse?symbols=*&channels=trades');
    window.source.onopen = () => { window.opened += 1; };
    window.source.onmessage = (event) => { window.messages.push(...JSON.parse(event.data)); };
  });
  for (let opened = 1; opened <= CUTS + 1; opened += 1) {
    const before = await page.evaluate(() => window.messages.filter(({ T }) => T === 't').length);
    await page.waitForFunction(
      ([times, trades]) => window.opened >= times && window.messages.filter(({ T }) => T === 't').length > trades + 200,
      [opened, before], WAIT,
    );
    if (opened <= CUTS) line.cut();
  }
  const { messages, opened } = await page.evaluate(() => {
    window.source.close();
    return { messages: window.messages, opened: window.opened };
  });
  assert.equal(opened, CUTS + 1);
  const kinds = new Set(messages.map(({ T }) => T));
  assert.deepEqual([...kinds].sort(), ['subscribed', 't', 'welcome'], 'neither gap nor resync');
  const acks = messages.filter(({ T }) => T === 'subscribed').slice(1).flatMap(({ ok }) => ok);
  assert.ok(acks.length > 0 && acks.every(({ recovered }) => recovered), 'everything was recovered');
  const last = new Map();
  for (const { S, n } of messages.filter(({ T }) => T === 't')) {
    if (last.has(S)) assert.equal(n, last.get(S) + 1, `${S}: a hole or a repeat`);
    last.set(S, n);
  }
  assert.ok(last.size >= 10, `${last.size} symbols`);
});
