// A sweep's page: the colours, the choice of what the heat maps show, the names of points. Texts are set, and never markup.
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const byId = (id) => document.getElementById(id);

function theme() {
  const root = document.documentElement;
  const button = byId('theme');
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : system.matches);
  const show = () => {
    button.textContent = isDark() ? 'Light' : 'Dark';
    button.setAttribute('aria-label', `Switch to the ${isDark() ? 'light' : 'dark'} colours`);
  };
  button.hidden = false;
  button.addEventListener('click', () => { root.dataset.theme = isDark() ? 'light' : 'dark'; show(); });
  system.addEventListener('change', show);
  show();
}

// A cell is its class (a step of the scale, `n` never, `-` no sample) and its text.
function fill(cell, of) {
  const mark = of.slice(0, 1);
  cell.className = mark === '' ? 'void' : mark === 'n' ? 'never' : mark === '-' ? 'none' : `s${mark}`;
  cell.textContent = of.slice(1);
}

function choices() {
  const place = byId('choices');
  if (!place) return;
  const selects = [...place.querySelectorAll('select')];
  const cells = [...document.querySelectorAll('.heat td')];
  const show = () => {
    const nth = selects.reduce((sum, select) => sum * select.options.length + select.selectedIndex, 0);
    const chosen = data.cells[nth];
    cells.forEach((cell, at) => fill(cell, chosen ? chosen[at] : ''));
    const words = selects.map((select) => `${select.parentElement.firstChild.textContent.trim()} ${select.value}`).join(', ');
    byId('shown').textContent = chosen ? `Shown: ${words}` : `Not in this page: ${words}`;
  };
  place.hidden = false;
  place.addEventListener('change', show);
  show();
}

// What a point is, under the pictures, where the pointer or the focus is on it; the front of its conditions stands out.
function points() {
  const told = byId('point');
  const tell = (event) => {
    const circle = event.target.closest('circle');
    if (!circle) return;
    told.textContent = circle.querySelector('title').textContent;
    document.querySelectorAll('.joined').forEach((line) => line.classList.toggle('lit', line.dataset.g === circle.dataset.g));
  };
  for (const plot of document.querySelectorAll('.plot')) {
    plot.addEventListener('pointerover', tell);
    plot.addEventListener('focusin', tell);
  }
}

theme();
choices();
points();
