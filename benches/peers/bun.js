// Bun's own publish and subscribe on the workload of the load bench: bun bun.js RATE SYMBOLS
const [rate, symbols] = process.argv.slice(2).map(Number)
const name = (i) => 'SYM' + String(i).padStart(5, '0')
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, server) {
    if (!server.upgrade(request)) return new Response('upgrade', { status: 426 })
  },
  websocket: {
    idleTimeout: 960,
    backpressureLimit: 64 * 1024 * 1024,
    open() {},
    message(ws, text) {
      for (const symbol of JSON.parse(text).symbols) ws.subscribe(symbol)
    },
  },
})
const epoch = Date.now() * 1000
const start = performance.now()
let released = 0
const numbers = new Array(symbols).fill(0)
const timer = setInterval(() => {
  const due = Math.floor(((performance.now() - start) / 1000) * rate)
  while (released < due) {
    const te = epoch + Math.floor((released / rate) * 1e6)
    released += 1
    const i = Math.floor(Math.random() * symbols)
    const bid = `${100 + (released % 900)}.25`
    const tr = epoch + Math.floor((performance.now() - start) * 1000)
    numbers[i] += 1
    server.publish(
      name(i),
      `{"T":"q","S":"${name(i)}","n":${numbers[i]},"bp":"${bid}","bs":"521","ap":"${bid}","as":"104","x":"load","te":${te},"tr":${tr}}`,
    )
  }
}, 1)
console.log(`ready ${server.port} ${process.pid}`)
for await (const _ of process.stdin) void _
clearInterval(timer)
process.exit(0)
