// What all parts share: the data, times in words, colours, and canvases that are sharp.
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const byId = (id) => document.getElementById(id);

// An element with properties and children. Texts become text, never markup.
function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const SVG = 'http://www.w3.org/2000/svg';
function drawn(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Seconds as the report's text has them.
function seconds(s) {
  if (s <= 0) return '0 s';
  if (s < 0.001) return `${(s * 1e6).toFixed(0)} us`;
  if (s < 0.00995) return `${(s * 1e3).toFixed(1)} ms`;
  if (s < 0.9995) return `${(s * 1e3).toFixed(0)} ms`;
  if (s < 99.95) return `${s.toFixed(1)} s`;
  if (s < 599.5) return `${s.toFixed(0)} s`;
  if (s < 7199.5) return `${Math.floor(Math.round(s) / 60)} m ${Math.round(s) % 60} s`;
  return `${(s / 3600).toFixed(1)} h`;
}

// A moment of the run, with as many digits as the view tells apart.
function moment(s, span) {
  const digits = span > 100 ? 1 : span > 2 ? 2 : span > 0.2 ? 3 : 4;
  return `${s.toFixed(digits)} s`;
}

const many = (number, thing) => `${number} ${thing}${number === 1 ? '' : 's'}`;

// The colours of the style sheet, read again when the theme changes.
let colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ['bg', 'fg', 'faint', 'line', 'card', 'accent', 'connected', 'connected-deep', 'device-half', 'hub-half',
    'connecting', 'refused', 'mixed', 'fault', 'fault-bg', 'grid', 'dip'];
  colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';

// The canvas at the size that it has on the screen, empty, in units of CSS pixels.
function blank(canvas, height) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const tall = height === undefined ? canvas.clientHeight : height;
  if (height !== undefined) canvas.style.height = `${tall}px`;
  const [w, h] = [Math.round(width * ratio), Math.round(tall * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, tall);
  pen.font = `12px ${FONT}`;
  return { pen, width, height: tall };
}

// A text cut to a width, with an ellipsis.
function fitted(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pen.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle; else high = middle - 1;
  }
  return low > 0 ? `${text.slice(0, low)}…` : '';
}

// The first index of an ascending list at which the value is greater.
function after(list, value) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= value) low = middle + 1; else high = middle;
  }
  return low;
}

// Steps of an axis: 1, 2 or 5 times a power of ten, so that about so many fit.
function step(span, about) {
  const rough = span / Math.max(1, about);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
}
