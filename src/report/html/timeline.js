// The lanes as a list that is only drawn where it is seen, by pointer and by key.

const runs = data.timelines.map((raw) => {
  const [start, end] = [raw.start / 1e6, raw.end / 1e6];
  const lanes = raw.lanes.map((lane, nth) => ({ ...unpackLane(lane, nth, start, end), run: raw.run }));
  const firings = new Map();
  for (const [rule, lane, from, closed, held, firing] of raw.windows) {
    const window = { rule: data.rules[rule].id, from: from / 1e6, to: closed === null ? end : closed / 1e6, open: closed === null, held };
    lanes[lane].windows.push(window);
    const known = firings.get(firing);
    if (known) Object.assign(known, { from: Math.min(known.from, window.from), to: Math.max(known.to, window.to) });
    else firings.set(firing, { ...window });
  }
  const level = { ...raw.level, from: start, w: raw.level.w / 1e6 };
  const counts = { ...raw.counts, from: start, w: raw.counts.w / 1e6 };
  const axis = start > 0 ? `Seconds since the log began; this part of it begins at ${seconds(start)}.` : '';
  return { run: raw.run, name: raw.run, after: raw.after, axis, start, end, lanes, firings: [...firings.values()].sort((a, b) => a.from - b.from),
    parts: [{ run: raw.run, shift: 0, counts }], ...levelled(level, [raw.run]) };
}).sort((a, b) => (a.run === null) - (b.run === null) || a.run - b.run);

// So many bins has the level of runs together.
const LEVEL_BINS = 2000;

// Runs that overlap in time are also shown together, and that first.
const timelines = [...overlapping(runs).map(together), ...runs];

// The level with its greatest, and the report's own dip where it is of just these runs.
function levelled(level, of) {
  const most = level.high.reduce((a, b) => Math.max(a, b), 0);
  if (data.dip === null || String(data.dip[2]) !== String(of)) return { level, most, dip: null };
  const [depth, at] = data.dip;
  const bins = level.high.slice(0, Math.floor((at - level.from) / level.w) + 1);
  const before = bins.reduce((a, b) => Math.max(a, b), depth);
  return { level, most, dip: { depth, at, before, low: before - depth } };
}

// Groups of runs each of which began, by the wall clocks, before those before it were over.
function overlapping(all) {
  const groups = [];
  let until = 0;
  for (const run of all.filter((one) => one.run !== null && one.after !== null).sort((a, b) => a.after - b.after)) {
    if (groups.length > 0 && run.after + run.start < until) groups[groups.length - 1].push(run); else groups.push([run]);
    until = Math.max(until, run.after + run.end);
  }
  return groups.filter((group) => group.length > 1);
}

// Several runs on one axis: the time since the first of them began. A run's lanes are not watched before and after it.
function together(group) {
  const shiftOf = (one) => one.after - group[0].after;
  const [start, end] = [Math.min(...group.map((one) => shiftOf(one) + one.start)), Math.max(...group.map((one) => shiftOf(one) + one.end))];
  const ordered = [...group].sort((a, b) => a.run - b.run);
  const of = ordered.map((one) => one.run);
  const lanes = ordered.flatMap((one) => one.lanes.map((lane) => shifted(lane, one, shiftOf(one), start, end)));
  lanes.forEach((lane, nth) => { lane.nth = nth; });
  const firings = ordered.flatMap((one) => one.firings.map((firing) => moved({ ...firing, rule: `${firing.rule} (run ${one.run})` }, shiftOf(one))));
  const parts = ordered.map((one) => ({ run: one.run, shift: shiftOf(one), counts: { ...one.parts[0].counts, from: one.start + shiftOf(one) } }));
  const later = ordered.filter((one) => one !== group[0]).map((one) => `run ${one.run} began ${seconds(shiftOf(one))} later`);
  const axis = `Seconds since run ${group[0].run} began; by the wall clocks, ${later.join(', ')}. A device that several runs saw has a lane of each.`;
  return { run: null, name: `${of.join(' and ')} together`, axis, start, end, lanes, firings: firings.sort((a, b) => a.from - b.from), parts,
    ...levelled(levelOf(lanes, start, end), of) };
}
function moved(window, by) { return { ...window, from: window.from + by, to: window.to + by }; }
function shifted(lane, run, by, start, end) {
  const times = [...lane.from].map((t) => t + by);
  const states = [...lane.state];
  if (run.start + by > start) { times.unshift(start); states.unshift(UNSEEN); }
  if (run.end + by < end) { times.push(run.end + by); states.push(UNSEEN); }
  const marks = { ...lane.marks, at: lane.marks.at.map((t) => t + by) };
  return { ...lane, name: `${lane.name} (run ${run.run})`, from: Float64Array.from(times), state: Uint8Array.from(states), marks,
    windows: lane.windows.map((window) => moved(window, by)) };
}

// How many devices are connected, each in any of the runs.
function levelOf(lanes, start, end) {
  const isUp = (state) => state === CONNECTED || state === SILENT;
  const changes = lanes.flatMap((lane) => [...lane.state].flatMap((state, n) => {
    const by = isUp(state) - (n > 0 && isUp(lane.state[n - 1]));
    return by === 0 ? [] : [[lane.from[n], by, lane.who]];
  })).sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const w = Math.max(0.1, (end - start) / LEVEL_BINS);
  const level = { from: start, w, low: [], high: [], last: [] };
  const up = new Map();
  let [now, next] = [0, 0];
  for (let n = 0; start + n * w < end; n += 1) {
    let [low, high] = [now, now];
    for (; next < changes.length && changes[next][0] < start + (n + 1) * w; next += 1) {
      const [, by, who] = changes[next];
      const held = up.get(who) || 0;
      up.set(who, held + by);
      now += (held + by > 0) - (held > 0);
      [low, high] = [Math.min(low, now), Math.max(high, now)];
    }
    level.low.push(low); level.high.push(high); level.last.push(now);
  }
  return level;
}

const lanes = {
  timeline: null, shown: [], tall: 28, bar: 16, group: 1, cursor: 0, at: null, focused: false,
  canvas: byId('lanes-canvas'), box: byId('lanes'),

  choose(timeline) {
    this.timeline = timeline;
    this.cursor = 0;
    this.at = null;
    this.list();
  },
  // Which lanes, in which order.
  list() {
    const words = byId('lane-filter').value.toLowerCase();
    const order = byId('lane-order').value;
    this.shown = this.timeline.lanes.filter((lane) => lane.name.toLowerCase().includes(words));
    if (order === 'worst') this.shown.sort((a, b) => b.down - a.down || a.nth - b.nth);
    if (order === 'name') this.shown.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
    this.cursor = Math.min(this.cursor, Math.max(0, this.shown.length - 1));
    const all = this.timeline.lanes.length;
    const some = this.shown.length < all ? `${this.shown.length} of ${many(all, 'device')}` : many(all, 'device');
    this.some = some;
    this.size();
  },
  // How tall lanes are; where all are to fit, several share a row.
  size() {
    const wanted = byId('lane-size').value;
    const room = Math.min(window.innerHeight * 0.7, 640) - 2;
    const count = Math.max(1, this.shown.length);
    const narrow = isNarrow(this.box.clientWidth) ? 14 : 0;
    this.group = 1;
    if (wanted === 'fit') {
      this.group = Math.max(1, Math.ceil((count * 2) / room));
      this.tall = Math.max(2, Math.min(28, Math.floor(room / Math.ceil(count / this.group))));
    } else {
      this.tall = wanted === 'small' ? 14 : (wanted === 'large' || count <= 10 ? 46 : 30) + narrow;
    }
    const shared = this.group > 1 ? `; ${this.group} share a row, and what is not well covers the rest` : '';
    byId('lanes-head').textContent = `A lane for each device (${this.some}${shared})`;
    this.labelled = this.tall >= 11;
    this.above = narrow > 0 && this.tall >= 30;
    const spare = this.tall >= 40 ? 26 : this.tall >= 26 ? 12 : this.tall > 6 ? 3 : this.tall > 2 ? 1 : 0;
    this.bar = Math.max(1, this.tall - spare - (this.above ? 14 : 0));
    const rows = Math.ceil(this.shown.length / this.group);
    byId('lanes-height').style.height = `${rows * this.tall}px`;
    view.draw();
  },
  rowTop(row) { return row * this.tall - this.box.scrollTop; },

  draw() {
    const tall = Math.min(this.box.clientHeight, Math.ceil(this.shown.length / this.group) * this.tall);
    const { pen, width, height } = blank(this.canvas, Math.max(1, tall));
    const x = place(width);
    const edges = field(width);
    makePatterns(pen);
    clipped(pen, width, height, () => grid(pen, width, height));
    const first = Math.floor(this.box.scrollTop / this.tall);
    const last = Math.ceil((this.box.scrollTop + height) / this.tall) * this.group;
    const seen = this.shown.slice(first * this.group, last);
    // Packets are drawn, and named, where most lanes in view have the room for it.
    const apart = (seen.length * edges.room) / Math.max(1, seen.reduce((sum, lane) => sum + marksInView(lane), 0));
    Object.assign(this, { packets: apart > 12, names: this.tall >= 40 && apart > 50 });
    for (let n = first * this.group; n < Math.min(this.shown.length, last); n += 1) this.drawLane(pen, width, x, edges, n);
    if (this.shown.length === 0) { pen.fillStyle = colours.faint; pen.fillText('No device has such a name.', 10, 16); }
    overlay(pen, width, height);
  },
  drawLane(pen, width, x, edges, n) {
    const lane = this.shown[n];
    const top = this.rowTop(Math.floor(n / this.group));
    const y = top + Math.floor((this.tall - this.bar + (this.above ? 14 : 0)) / 2);
    if (this.tall > 6) {
      pen.fillStyle = colours.line;
      pen.fillRect(0, top + this.tall - 1, width, 1);
    }
    if (this.focused && n === this.cursor) {
      pen.strokeStyle = colours.accent;
      pen.lineWidth = 2;
      pen.strokeRect(1, top + 1, width - 2, this.tall - 3);
    }
    clipped(pen, width, 1e5, () => {
      drawWindows(pen, lane, x, edges, top, this.tall - 1);
      // Of lanes that share a row, only what is not well covers another.
      if (this.group === 1 || n % this.group === 0) drawSegments(pen, lane, x, edges, y, this.bar);
      else drawTrouble(pen, lane, x, edges, y, this.bar);
      if (this.tall > 6) drawWindowEdges(pen, lane, x, edges, top, this.tall - 1);
      if (this.bar >= 10) drawMarks(pen, lane, x, edges, { y, tall: this.bar }, this.packets, this.names);
      if (this.focused && n === this.cursor && this.at !== null) {
        pen.fillStyle = colours.accent;
        pen.fillRect(Math.round(x(this.at)) - 1, top, 2, this.tall);
      }
    });
    if (this.labelled) this.label(pen, lane, edges, top, y);
  },
  label(pen, lane, edges, top, y) {
    pen.fillStyle = colours.fg;
    pen.textAlign = 'left';
    pen.font = `${this.tall < 20 ? 10 : 12}px ${FONT}`;
    if (this.above) {
      pen.textBaseline = 'top';
      pen.fillText(fitted(pen, lane.name, edges.room), edges.left, top + 2);
    } else if (edges.left > 40) {
      pen.textBaseline = 'middle';
      pen.fillText(fitted(pen, lane.name, edges.left - 14), 6, y + this.bar / 2);
    }
    pen.font = `12px ${FONT}`;
  },

  nthAt(clientY) {
    const y = clientY - this.box.getBoundingClientRect().top + this.box.scrollTop;
    const n = Math.floor(y / this.tall) * this.group;
    return n >= 0 && n < this.shown.length ? n : -1;
  },
  hovers(event) {
    const n = this.nthAt(event.clientY);
    const t = timeAt(this.canvas, event.clientX);
    view.hover = t;
    view.draw();
    if (n < 0 || t < view.start || t > view.end) { byId('tip').hidden = true; return; }
    const lane = this.shown[n];
    const more = Math.min(this.group, this.shown.length - n) - 1;
    const who = more > 0 ? `${lane.name} and ${many(more, 'more device')}` : lane.name;
    tell(event, who, described(lane, t, (5 * view.span()) / field(this.canvas.clientWidth).room));
  },
  taps(event) {
    const n = this.nthAt(event.clientY);
    if (n < 0) return;
    this.cursor = n;
    this.at = Math.min(view.end, Math.max(view.start, timeAt(this.canvas, event.clientX)));
    this.say();
    this.hovers(event);
  },
  // Says where the cursor is, for eyes and for screen readers.
  say() {
    const lane = this.shown[this.cursor];
    if (!lane) return;
    const at = this.at === null ? view.from : this.at;
    byId('told').textContent = `${lane.name} at ${moment(at, view.span())}: ${described(lane, at, view.span() / 400).join('; ')}`;
    view.draw();
  },
  keys(event) {
    const at = this.at === null ? (view.from + view.to) / 2 : this.at;
    const far = view.span() / 4;
    const does = {
      ArrowDown: () => this.move(1), ArrowUp: () => this.move(-1),
      PageDown: () => this.move(10), PageUp: () => this.move(-10),
      ArrowRight: () => (event.shiftKey ? view.pan(far) : this.change(1)),
      ArrowLeft: () => (event.shiftKey ? view.pan(-far) : this.change(-1)),
      Home: () => this.jump(view.start), End: () => this.jump(view.end),
      '+': () => view.zoom(at, 0.5), '=': () => view.zoom(at, 0.5), '-': () => view.zoom(at, 2), 0: () => view.whole(),
      Escape: () => { view.pin = null; view.draw(); },
      Enter: () => this.say(),
    }[event.key];
    if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    byId('tip').hidden = true;
    does();
  },
  move(by) {
    this.cursor = Math.min(this.shown.length - 1, Math.max(0, this.cursor + by));
    const top = Math.floor(this.cursor / this.group) * this.tall;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    if (top + this.tall > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + this.tall - this.box.clientHeight;
    this.say();
  },
  // To the next change of the lane, or the one before.
  change(by) {
    const lane = this.shown[this.cursor];
    if (!lane) return;
    const at = this.at === null ? view.from : this.at;
    const n = by > 0 ? after(lane.from, at) : after(lane.from, at - 1e-9) - 1;
    if (n >= 0 && n < lane.from.length) this.jump(lane.from[n]);
  },
  // To a moment that the text tells of: a part of the run around it, and a line through it until Escape.
  leads(nth, at) {
    const span = Math.min(view.length() / 4, Math.max(4, view.length() / 40));
    view.set(at - span / 2, at + span / 2);
    Object.assign(view, { pin: at, hover: null });
    this.at = at;
    if (nth >= 0) {
      this.cursor = nth;
      this.box.scrollTop = Math.max(0, (Math.floor(nth / this.group) + 0.5) * this.tall - this.box.clientHeight / 2);
    }
    this.box.focus({ preventScroll: true });
    this.say();
  },
  jump(t) {
    this.at = t;
    if (t < view.from || t > view.to) view.set(t - view.span() / 2, t + view.span() / 2);
    this.say();
  },
};

// What is not well of a lane that shares its row.
function drawTrouble(pen, lane, x, edges, y, tall) {
  const { from, state } = lane;
  for (let n = Math.max(0, after(from, view.from) - 1); n < from.length && from[n] <= view.to; n += 1) {
    if (state[n] === CONNECTED || state[n] === DOWN || state[n] === UNSEEN) continue;
    const a = Math.max(edges.left, x(from[n]));
    const b = Math.min(edges.right, x(n + 1 < from.length ? from[n + 1] : view.end));
    drawState(pen, state[n], a, Math.max(1, b - a), y, tall);
  }
}
