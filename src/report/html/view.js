// The span of the run that all charts and lanes show, and the pointers that change it.

const SHORTEST = 0.002;

const view = {
  start: 0, end: 1, pin: null, from: 0, to: 1, hover: null, selection: null, waiting: false, draws: [],
  // All of the run.
  reset(start, end) {
    Object.assign(this, { start, end: Math.max(end, start + SHORTEST), pin: null });
    this.whole();
  },
  whole() { this.set(this.start, this.end); },
  length() { return this.end - this.start; },
  set(from, to) {
    const span = Math.min(this.length(), Math.max(SHORTEST, to - from));
    const start = Math.min(Math.max(this.start, from), this.end - span);
    Object.assign(this, { from: start, to: start + span });
    this.draw();
  },
  zoom(at, factor) {
    const span = Math.min(this.length(), Math.max(SHORTEST, (this.to - this.from) * factor));
    const share = (at - this.from) / (this.to - this.from);
    this.set(at - share * span, at + (1 - share) * span);
  },
  pan(by) { this.set(this.from + by, this.to + by); },
  span() { return this.to - this.from; },
  isWhole() { return this.span() >= this.length() * 0.999; },
  // At most once a frame.
  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draws.forEach((draw) => draw()); });
  },
};

const isNarrow = (width) => width < 560;
// Where time begins and ends on a canvas of this width: beside the names, or below them on a phone.
function field(width) {
  const left = isNarrow(width) ? 8 : Math.min(170, Math.max(110, width * 0.13));
  return { left, right: width - 8, room: width - 8 - left };
}
function place(width) {
  const { left, room } = field(width);
  const scale = room / view.span();
  return (t) => left + (t - view.from) * scale;
}
function timeAt(canvas, clientX) {
  const box = canvas.getBoundingClientRect();
  const { left, room } = field(box.width);
  return view.from + ((clientX - box.left - left) / room) * view.span();
}

// Wheel, drag and pinch on a canvas. `selects`: a drag marks a span to zoom into; else it moves the view.
function pointed(canvas, { selects, hovers, taps }) {
  const pointers = new Map();
  let drag = null;
  let pinch = null;
  canvas.addEventListener('wheel', (event) => {
    if (!(event.ctrlKey || event.metaKey || event.shiftKey)) return;
    event.preventDefault();
    if (event.shiftKey) view.pan(((event.deltaX || event.deltaY) / 400) * view.span());
    else view.zoom(timeAt(canvas, event.clientX), Math.exp(event.deltaY / 300));
  }, { passive: false });
  canvas.addEventListener('dblclick', (event) => view.zoom(timeAt(canvas, event.clientX), 0.4));
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    byId('tip').hidden = true;
    pointers.set(event.pointerId, event.clientX);
    if (pointers.size === 2) {
      const [a, b] = [...pointers.values()];
      pinch = { gap: Math.abs(a - b), from: view.from, to: view.to, at: timeAt(canvas, (a + b) / 2) };
      drag = null;
    } else if (pointers.size === 1) {
      canvas.setPointerCapture(event.pointerId);
      drag = { x: event.clientX, y: event.clientY, from: view.from, to: view.to, at: timeAt(canvas, event.clientX), moved: false };
    }
  });
  canvas.addEventListener('pointermove', (event) => {
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, event.clientX);
    if (pinch && pointers.size === 2) {
      const [a, b] = [...pointers.values()];
      const span = (pinch.to - pinch.from) * Math.min(20, Math.max(0.05, pinch.gap / Math.max(10, Math.abs(a - b))));
      const share = (pinch.at - pinch.from) / (pinch.to - pinch.from);
      view.set(pinch.at - share * span, pinch.at + (1 - share) * span);
      return;
    }
    if (drag) {
      drag.moved = drag.moved || Math.abs(event.clientX - drag.x) > 3;
      if (drag.moved && selects && event.pointerType === 'mouse') {
        view.selection = [drag.at, timeAt(canvas, event.clientX)].sort((a, b) => a - b);
        view.draw();
      } else if (drag.moved) {
        const { room } = field(canvas.clientWidth);
        const by = ((drag.x - event.clientX) / room) * (drag.to - drag.from);
        view.set(drag.from + by, drag.to + by);
      }
    }
    hovers(event);
  });
  const over = (event) => {
    pointers.delete(event.pointerId);
    pinch = null;
    if (view.selection) {
      const [from, to] = view.selection;
      view.selection = null;
      if (to - from > view.span() / 200) view.set(from, to); else view.draw();
    } else if (drag && !drag.moved && event.type === 'pointerup' && taps) {
      taps(event);
    }
    drag = null;
  };
  canvas.addEventListener('pointerup', over);
  canvas.addEventListener('pointercancel', over);
  canvas.addEventListener('pointerleave', (event) => {
    // What a finger asked for stays until it touches elsewhere.
    if (event.pointerType !== 'mouse') return;
    view.hover = null; byId('tip').hidden = true;
    view.draw();
  });
}

// A box with lines of text near the pointer.
function tell(event, who, lines) {
  const tip = byId('tip');
  tip.replaceChildren(element('p', { className: 'who', textContent: who }), ...lines.map((line) => element('p', { textContent: line })));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const x = Math.min(event.clientX + 14, window.innerWidth - width - 8);
  const y = event.clientY + 18 + height > window.innerHeight ? event.clientY - height - 12 : event.clientY + 18;
  Object.assign(tip.style, { left: `${Math.max(8, x)}px`, top: `${Math.max(8, y)}px` });
}
