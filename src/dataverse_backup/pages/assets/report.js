// What the pages do in a browser: tables that can be searched, filtered and sorted, and pictures.
// Texts come from a catalogue and are hostile: they become text nodes or pass through `escaped`, never HTML.
'use strict';

/** Rows that the files of data hand over; they are loaded after this script and before the page is complete. */
const report = { rows: [], add(rows) { for (const row of rows) this.rows.push(row); } };

(() => {
  const FEW = 60; // so many different values at most are offered to choose from
  const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const escaped = (text) => String(text).replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);

  function size(count) {
    if (count === null || count === '') return '';
    let unit = 0;
    for (; Math.abs(count) >= 1000 && unit < UNITS.length - 1; unit += 1) count /= 1000;
    return `${count.toLocaleString('en', { minimumFractionDigits: unit ? 1 : 0, maximumFractionDigits: 1 })} ${UNITS[unit]}`;
  }

  /** How the cells of each kind of column are shown; everything else (search, order) uses what the data say. */
  const SHOWN = {
    text: (value) => `<bdi>${escaped(value)}</bdi>`,
    number: (value) => (value === null ? '' : value.toLocaleString('en')),
    size,
    status: (value) => `<span class="badge ${escaped(value)}">${escaped(value)}</span>`,
  };

  function column(heading) {
    const kind = heading.dataset.kind ?? 'text';
    const shown = SHOWN[kind];
    const type = kind === 'number' || kind === 'size' ? 'num' : 'string';
    const render = (value, how) => {
      if (how === 'display') return shown(value);
      // To search, DataTables decodes texts as HTML: an unescaped one would be obeyed.
      return how === 'filter' ? escaped(value ?? '') : value ?? '';
    };
    return { type, render };
  }

  function filters(table, node) {
    const group = document.createElement('div');
    group.className = 'filters';
    node.querySelectorAll('thead th').forEach((heading, number) => {
      if (!('filter' in heading.dataset)) return;
      const texts = textsOf(table, node, number);
      const values = [...new Set(texts)].sort();
      if (values.length < 2 || values.length > FEW) return;
      const label = document.createElement('label');
      const choice = document.createElement('select');
      choice.append(new Option('all', ''), ...values.map((value) => new Option(value || '(none)', `=${value}`)));
      choice.addEventListener('change', () => {
        const fits = (_text, _row, index) => `=${texts[index]}` === choice.value;
        table.column(number).search.fixed('chosen', choice.value ? fits : null);
        table.draw();
      });
      label.append(`${heading.textContent} `, choice);
      group.append(label);
    });
    return group;
  }

  /** The texts of a column by index of row; those that came as HTML with the page are read from its elements. */
  function textsOf(table, node, number) {
    const column = table.column(number, { order: 'index' });
    if ('rows' in node.dataset) return column.data().toArray().map((value) => String(value ?? ''));
    return column.nodes().toArray().map((cell) => cell.textContent);
  }

  function activate(node) {
    const headings = [...node.querySelectorAll('thead th')];
    const hasRows = 'rows' in node.dataset;
    const table = new DataTable(node, {
      ...(hasRows ? { data: report.rows, columns: headings.map(column) } : {}),
      autoWidth: false,
      deferRender: true,
      searchDelay: 200,
      order: 'sorted' in node.dataset ? [[Number(node.dataset.sorted), node.dataset.direction]] : [],
      pageLength: 25,
      lengthMenu: [25, 100, 500],
      caption: node.caption.textContent,
      layout: { topStart: 'search', topEnd: 'pageLength', bottomStart: 'info', bottomEnd: 'paging' },
      language: { emptyTable: 'There is nothing to show.', zeroRecords: 'Nothing fits.', search: 'Search' },
    });
    const around = node.closest('.dt-layout-table');
    around.tabIndex = 0;
    around.setAttribute('role', 'region');
    around.setAttribute('aria-label', node.caption.textContent);
    around.parentElement.querySelector('.dt-paging nav')?.setAttribute('aria-label', `Pages of: ${node.caption.textContent}`);
    const chosen = filters(table, node);
    if (chosen.childElementCount) {
      const row = document.createElement('div');
      row.className = 'dt-layout-row';
      row.append(chosen);
      around.before(row);
    }
  }

  // Pictures

  const COLORS = ['#1f8f80', '#5b7fde', '#d9822b', '#a85cc4', '#c94f6d', '#6f8f2f', '#3fa0c8', '#9a6b4f'];
  const DAY = 86_400_000;
  const short = new Intl.NumberFormat('en', { notation: 'compact' }).format;
  const when = (row) => new Date(row[0]);
  const destination = (row) => row[1];
  const amount = (row) => row[2];

  /** From the first day to the last, and two weeks at least. */
  function days(rows) {
    const times = rows.map((row) => when(row).getTime());
    const last = Math.max(...times) + DAY;
    return [new Date(Math.min(...times, last - 14 * DAY)), new Date(last)];
  }

  function overTime(rows, label, marks) {
    return {
      marks: [...marks, Plot.ruleY([0])],
      height: 230,
      x: { label: null, type: 'utc', domain: days(rows), ticks: 5 },
      y: { label, grid: true, ticks: 5, tickFormat: short, zero: true },
    };
  }

  const DRAWN = {
    growth(rows) {
      const channels = { x: when, y: amount, stroke: destination, curve: 'step-after' };
      return overTime(rows, 'files', [Plot.lineY(rows, { ...channels, strokeWidth: 2.5, tip: true })]);
    },
    failures(rows) {
      const channels = { x: when, interval: 'day', y: amount, fill: destination };
      return overTime(rows, 'failed attempts', [Plot.rectY(rows, { ...channels, tip: true })]);
    },
    durations(rows) {
      const longest = Math.max(...rows.map(amount));
      const [unit, length] = longest > 7200 ? ['hours', 3600] : longest > 120 ? ['minutes', 60] : ['seconds', 1];
      const channels = { x: when, y: (row) => amount(row) / length, fill: destination };
      return overTime(rows, unit, [Plot.dot(rows, { ...channels, r: 4, fillOpacity: 0.8, tip: true })]);
    },
    bands(rows) {
      const order = [...new Set(rows.map((row) => row[0]))];
      return {
        marks: [Plot.barX(rows, { y: (row) => row[0], x: amount, fill: destination, tip: true }), Plot.ruleX([0])],
        height: 60 + 26 * order.length,
        marginLeft: 165,
        x: { label: 'files', ticks: 4, tickFormat: short, grid: true },
        y: { label: null, domain: order },
      };
    },
  };

  function draw(figure) {
    const rows = JSON.parse(figure.querySelector('script').textContent);
    const destinations = [...new Set(rows.map(destination))].sort();
    const place = figure.querySelector('.plot');
    const picture = Plot.plot({
      marginRight: 25,
      marginBottom: 40,
      ...DRAWN[figure.dataset.chart](rows),
      width: Math.max(place.clientWidth, 240),
      color: { legend: destinations.length > 1, domain: destinations, range: COLORS },
      ariaLabel: figure.querySelector('strong').textContent,
      style: { background: 'transparent', fontSize: '12px' },
    });
    const drawing = picture.matches('svg') ? picture : picture.querySelector('svg[aria-label]');
    drawing.setAttribute('role', 'img');
    drawing.querySelectorAll('g[aria-label]').forEach((group) => group.removeAttribute('aria-label'));
    place.replaceChildren(picture);
  }

  function drawAll() {
    document.querySelectorAll('figure[data-chart]').forEach(draw);
  }

  document.addEventListener('DOMContentLoaded', () => {
    document.querySelectorAll('table.data').forEach(activate);
    if (typeof Plot === 'undefined') return;
    drawAll();
    let width = window.innerWidth;
    window.addEventListener('resize', () => {
      if (window.innerWidth === width) return;
      width = window.innerWidth;
      drawAll();
    });
  });
})();
