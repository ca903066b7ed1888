// Runs the built gateway for the browser tests: any free port, always stopped by its pid.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = resolve(import.meta.dirname, '../..');
const START_MS = 30_000;
const STOP_MS = 30_000;

/** The program under test: $TICKCAST_BIN, or what cargo built last. */
const binary = () =>
  process.env.TICKCAST_BIN ?? join(resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target'), 'debug', 'tickcast');

/** Starts a gateway; `stop()` ends it with SIGTERM and returns its exit code. */
export async function startGateway({ bind = '127.0.0.1:0', settings = {} } = {}) {
  // The caller's own settings must not change what is tested.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('TICKCAST_'));
  const env = { ...Object.fromEntries(own), TICKCAST_SERVER__GRACE_MS: '0', TICKCAST_SERVER__DRAIN_MS: '100', ...settings };
  const cwd = mkdtempSync(join(tmpdir(), 'tickcast-'));
  const child = spawn(binary(), ['--bind', bind, '--feed', 'demo'], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (text) => { log = (log + text).slice(-4000); });
  const ended = new Promise((done) => {
    child.once('error', (error) => done(String(error)));
    child.once('exit', (code, signal) => done(code ?? signal));
  });
  const stop = async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.kill('SIGTERM');
    const code = await ended;
    clearTimeout(timer);
    rmSync(cwd, { recursive: true, force: true });
    return code;
  };
  const lines = createInterface({ input: child.stdout });
  const address = new Promise((found) => {
    lines.on('line', (line) => {
      const match = /http:\/\/([^/\s]+:\d+)\//.exec(line);
      if (match) found(match[1]);
    });
  });
  let timer;
  const late = new Promise((done) => { timer = setTimeout(done, START_MS); });
  const host = await Promise.race([address, ended.then(() => null), late.then(() => null)]);
  clearTimeout(timer);
  if (!host) {
    const code = await stop();
    throw new Error(`no address in the banner; ended with ${code}; its log:\n${log}`);
  }
  return { host, url: `http://${host}/`, stop, logged: () => log };
}
