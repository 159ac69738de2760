// What all devices did together, over the same time as the lanes; and how figures are spread.

// Vertical lines at round times, and what they stand for.
function gridTimes(width) {
  const { room } = field(width);
  const each = step(view.span(), room / 90);
  const times = [];
  for (let n = Math.ceil(view.from / each); n * each <= view.to; n += 1) times.push(n * each);
  return { each, times };
}
function timeLabel(t, each) {
  const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(each) + 1e-9)));
  return `${t.toFixed(digits)} s`;
}
function grid(pen, width, height) {
  const x = place(width);
  pen.fillStyle = colours.grid;
  for (const t of gridTimes(width).times) pen.fillRect(Math.round(x(t)), 0, 1, height);
}
function overlay(pen, width, height) {
  const x = place(width);
  if (view.selection) {
    const [a, b] = view.selection.map(x);
    pen.globalAlpha = 0.18;
    pen.fillStyle = colours.accent;
    pen.fillRect(a, 0, b - a, height);
    pen.globalAlpha = 1;
  }
  if (view.pin !== null && view.pin >= view.from && view.pin <= view.to) {
    pen.fillStyle = colours.accent;
    pen.fillRect(Math.round(x(view.pin)) - 1, 0, 2, height);
  }
  if (view.hover !== null && view.hover >= view.from && view.hover <= view.to) {
    pen.fillStyle = colours.faint;
    pen.fillRect(Math.round(x(view.hover)), 0, 1, height);
  }
}
function clipped(pen, width, height, draw) {
  const { left, room } = field(width);
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, room, height);
  pen.clip();
  draw();
  pen.restore();
}

function drawAxis(canvas) {
  const { pen, width, height } = blank(canvas);
  const x = place(width);
  const { each, times } = gridTimes(width);
  pen.fillStyle = colours.faint;
  pen.textBaseline = 'middle';
  pen.textAlign = 'center';
  for (const t of times) {
    const label = timeLabel(t, each);
    const half = pen.measureText(label).width / 2;
    pen.fillText(label, Math.min(width - half, Math.max(half, x(t))), height / 2);
  }
}

// Firings of a rule that overlap, or are closer than can be seen, as one with their number.
function atOnce(firings, near) {
  const latest = new Map();
  const all = [];
  for (const { rule, from, to } of firings) {
    const one = latest.get(rule);
    if (one && from <= one.to + near) Object.assign(one, { to: Math.max(one.to, to), count: one.count + 1 });
    else { latest.set(rule, { rule, from, to, count: 1 }); all.push(latest.get(rule)); }
  }
  return all.map((one) => ({ ...one, words: one.count > 1 ? `${one.rule} ×${one.count}` : one.rule }));
}

// The faults: from the first device that one held on to the last.
function drawFaults(canvas, firings) {
  const { pen, width } = blank(canvas, 24);
  const x = place(width);
  const { left } = field(width);
  const rows = [];
  const seen = atOnce(firings.filter((firing) => firing.to >= view.from && firing.from <= view.to), (view.span() * 4) / width);
  for (const firing of seen) {
    const [a, b] = [Math.max(left, x(firing.from)), Math.max(x(firing.from) + 2, Math.min(width - 8, x(firing.to)))];
    const end = Math.max(b, a + pen.measureText(firing.words).width + 14);
    let row = rows.findIndex((taken) => taken <= a);
    if (row < 0) row = rows.push(0) - 1;
    rows[row] = end + 4;
    Object.assign(firing, { row, a, b });
  }
  const shown = Math.min(4, Math.max(1, rows.length));
  const again = blank(canvas, shown * 20 + 4);
  again.pen.textBaseline = 'middle';
  if (!isNarrow(width)) {
    again.pen.fillStyle = colours.faint;
    again.pen.fillText('faults', 0, 12);
  }
  for (const { row, a, b, words } of seen) {
    if (row >= shown) continue;
    const y = row * 20 + 2;
    again.pen.fillStyle = colours['fault-bg'];
    again.pen.fillRect(a, y, b - a, 18);
    again.pen.fillStyle = colours.fault;
    again.pen.fillRect(a, y, 2, 18);
    if (b - a > 4) again.pen.fillRect(b - 2, y, 2, 18);
    again.pen.fillText(words, a + 6, y + 10);
  }
  overlay(again.pen, width, again.height);
}

function scale(pen, width, height, top, unit) {
  const { left } = field(width);
  pen.fillStyle = colours.faint;
  pen.textBaseline = 'top';
  if (isNarrow(width)) {
    pen.textAlign = 'left';
    pen.fillText(`${top} ${unit}`, left + 2, 1);
  } else {
    pen.textAlign = 'right';
    pen.fillText(String(top), left - 8, 2);
    pen.textBaseline = 'bottom';
    pen.fillText('0', left - 8, height);
  }
  pen.textAlign = 'left';
}

// A line of how many devices are connected; where a bin holds several, from the least to the most.
function drawLevel(canvas, timeline) {
  const { pen, width, height } = blank(canvas);
  const { level, dip } = timeline;
  const x = place(width);
  const top = Math.max(1, timeline.most);
  const y = (n) => height - 2 - (n / top) * (height - 18);
  shadeFirings(pen, width, height, timeline);
  grid(pen, width, height);
  scale(pen, width, height, top, 'devices');
  clipped(pen, width, height, () => {
    const binAt = (t) => (t - level.from) / level.w;
    const first = Math.max(0, Math.floor(binAt(view.from)) - 1);
    const last = Math.min(level.last.length, Math.ceil(binAt(view.to)) + 1);
    const begins = (n) => level.from + n * level.w;
    const upper = new Path2D();
    const area = new Path2D();
    area.moveTo(x(begins(first)), height);
    for (let n = first; n < last; n += 1) {
      const [a, b] = [x(begins(n)), x(Math.min(view.end, begins(n + 1)))];
      area.lineTo(a, y(level.low[n]));
      area.lineTo(b, y(level.low[n]));
      if (n === first) upper.moveTo(a, y(level.last[n]));
      upper.lineTo(a, y(level.last[n]));
      upper.lineTo(b, y(level.last[n]));
      if (level.high[n] > level.low[n]) {
        pen.fillStyle = colours['connected-deep'];
        pen.globalAlpha = 0.35;
        pen.fillRect(a, y(level.high[n]), Math.max(1, b - a), y(level.low[n]) - y(level.high[n]));
        pen.globalAlpha = 1;
      }
    }
    area.lineTo(x(Math.min(view.end, begins(last))), height);
    pen.fillStyle = colours.connected;
    pen.globalAlpha = 0.35;
    pen.fill(area);
    pen.globalAlpha = 1;
    pen.strokeStyle = colours['connected-deep'];
    pen.lineWidth = 1.5;
    pen.stroke(upper);
    if (dip && dip.depth > 0) marksDip(pen, x, y, dip, width);
  });
  overlay(pen, width, height);
}
function marksDip(pen, x, y, dip, width) {
  const at = x(dip.at);
  if (at < 0 || at > width) return;
  pen.strokeStyle = pen.fillStyle = colours.dip;
  pen.setLineDash([3, 3]);
  pen.beginPath();
  pen.moveTo(at, y(dip.before));
  pen.lineTo(at, y(dip.low));
  pen.stroke();
  pen.setLineDash([]);
  const words = `${dip.depth} fewer at ${seconds(dip.at)}`;
  const left = at + 6 + pen.measureText(words).width > width - 8;
  pen.textAlign = left ? 'right' : 'left';
  pen.textBaseline = 'middle';
  pen.fillText(words, at + (left ? -6 : 6), (y(dip.before) + y(dip.low)) / 2);
  pen.textAlign = 'left';
}
function shadeFirings(pen, width, height, timeline) {
  const x = place(width);
  clipped(pen, width, height, () => {
    pen.fillStyle = colours['fault-bg'];
    // Firings that overlap are one shade: they come in order of their beginnings.
    let shaded = -1e9;
    for (const { from, to } of timeline.firings) {
      if (to < view.from || from > view.to) continue;
      const [a, b] = [Math.max(shaded, x(from)), Math.max(x(from) + 1.5, x(to))];
      if (b > a) pen.fillRect(a, 0, b - a, height);
      shaded = Math.max(shaded, b);
    }
  });
}

// Bars of what happened per second; of wider bins, their busiest second.
function drawBars(canvas, timeline, series, unit) {
  const { pen, width, height } = blank(canvas);
  const x = place(width);
  const top = Math.max(1, ...series.map((one) => one.top));
  shadeFirings(pen, width, height, timeline);
  grid(pen, width, height);
  scale(pen, width, height, top < 10 ? Math.ceil(top * 10) / 10 : Math.ceil(top), unit);
  clipped(pen, width, height, () => {
    series.forEach(({ from, w, values, colour }, nth) => {
      const first = Math.max(0, Math.floor((view.from - from) / w));
      const last = Math.min(values.length, Math.ceil((view.to - from) / w) + 1);
      pen.fillStyle = colours[colour];
      for (let n = first; n < last; n += 1) {
        if (!values[n]) continue;
        const left = x(from + n * w);
        const wide = Math.max(1, x(from + (n + 1) * w) - left - 1);
        const share = wide > 6 ? wide / series.length : wide;
        const tall = Math.max(1.5, (values[n] / top) * (height - 16));
        pen.fillRect(left + (wide > 6 ? nth * share : 0), height - tall, Math.max(1, share - (wide > 6 ? 1 : 0)), tall);
      }
    });
  });
  overlay(pen, width, height);
}

// One picture a rule: the values of its windows, with the median, the 95th percentile and the limits.
const MEASURES = [['device_detection', 'device noticed', 'device'], ['hub_detection', 'hub noticed', 'hub'], ['recovery', 'device is back', 'way']];

function spreads() {
  const place = byId('spreads');
  const shown = data.rules.filter((rule) => MEASURES.some(([name]) => rule[name].length > 0));
  byId('spread').hidden = shown.length === 0;
  place.replaceChildren(...shown.map((rule) => {
    const caption = element('figcaption', {}, element('code', { textContent: rule.id }));
    const figure = element('figure', { className: 'spread' }, caption);
    place.append(figure);
    figure.append(spread(rule, Math.max(280, place.clientWidth)));
    return figure;
  }));
}

const upper = (value) => (Array.isArray(value) ? value[1] : typeof value === 'number' ? value : Infinity);
const atRank = (sorted, percent) => sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];

function spread(rule, width) {
  const measures = MEASURES.filter(([name]) => rule[name].length > 0);
  const narrow = isNarrow(width);
  const [left, right, tall] = [narrow ? 4 : 120, width - 84, narrow ? 78 : 62];
  const limits = rule.limits.filter((limit) => measures.some(([name]) => name === limit.metric));
  const finite = measures.flatMap(([name]) => rule[name].map(upper)).filter(Number.isFinite);
  const most = Math.max(1e-3, ...finite, ...limits.flatMap((limit) => limit.at)) * 1.06;
  const x = (s) => left + (s / most) * (right - left);
  const svg = drawn('svg', { width, height: measures.length * tall + 22, role: 'img' });
  const told = measures.map(([name, words]) => `${words}: ${inWords(rule[name])}`).join('; ');
  svg.setAttribute('aria-label', `${rule.id}: ${told}`);
  const each = step(most, (right - left) / 80);
  for (let t = 0; t <= most; t += each) {
    svg.append(drawn('line', { x1: x(t), x2: x(t), y1: 0, y2: measures.length * tall, class: 'rail' }));
    svg.append(drawn('text', { x: x(t), y: measures.length * tall + 16, 'text-anchor': t === 0 ? 'start' : 'middle', class: 'faint' }, timeLabel(t, each)));
  }
  measures.forEach(([name, words, look], nth) => {
    const top = nth * tall + (narrow ? 18 : 4);
    svg.append(drawn('text', { x: narrow ? left : 0, y: narrow ? top - 4 : top + 26 }, words));
    if (!narrow) svg.append(drawn('text', { x: 0, y: top + 42, class: 'faint' }, `${rule[name].length} values`));
    svg.append(row(rule[name], limits.filter((limit) => limit.metric === name), look, { x, top: top + 12, low: top + 44, right, most }));
  });
  return svg;
}

function inWords(values) {
  const sorted = values.map(upper).sort((a, b) => a - b);
  const word = (value) => (Number.isFinite(value) ? seconds(value) : 'never');
  return `${many(values.length, 'value')}, median ${word(atRank(sorted, 50))}, 95th percentile ${word(atRank(sorted, 95))}, most ${word(sorted[sorted.length - 1])}`;
}

function row(values, limits, look, { x, top, low, right, most }) {
  const all = drawn('g', {});
  const exact = values.filter((value) => typeof value === 'number');
  const never = values.filter((value) => !Array.isArray(value) && typeof value !== 'number').length;
  all.append(drawn('line', { x1: x(0), x2: right, y1: low, y2: low, class: 'rail' }));
  for (const [from, to] of values.filter(Array.isArray).slice(0, 200)) {
    const line = drawn('line', { x1: x(from), x2: Math.max(x(to), x(from) + 2), y1: low - 4, y2: low - 4, class: `bracket ${look}` });
    line.append(drawn('title', {}, `between ${seconds(from)} and ${seconds(to)}`));
    all.append(line);
  }
  if (exact.length <= 60) dots(all, exact, look, x, low); else bars(all, exact, look, x, low, low - top, most);
  const sorted = values.map(upper).sort((a, b) => a - b);
  for (const [percent, name] of [[50, 'p50'], [95, 'p95']]) {
    const at = atRank(sorted, percent);
    if (values.length < 2 || !Number.isFinite(at)) continue;
    all.append(drawn('path', { d: `M${x(at)} ${low + 1}v6m-4 0h8`, class: 'rank' }));
    const mark = drawn('title', {}, `${name}: ${seconds(at)}`);
    all.lastChild.append(mark);
  }
  if (never > 0) all.append(drawn('text', { x: right + 8, y: low, class: 'limit unmet' }, `${never} never`));
  limits.forEach((limit, nth) => limit.at.forEach((at) => {
    const state = limit.met ? 'limit' : 'limit unmet';
    const line = drawn('line', { x1: x(at), x2: x(at), y1: top - 10, y2: low + 4, class: state });
    line.append(drawn('title', {}, limit.words));
    const before = x(at) > right - 90;
    all.append(line, drawn('text', { x: x(at) + (before ? -5 : 5), y: top - 2 + (nth % 2) * 13, 'text-anchor': before ? 'end' : 'start', class: state },
      `${seconds(at)} ${limit.met ? 'met' : 'unmet'}`));
  }));
  return all;
}

// Dots that would hide each other are stacked.
function dots(all, values, look, x, low) {
  const columns = new Map();
  for (const value of values) {
    const column = Math.round(x(value) / 7);
    const height = columns.get(column) || 0;
    columns.set(column, height + 1);
    const dot = drawn('circle', { cx: x(value), cy: low - 5 - Math.min(5, height) * 6, r: 3.5, class: `dot ${look}` });
    dot.append(drawn('title', {}, seconds(value)));
    all.append(dot);
  }
}

function bars(all, values, look, x, low, tall, most) {
  const bins = new Array(60).fill(0);
  for (const value of values) bins[Math.min(59, Math.floor((value / most) * 60))] += 1;
  const highest = Math.max(...bins);
  bins.forEach((count, nth) => {
    if (count === 0) return;
    const height = Math.max(2, (count / highest) * tall);
    const bar = drawn('rect', { x: x((nth * most) / 60), y: low - height, width: Math.max(1, x(most / 60) - x(0) - 1), height, class: `bar ${look}` });
    bar.append(drawn('title', {}, `${seconds((nth * most) / 60)} to ${seconds(((nth + 1) * most) / 60)}: ${count}`));
    all.append(bar);
  });
}
