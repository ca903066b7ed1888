// What a browser makes of the gateway's answers: the page below a prefix of a proxy, its content policy, and a page of
// another origin.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { startGateway } from './gateway.mjs';

const WAIT = { timeout: 30_000 };

let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
});

after(() => browser?.close());

/** A proxy that has the gateway below `/ticks` and passes `Host` on; everything else is 404. */
async function startProxy(host) {
  const [name, port] = host.split(':');
  const sockets = new Set();
  const inside = (url) => (url === '/ticks' ? '/' : url.startsWith('/ticks/') ? url.slice(6) : null);
  const pass = (from) => request({ host: name, port, method: from.method, path: inside(from.url), headers: from.headers });
  const server = createServer((from, to) => {
    if (inside(from.url) === null) {
      to.writeHead(404).end();
      return;
    }
    from.pipe(pass(from).on('response', (answer) => {
      to.writeHead(answer.statusCode, answer.headers);
      answer.pipe(to);
    }).on('error', () => to.destroy()));
  });
  server.on('upgrade', (from, near) => {
    pass(from).on('upgrade', (answer, far, first) => {
      const lines = Object.entries(answer.headers).map(([key, value]) => `${key}: ${value}\r\n`).join('');
      near.write(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`);
      near.write(first);
      for (const [socket, other] of [[near, far], [far, near]]) {
        socket.on('error', () => other.destroy());
        socket.pipe(other);
      }
    }).on('response', () => near.destroy()).on('error', () => near.destroy()).end();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = () => {
    server.close();
    sockets.forEach((socket) => socket.destroy());
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}

async function open(t, url) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(url);
  return { page, complaints };
}

for (const path of ['/ticks/', '/ticks']) {
  test(`the page works below a prefix, at ${path}`, async (t) => {
    const gateway = await startGateway();
    t.after(async () => assert.equal(await gateway.stop(), 0, gateway.logged()));
    const proxy = await startProxy(gateway.host);
    t.after(proxy.stop);
    const { page, complaints } = await open(t, `${proxy.url}${path}`);
    await page.waitForFunction(() => document.querySelector('#link').dataset.link === 'open', null, WAIT);
    await page.waitForFunction(() => document.querySelectorAll('[data-symbol]').length >= 10, null, WAIT);
    await page.locator('[data-symbol] button').first().click();
    await page.waitForFunction(() => document.querySelector('#chart-text')?.textContent.includes('last'), null, WAIT);
    for (const link of await page.locator('footer a').evaluateAll((links) => links.map((link) => link.href))) {
      assert.equal((await fetch(link)).status, 200, link);
    }
    assert.deepEqual(complaints, []);
  });
}

test('the page cannot run what is not its own, nor talk to others', async (t) => {
  const gateway = await startGateway();
  t.after(async () => assert.equal(await gateway.stop(), 0, gateway.logged()));
  const { page } = await open(t, gateway.url);
  const blocked = await page.evaluate(async () => {
    const found = [];
    document.addEventListener('securitypolicyviolation', (event) => found.push(event.effectiveDirective));
    const script = document.createElement('script');
    script.textContent = 'window.injected = true';
    document.head.append(script);
    const style = document.createElement('style');
    style.textContent = 'body { color: red }';
    document.head.append(style);
    document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x.png' }));
    await fetch('http://127.0.0.1:9/').catch(() => {});
    try {
      new WebSocket('ws://127.0.0.1:9/');
    } catch {
      // Some browsers throw, all tell.
    }
    await new Promise((done) => { setTimeout(done, 200); });
    return { found: [...new Set(found)].sort(), injected: window.injected ?? false };
  });
  assert.equal(blocked.injected, false);
  assert.deepEqual(blocked.found, ['connect-src', 'img-src', 'script-src-elem', 'style-src-elem']);
});

test('an allowed page of another origin streams and loads its chart, another one reads nothing', async (t) => {
  const pages = createServer((_from, to) => to.setHeader('content-type', 'text/html').end('<!doctype html>'));
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
  t.after(() => {
    pages.close();
    pages.closeAllConnections();
  });
  const port = pages.address().port;
  const gateway = await startGateway({ settings: { TICKCAST_SERVER__ORIGINS: `http://127.0.0.1:${port}` } });
  t.after(async () => assert.equal(await gateway.stop(), 0, gateway.logged()));
  const tries = async (page) => page.evaluate(async (host) => {
    const status = async (path, init) => {
      try {
        return (await fetch(`http://${host}${path}`, init)).status;
      } catch {
        return 'blocked';
      }
    };
    const opened = (made, good) => new Promise((done) => {
      made.addEventListener(good, () => { made.close(); done('open'); });
      made.addEventListener('error', () => { made.close(); done('blocked'); });
    });
    const { symbols: [{ S } = {}] = [] } = await fetch(`http://${host}/v1/symbols`).then((it) => it.json()).catch(() => ({}));
    return [
      await status(`/v1/bars/${encodeURIComponent(S)}?interval=1m`),
      await status(`/v1/trades/${encodeURIComponent(S)}`, { headers: { 'if-none-match': '"x"' } }),
      await status('/v1/snapshot?unknown=1'),
      await status('/v1/publish?feed=none', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '[]' }),
      await opened(new EventSource(`http://${host}/v1/sse?symbols=*`), 'message'),
      await opened(new WebSocket(`ws://${host}/v1/ws`), 'message'),
    ];
  }, gateway.host);
  const allowed = await open(t, `http://127.0.0.1:${port}/`);
  assert.deepEqual(await tries(allowed.page), [200, 200, 400, 404, 'open', 'open']);
  const foreign = await open(t, `http://localhost:${port}/`);
  assert.deepEqual(await tries(foreign.page), Array(6).fill('blocked'));
});
