// The lanes: what each device's link was like. The upper half of a lane is what the device believes, the lower half what the
// hub believes: a split view is a lane with one half.

const DOWN = 0, CONNECTING = 1, REFUSED = 2, CONNECTED = 3, SILENT = 4, DEVICE_BELIEVES = 5, HUB_BELIEVES = 6, HUB_ANEW = 7, MIXED = 8, UNSEEN = 9;
const STATES = [
  ['no link', 'no link'],
  ['connecting', 'connecting: TCP, TLS or CONNECT under way'],
  ['refused', 'refused by the hub'],
  ['connected', 'connected'],
  ['silent', 'up, but nothing is heard of the device'],
  ['half-open: device believes', 'half-open: the device still believes in the link, the hub has given it up'],
  ['half-open: hub believes', 'half-open: the hub still believes in the link, the device has given it up'],
  ['half-open: hub believes, device connects', 'half-open: the hub still believes in the old link, the device is connecting anew'],
  ['several, too short to tell apart', 'several states, each too short to keep'],
  ['not watched', 'not watched: its run is not on then'],
];
// Which of two that share a pixel is drawn: what is rarer and worse.
const RANK = [4, 5, 7, 0, 3, 8, 9, 10, 6, -1];
// Marks that are signs of an end, a refusal, or trouble with a message: drawn even when packets are not.
const SIGN = /FIN|RST|DISCONNECT|alert|cut|refused|unreachable|exceeded|lost|given up|duplicated/;

function unpack(flat, each) {
  const [times, values] = [new Float64Array(flat.length / 2), new Float64Array(flat.length / 2)];
  let t = 0;
  for (let n = 0; n < times.length; n += 1) {
    t += flat[2 * n];
    times[n] = t / 1e6;
    values[n] = flat[2 * n + 1];
  }
  return each(times, values);
}

function unpackLane(lane, nth, start, end) {
  const { from, state } = unpack(lane.s, (times, values) => ({ from: times, state: Uint8Array.from(values) }));
  const marks = unpack(lane.m, (times, values) => ({
    at: times,
    kind: Uint8Array.from(values, (v) => v % data.countBy),
    count: Uint32Array.from(values, (v) => Math.floor(v / data.countBy)),
  }));
  const spent = new Float64Array(STATES.length);
  state.forEach((s, n) => { spent[s] += (n + 1 < from.length ? from[n + 1] : end) - from[n]; });
  return { name: lane.n, device: lane.n, who: lane.who || lane.n, nth, from, state, marks, spent, windows: [], down: end - start - spent[CONNECTED] - spent[SILENT] };
}

let patterns = {};
function makePatterns(pen) {
  const tile = (size, draw) => {
    const canvas = element('canvas', { width: size, height: size });
    draw(canvas.getContext('2d'));
    return pen.createPattern(canvas, 'repeat');
  };
  patterns.silent = tile(8, (p) => {
    p.fillStyle = colours.bg; p.fillRect(0, 0, 8, 8);
    p.strokeStyle = colours.connected; p.lineWidth = 2.5;
    p.beginPath();
    for (const n of [-8, 0, 8]) { p.moveTo(n - 1, 9); p.lineTo(n + 9, -1); }
    p.stroke();
  });
  patterns.mixed = tile(4, (p) => { p.fillStyle = colours.mixed; p.fillRect(0, 0, 2, 2); p.fillRect(2, 2, 2, 2); });
}

// One state from x to x, in a bar of this height.
function drawState(pen, state, x, wide, y, tall) {
  const half = Math.max(1, Math.floor(tall / 2) - (tall > 8 ? 1 : 0));
  const thin = Math.max(1, Math.round(tall / 4));
  const middle = y + Math.round((tall - thin) / 2);
  const bar = (colour, top, height) => { pen.fillStyle = colour; pen.fillRect(x, top, wide, height); };
  const frame = (colour) => {
    if (wide < 4 || tall < 8) return;
    pen.strokeStyle = colour;
    pen.lineWidth = 1;
    pen.strokeRect(x + 0.5, y + 0.5, wide - 1, tall - 1);
  };
  switch (state) {
    case CONNECTED: bar(colours.connected, y, tall); break;
    case SILENT: bar(patterns.silent, y, tall); frame(colours['connected-deep']); break;
    case DEVICE_BELIEVES: bar(colours['device-half'], y, half); frame(colours['device-half']); break;
    case HUB_BELIEVES: bar(colours['hub-half'], y + tall - half, half); frame(colours['hub-half']); break;
    case HUB_ANEW:
      bar(colours['hub-half'], y + tall - half, half);
      bar(colours.connecting, y + Math.max(1, Math.round(tall / 8)), thin);
      frame(colours['hub-half']);
      break;
    case CONNECTING: bar(colours.connecting, middle, thin); break;
    case REFUSED: bar(colours.refused, middle, thin); bar(colours.refused, y, Math.max(1, Math.round(tall / 6))); break;
    case UNSEEN: break;
    case MIXED: bar(patterns.mixed, y, tall); break;
    default: bar(colours.line, y + Math.round(tall / 2), 1);
  }
}

// The segments of a lane in view; what shares a pixel is drawn as the worst of it.
function drawSegments(pen, lane, x, edges, y, tall) {
  const { from, state } = lane;
  let pixel = -1;
  let worst = -1;
  const flush = () => { if (worst >= 0) drawState(pen, worst, pixel, 1, y, tall); worst = -1; };
  for (let n = Math.max(0, after(from, view.from) - 1); n < from.length && from[n] <= view.to; n += 1) {
    const a = Math.max(edges.left, x(from[n]));
    const b = Math.min(edges.right, x(n + 1 < from.length ? from[n + 1] : view.end));
    if (Math.floor(b) > Math.floor(a) + 1 || (b - a >= 1.5)) {
      flush();
      drawState(pen, state[n], a, b - a, y, tall);
    } else {
      if (Math.floor(a) !== pixel) { flush(); pixel = Math.floor(a); }
      if (worst < 0 || RANK[state[n]] > RANK[worst]) worst = state[n];
    }
  }
  flush();
}

function drawWindows(pen, lane, x, edges, top, tall) {
  for (const window of lane.windows) {
    if (window.to < view.from || window.from > view.to) continue;
    const [a, b] = [Math.max(edges.left, x(window.from)), Math.min(edges.right, x(window.to))];
    pen.fillStyle = colours['fault-bg'];
    pen.fillRect(a, top, Math.max(1, b - a), tall);
  }
}
function drawWindowEdges(pen, lane, x, edges, top, tall) {
  pen.fillStyle = colours.fault;
  for (const window of lane.windows) {
    for (const t of window.to - window.from < 1e-3 ? [window.from] : [window.from, window.to]) {
      if (t >= view.from && t <= view.to && t < view.end) pen.fillRect(Math.round(x(t)) - (tall > 20 ? 1 : 0), top, tall > 20 ? 2 : 1, tall);
    }
  }
}

// How many marks of a lane are in view.
function marksInView(lane) {
  return after(lane.marks.at, view.to) - after(lane.marks.at, view.from - 1e-9);
}

// Packets and signs: those of the device above the bar, those of the hub below. Names where there is room.
function drawMarks(pen, lane, x, edges, bar, packets, names) {
  const { at, kind, count } = lane.marks;
  const first = after(at, view.from - 1e-9);
  const last = after(at, view.to);
  const ends = { device: -1e9, hub: -1e9, brownout: -1e9 };
  pen.font = `10px ${FONT}`;
  for (let n = first; n < last; n += 1) {
    const [words, from] = data.kinds[kind[n]];
    const isSign = SIGN.test(words);
    if (!packets && !isSign) continue;
    const px = x(at[n]);
    const y = from === 'device' || /device/.test(words) ? bar.y - 2 : bar.y + bar.tall + 2;
    drawMark(pen, words, from, px, y, isSign);
    if (names) {
      const label = count[n] > 1 ? `${words} ×${count[n]}` : words;
      if (px > ends[from] + 6 && from !== 'brownout') {
        pen.fillStyle = isSign ? colours.refused : colours.faint;
        pen.textBaseline = from === 'device' ? 'bottom' : 'top';
        const next = nextOf(lane.marks, n, last, from, x, edges);
        if (pen.measureText(label).width < next - px - 8) {
          pen.fillText(label, px + 5, from === 'device' ? y + 1 : y - 1);
          ends[from] = px + 5 + pen.measureText(label).width;
        }
      }
    }
  }
  pen.font = `12px ${FONT}`;
}
function nextOf(marks, n, last, from, x, edges) {
  for (let m = n + 1; m < last; m += 1) if (data.kinds[marks.kind[m]][1] === from) return x(marks.at[m]);
  return edges.right;
}
function drawMark(pen, words, from, x, y, isSign) {
  pen.strokeStyle = pen.fillStyle = from === 'brownout' ? colours.fault : isSign ? colours.refused : colours.fg;
  pen.lineWidth = 1.5;
  pen.beginPath();
  if (/^message/.test(words)) {
    pen.strokeStyle = pen.fillStyle = /lost|given up/.test(words) ? colours.refused : colours.fg;
    drawMessage(pen, words, x, y);
  } else if (/RST|cut/.test(words)) {
    for (const s of [-1, 1]) { pen.moveTo(x - 3, y - 3 * s); pen.lineTo(x + 3, y + 3 * s); }
    pen.stroke();
  } else if (isSign) {
    pen.moveTo(x, y - 4); pen.lineTo(x + 4, y); pen.lineTo(x, y + 4); pen.lineTo(x - 4, y);
    pen.fill();
  } else {
    pen.moveTo(x, y - 3); pen.lineTo(x, y + 3);
    pen.stroke();
  }
}

// Lost: a disc. Sent again: a ring. Duplicated: two rings.
function drawMessage(pen, words, x, y) {
  const ring = (at, radius) => { pen.moveTo(at + radius, y); pen.arc(at, y, radius, 0, 7); };
  if (/lost/.test(words)) { ring(x, 4); pen.fill(); return; }
  if (/duplicated/.test(words)) { ring(x - 2, 3); ring(x + 2, 3); } else ring(x, 3);
  pen.stroke();
}

// What the lane is at a time: from when, until when.
function stateAt(lane, t) {
  const n = Math.max(0, after(lane.from, t) - 1);
  return { state: lane.state[n], from: lane.from[n], to: n + 1 < lane.from.length ? lane.from[n + 1] : view.end };
}
// The same in sentences, with the faults then and what happened nearby.
function described(lane, t, near) {
  const { state, from, to } = stateAt(lane, t);
  const lines = [`${STATES[state][1]}, from ${moment(from, view.span())} to ${moment(to, view.span())} (${seconds(to - from)})`];
  for (const window of lane.windows) {
    if (t < window.from - near || t > window.to + near) continue;
    const until = window.open ? 'not over by the end' : `until ${moment(window.to, view.span())}`;
    lines.push(`fault ${window.rule}, from ${moment(window.from, view.span())} ${until}${window.held ? '' : ' (it held on no link)'}`);
  }
  const { at, kind, count } = lane.marks;
  for (let n = after(at, t - near), told = 0; n < at.length && at[n] <= t + near && told < 6; n += 1, told += 1) {
    const [words, by] = data.kinds[kind[n]];
    const whose = /^message/.test(words) ? ` (${by === 'device' ? 'from' : 'for'} the device)` : by === 'brownout' || words === 'hub unreachable' ? '' : by === 'device' ? ' by the device' : ' by the hub';
    lines.push(`${moment(at[n], view.span())}: ${words}${count[n] > 1 ? ` ×${count[n]}` : ''}${whose}`);
  }
  return lines;
}
