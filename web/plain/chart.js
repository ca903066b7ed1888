'use strict';
// The chart of one symbol, under its row: bars from history, continued by the stream from the position that history
// tells. A bar of the stream replaces the one of its start, or comes behind all others. Prices stay the texts that they
// are; numbers are made of them only to place them.

const CHART_BARS = 60;
const HEIGHT = 190;
const ABOVE = 12;
const BELOW = 26;
const DIGIT = 7.5;
const AGAIN_MS = 1000;

const detail = element('detail-template').content.firstElementChild;
const part = (selector) => detail.querySelector(selector);
const svg = part('svg');

const chart = {
  symbol: '',
  interval: '1m',
  bars: new Map(),
  // What the page had; older events of a subscription that ends are not for this chart.
  position: Infinity,
  notice: '',
  load: null,
  frame: 0,
};

// ---- which chart ----

function toggleChart(symbol) {
  const before = chart.symbol;
  if (before) {
    endChart();
    chart.symbol = '';
    detail.remove();
    rows.get(before)?.button.setAttribute('aria-expanded', 'false');
  }
  if (symbol === before) return;
  chart.symbol = symbol;
  const row = rowOf(symbol);
  row.button.setAttribute('aria-expanded', 'true');
  row.line.after(detail);
  startChart();
}

// Puts the chart under its row again after rows were put in order, shown or hidden.
function followChart() {
  const row = rows.get(chart.symbol);
  if (!row) return;
  if (row.line.nextSibling !== detail) row.line.after(detail);
  row.button.setAttribute('aria-expanded', 'true');
  detail.hidden = row.line.hidden;
}

function chartCommand(op, more) {
  if (socket?.readyState !== WebSocket.OPEN) return;
  const command = { op, id: 'chart', channel: `bars.${chart.interval}`, symbols: [chart.symbol], ...more };
  socket.send(JSON.stringify(command));
}

function endChart() {
  chart.load?.abort();
  chart.load = null;
  if (chart.position !== Infinity) chartCommand('unsubscribe');
  chart.position = Infinity;
}

// History first, then the stream from its position. Also after a new connection: the subscription went with the old one.
async function startChart() {
  chart.load?.abort();
  const load = new AbortController();
  chart.load = load;
  chart.position = Infinity;
  chart.bars.clear();
  tellChart('loading…');
  try {
    const path = `v1/bars/${encodeURIComponent(chart.symbol)}?interval=${chart.interval}&limit=${CHART_BARS}`;
    const answer = await fetch(here(path), { signal: load.signal });
    const page = await answer.json();
    if (chart.load !== load) return;
    if (!answer.ok) {
      tellChart(page.msg);
      return;
    }
    for (const bar of page.bars) chart.bars.set(bar.t, bar);
    chart.position = page.position.n[chart.symbol];
    tellChart('no trades yet');
    chartCommand('subscribe', { since: page.position });
  } catch (error) {
    if (chart.load === load && !load.signal.aborted) tellChart(`no history: ${error.message}`);
  }
}

take.b = (bar) => {
  if (bar.S !== chart.symbol || bar.i !== chart.interval || bar.n <= chart.position) return;
  chart.bars.set(bar.t, bar);
  if (chart.bars.size > CHART_BARS) chart.bars.delete(chart.bars.keys().next().value);
  askForChart();
};

function beginChartAnew() {
  if (!chart.symbol) return;
  endChart();
  startChart();
}

// Too late for the position, which is rare: once more from the beginning.
take.subscribed = ({ id, ok }) => {
  if (id !== 'chart' || !ok.some(({ S, recovered }) => S === chart.symbol && recovered === false)) return;
  const load = chart.load;
  setTimeout(() => {
    if (!load || chart.load !== load) return;
    endChart();
    startChart();
  }, AGAIN_MS);
};

part('select').addEventListener('change', ({ target }) => {
  endChart();
  chart.interval = target.value;
  startChart();
});

// ---- how it looks ----

function tellChart(notice) {
  chart.notice = notice;
  askForChart();
}

function askForChart() {
  if (!chart.frame) chart.frame = requestAnimationFrame(drawChart);
}

const CLOCK = { '1s': { timeStyle: 'medium' }, '1h': { dateStyle: 'short', timeStyle: 'short' }, '1d': { dateStyle: 'medium' } };

function timeOf(bar) {
  return new Intl.DateTimeFormat([], CLOCK[chart.interval] ?? { timeStyle: 'short' }).format(bar.t / 1000);
}

function label(text, x, y, anchor, kind) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', 'text');
  node.textContent = text;
  node.setAttribute('x', x);
  node.setAttribute('y', y);
  node.setAttribute('text-anchor', anchor);
  node.setAttribute('class', kind);
  return node;
}

function summary(bars, high, low) {
  const [first, last] = [bars[0], bars.at(-1)];
  const percent = (Number(last.c) / Number(first.o) - 1) * 100;
  const change = Number.isFinite(percent) ? `, ${percent < 0 ? 'down' : 'up'} ${Math.abs(percent).toFixed(2)} %` : '';
  return `${chart.symbol} since ${timeOf(first)}: last ${last.c}${change}, highest ${high.h}, lowest ${low.l}`;
}

function drawChart() {
  chart.frame = 0;
  const bars = [...chart.bars.values()];
  svg.toggleAttribute('hidden', !bars.length);
  if (!bars.length) {
    part('#chart-text').textContent = `${chart.symbol}: ${chart.notice}`;
    return;
  }
  const high = bars.reduce((most, bar) => (Number(bar.h) > Number(most.h) ? bar : most));
  const low = bars.reduce((least, bar) => (Number(bar.l) < Number(least.l) ? bar : least));
  part('#chart-text').textContent = summary(bars, high, low);
  const last = bars.at(-1);
  const width = svg.clientWidth;
  const right = width - 8 - DIGIT * Math.max(...[high.h, low.l, last.c].map((text) => text.length));
  const range = Number(high.h) - Number(low.l);
  const level = (text) => ABOVE + (range ? (Number(high.h) - Number(text)) / range : 0.5) * (HEIGHT - ABOVE - BELOW);
  const step = right / CHART_BARS;
  const place = (i) => (CHART_BARS - bars.length + i + 0.5) * step;
  const half = Math.max(1, step * 0.32);
  const paths = { up: '', down: '' };
  bars.forEach((bar, i) => {
    const x = place(i);
    const [open, close] = [level(bar.o), level(bar.c)];
    const [top, bottom] = [Math.min(open, close), Math.max(open, close)];
    paths[close > open ? 'down' : 'up'] += `M${x} ${level(bar.h)}V${top}M${x} ${bottom}V${level(bar.l)}`
      + `M${x - half} ${top}H${x + half}V${bottom}H${x - half}Z`;
  });
  svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
  part('.up').setAttribute('d', paths.up);
  part('.down').setAttribute('d', paths.down);
  part('.level').setAttribute('d', `M0 ${level(last.c)}H${right}`);
  const labels = [label(last.c, width, level(last.c) + 4, 'end', 'now')];
  // A label that the last price would cover is left out.
  for (const text of [high.h, low.l]) {
    if (Math.abs(level(text) - level(last.c)) > 13) labels.push(label(text, width, level(text) + 4, 'end', 'soft'));
  }
  labels.push(label(timeOf(last), right, HEIGHT - 4, 'end', 'soft'));
  if (right - place(0) > 180) labels.push(label(timeOf(bars[0]), place(0) - half, HEIGHT - 4, 'start', 'soft'));
  part('g').replaceChildren(...labels);
}

addEventListener('resize', () => {
  if (chart.symbol) askForChart();
});
