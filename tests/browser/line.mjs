// A line to a gateway that can be cut: a port that passes bytes on until it is told otherwise.

import { connect, createServer } from 'node:net';
import { once } from 'node:events';

/** Listens on a free port in front of `host`; `cut()` breaks every connection off, as a thin line does. */
export async function startLine(host) {
  const [name, port] = host.split(':');
  const sockets = new Set();
  const server = createServer((near) => {
    const far = connect(Number(port), name);
    for (const [socket, other] of [[near, far], [far, near]]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => sockets.forEach((socket) => socket.destroy());
  const stop = () => {
    server.close();
    cut();
  };
  return { host: `127.0.0.1:${server.address().port}`, cut, stop };
}
