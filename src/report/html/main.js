// Puts the parts together.

function legend() {
  const place = byId('legend');
  const used = new Set(lanes.timeline.lanes.flatMap((lane) => [...new Set(lane.state)]));
  const marked = new Set(lanes.timeline.lanes.flatMap((lane) => [...new Set(lane.marks.kind)]).map((kind) => data.kinds[kind][0]));
  const item = (draw, words) => {
    const canvas = element('canvas', {});
    canvas.setAttribute('aria-hidden', 'true');
    const li = element('li', {}, canvas, words);
    place.append(li);
    const { pen, width, height } = blank(canvas);
    makePatterns(pen);
    draw(pen, width, height);
  };
  place.replaceChildren();
  [CONNECTED, SILENT, DEVICE_BELIEVES, HUB_BELIEVES, HUB_ANEW, CONNECTING, REFUSED, DOWN, MIXED]
    .filter((state) => used.has(state))
    .forEach((state) => item((pen, w, h) => drawState(pen, state, 1, w - 2, 1, h - 2), STATES[state][0]));
  if (lanes.timeline.firings.length > 0) item((pen, w, h) => {
    pen.fillStyle = colours['fault-bg']; pen.fillRect(4, 0, w - 8, h);
    pen.fillStyle = colours.fault; pen.fillRect(4, 0, 2, h); pen.fillRect(w - 6, 0, 2, h);
  }, 'a fault holds');
  item((pen, w, h) => drawMark(pen, 'FIN', 'device', w / 2, h / 2, true), 'FIN or DISCONNECT');
  if (marked.has('RST') || [...marked].some((words) => / cut /.test(words))) item((pen, w, h) => drawMark(pen, 'RST', 'device', w / 2, h / 2, true), 'RST');
  const messages = ['message lost', 'message given up', 'message duplicated', 'message sent again'].filter((words) => marked.has(words));
  messages.forEach((words, nth) => {
    const more = nth === messages.length - 1 ? ' (of a kind, the first five of a device in a second)' : '';
    item((pen, w, h) => drawMark(pen, words, 'device', w / 2, h / 2, false), `${words}${more}`);
  });
  item((pen, w, h) => drawMark(pen, 'PINGREQ', 'device', w / 2, h / 2, false), 'packet (when zoomed in; above: by the device, below: by the hub)');
}

function charts() {
  const { timeline } = lanes;
  const { parts } = timeline;
  byId('faults-strip').hidden = timeline.firings.length === 0;
  drawFaults(byId('faults-strip'), timeline.firings);
  drawLevel(byId('level'), timeline);
  const series = ({ from, w }, values, colour) => ({ from, w, values, top: values.reduce((a, b) => Math.max(a, b), 0), colour });
  drawBars(byId('rate'), timeline, parts.map(({ counts }) => series(counts, counts.busiest, 'connecting')), 'connects in a second');
  const flow = parts.flatMap(({ counts }) => {
    const [up, down] = [counts.up, counts.down].map((list) => list.map((n) => n / counts.w));
    return [series(counts, up, 'device-half'), series(counts, down, 'hub-half')];
  });
  const flows = flow.some((one) => one.top > 0);
  byId('flow-part').hidden = !flows;
  if (flows) {
    drawBars(byId('flow'), timeline, flow, 'packets a second');
  }
  drawAxis(byId('axis'));
}

// What charts show, for those who do not see them; and what their bins are.
function words() {
  const { level, parts, dip, most } = lanes.timeline;
  const dips = dip && dip.depth > 0 ? `; ${dip.depth} fewer at ${seconds(dip.at)}` : '';
  byId('level-told').textContent = `At most ${most} connected${dips}.`;
  byId('rate-told').textContent = parts.map(({ run, counts }) => {
    const busiest = counts.busiest.reduce((a, b) => Math.max(a, b), 0);
    const all = counts.connects.reduce((a, b) => a + b, 0);
    return `${parts.length > 1 ? `Run ${run}: ` : ''}${many(all, 'connect')} in all, at most ${busiest} in one of the run's own seconds.`;
  }).join(' ');
  const widest = Math.max(...parts.map(({ counts }) => counts.w));
  const apart = parts.length > 1 ? '; a bar for each run' : '';
  byId('level-head').textContent = level.w > 0.11 ? `Connected devices (least to most in each ${seconds(level.w)})` : 'Connected devices';
  byId('rate-head').textContent = widest > 1 ? `Connect attempts in each of the run's own seconds (the busiest in each ${seconds(widest)}${apart})` : `Connect attempts in each of the run's own seconds${apart}`;
  byId('axis-told').textContent = lanes.timeline.axis;
  byId('flow-head').textContent = 'PUBLISH packets per second (left: from devices, right: for devices; as told once a second)';
}

function chartHover(event) {
  const { timeline } = lanes;
  const t = timeAt(event.currentTarget, event.clientX);
  view.hover = t;
  view.draw();
  if (t < view.start || t > view.end) { byId('tip').hidden = true; return; }
  const { level } = timeline;
  const bin = Math.min(level.last.length - 1, Math.floor((t - level.from) / level.w));
  const connects = timeline.parts.map((part) => connectsAt(part, t)).filter(Boolean);
  const range = level.low[bin] === level.high[bin] ? level.last[bin] : `${level.low[bin]} to ${level.high[bin]}`;
  const held = timeline.firings.filter((firing) => t >= firing.from && t <= firing.to).map((firing) => `fault ${firing.rule}`);
  tell(event, moment(t, view.span()), [`${range} connected`, ...connects, ...held]);
}
function connectsAt({ run, counts }, t) {
  const bin = Math.floor((t - counts.from) / counts.w);
  if (bin < 0 || bin >= counts.connects.length) return null;
  const within = counts.w > 1 ? `in these ${seconds(counts.w)}` : 'in this second';
  const whose = lanes.timeline.parts.length > 1 ? `run ${run}: ` : '';
  return `${whose}${many(counts.connects[bin], 'connect')} ${within}, ${counts.accepted[bin]} accepted`;
}

function theme() {
  const root = document.documentElement;
  const button = byId('theme');
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : system.matches);
  const show = () => {
    button.textContent = isDark() ? 'Light' : 'Dark';
    button.setAttribute('aria-label', `Switch to the ${isDark() ? 'light' : 'dark'} colours`);
    readColours();
    if (lanes.timeline) { legend(); view.draw(); }
  };
  button.hidden = false;
  button.addEventListener('click', () => { root.dataset.theme = isDark() ? 'light' : 'dark'; show(); });
  system.addEventListener('change', show);
  show();
}

function chooseRun() {
  const select = byId('run');
  timelines.forEach((timeline, nth) => select.append(element('option', { value: nth, textContent: timeline.name || nth + 1 })));
  byId('run-label').hidden = timelines.length < 2;
  select.addEventListener('change', () => open(timelines[Number(select.value)]));
}
function open(timeline) {
  byId('run').value = timelines.indexOf(timeline);
  lanes.choose(timeline);
  legend();
  words();
  view.reset(timeline.start, timeline.end);
}

// A time in the text leads to that moment on its lane.
function moments() {
  for (const link of document.querySelectorAll('a.moment')) {
    link.title = 'Show this moment in the timeline';
    link.addEventListener('click', (event) => { event.preventDefault(); lead(Number(link.dataset.run), link.dataset.device, Number(link.dataset.at)); });
  }
}
function lead(run, device, at) {
  const holds = (timeline) => timeline.parts.find((part) => part.run === run);
  const timeline = holds(lanes.timeline) ? lanes.timeline : timelines.find(holds);
  if (!timeline) return;
  if (timeline !== lanes.timeline) open(timeline);
  byId('lane-filter').value = '';
  lanes.list();
  lanes.leads(device === undefined ? -1 : lanes.shown.findIndex((lane) => lane.device === device && lane.run === run), at + holds(timeline).shift);
  // Nothing else that is open is in the way: the lane is in the middle of the window.
  byId('lanes').scrollIntoView({ block: 'center' });
}

function start() {
  theme();
  document.querySelectorAll('table.sortable').forEach(workable);
  if (timelines.length === 0) return;
  byId('pictures').hidden = false;
  chooseRun();
  view.draws.push(charts, () => lanes.draw());
  for (const id of ['faults-strip', 'level', 'rate', 'flow', 'axis']) pointed(byId(id), { selects: true, hovers: chartHover });
  pointed(lanes.canvas, { selects: false, hovers: (event) => lanes.hovers(event), taps: (event) => lanes.taps(event) });
  lanes.box.addEventListener('scroll', () => view.draw());
  lanes.box.addEventListener('keydown', (event) => lanes.keys(event));
  lanes.box.addEventListener('focus', () => { lanes.focused = true; lanes.say(); });
  lanes.box.addEventListener('blur', () => { lanes.focused = false; view.draw(); });
  const centre = () => (view.from + view.to) / 2;
  const buttons = {
    'zoom-in': () => view.zoom(centre(), 0.5), 'zoom-out': () => view.zoom(centre(), 2), 'zoom-all': () => view.whole(),
    earlier: () => view.pan(-view.span() / 4), later: () => view.pan(view.span() / 4),
  };
  for (const [id, does] of Object.entries(buttons)) byId(id).addEventListener('click', does);
  byId('lane-filter').addEventListener('input', () => lanes.list());
  byId('lane-order').addEventListener('change', () => lanes.list());
  byId('lane-size').addEventListener('change', () => lanes.size());
  open(timelines[0]);
  moments();
  spreads();
  let waits = 0;
  window.addEventListener('resize', () => { clearTimeout(waits); waits = setTimeout(() => { lanes.size(); legend(); spreads(); }, 80); });
  window.matchMedia('print').addEventListener('change', () => { readColours(); charts(); lanes.draw(); });
  window.addEventListener('scroll', () => { byId('tip').hidden = true; }, { passive: true });
}
start();
