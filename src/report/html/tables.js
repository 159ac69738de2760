// Tables: sorted by their heads, filtered, and shown page by page.

const ROWS_A_PAGE = 50;

function workable(table) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, nth) => ({ row, nth, text: row.textContent.toLowerCase() }));
  const state = { column: -1, down: false, filter: '', page: 0 };
  const counted = element('span', { className: 'faint', role: 'status' });
  const filter = element('input', { type: 'search', placeholder: 'Filter rows', autocomplete: 'off' });
  filter.setAttribute('aria-label', `Filter: ${table.caption.textContent}`);
  const before = element('button', { type: 'button', textContent: 'Previous' });
  const next = element('button', { type: 'button', textContent: 'Next' });
  const tools = element('div', { className: 'table-tools' }, filter, counted, before, next);
  table.closest('.scroll').before(tools);

  function value(row, column) {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent.toLowerCase() : Number(cell.dataset.v);
  }
  // Figures before texts; what says nothing comes last either way.
  function compare(a, b) {
    const [one, other] = [value(a.row, state.column), value(b.row, state.column)];
    const nothing = (v) => v === '–' || v === '';
    if (nothing(one) || nothing(other)) return nothing(one) - nothing(other) || a.nth - b.nth;
    const order = typeof one === 'number' && typeof other === 'number' ? one - other
      : String(one).localeCompare(String(other), undefined, { numeric: true });
    return (state.down ? -order : order) || a.nth - b.nth;
  }
  function show() {
    const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows.filter(({ text }) => words.every((word) => text.includes(word)));
    if (state.column >= 0) found.sort(compare);
    const pages = Math.max(1, Math.ceil(found.length / ROWS_A_PAGE));
    state.page = Math.min(state.page, pages - 1);
    const first = state.page * ROWS_A_PAGE;
    const page = found.slice(first, first + ROWS_A_PAGE);
    for (const row of body.querySelectorAll('tr.on')) row.classList.remove('on');
    for (const { row } of page) row.classList.add('on');
    // Only what is shown is moved: the order of the rest does not matter.
    body.append(...page.map(({ row }) => row));
    const range = pages > 1 ? `${first + 1} to ${first + page.length} of ` : '';
    counted.textContent = `${range}${many(found.length, 'row')}${found.length < rows.length ? ` (of ${rows.length})` : ''}`;
    before.hidden = next.hidden = pages === 1;
    before.disabled = state.page === 0;
    next.disabled = state.page === pages - 1;
    tools.hidden = rows.length < 2;
  }
  function sortBy(column) {
    const figures = table.tHead.rows[0].cells[column].classList.contains('fig');
    // Figures begin with the greatest: that is the worst.
    state.down = state.column === column ? !state.down : figures;
    Object.assign(state, { column, page: 0 });
    [...table.tHead.rows[0].cells].forEach((head, nth) => {
      if (nth === column) head.setAttribute('aria-sort', state.down ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    });
    show();
  }
  [...table.tHead.rows[0].cells].forEach((head, nth) => {
    const button = element('button', { type: 'button', title: head.title }, ...head.childNodes);
    head.removeAttribute('title');
    button.addEventListener('click', () => sortBy(nth));
    head.append(button);
  });
  filter.addEventListener('input', () => { Object.assign(state, { filter: filter.value, page: 0 }); show(); });
  before.addEventListener('click', () => { state.page -= 1; show(); });
  next.addEventListener('click', () => { state.page += 1; show(); });
  show();
}
