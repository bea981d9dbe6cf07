/**
 * Draws the report in the browser from the figures in #data. Owns which policies are hidden.
 */
/* global uPlot */
(() => {
  const { comparisons, about, setting, movingSteps } = JSON.parse(document.getElementById('data').textContent);
  const POLICY_COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8b8f98', '#7f5bd5'];
  const ARM_COLOURS = ['#8b8f98', '#c8553d', '#3b7ea1', '#588157', '#b8860b', '#7a5ba6', '#2a9d8f', '#a44a6b'];
  const ARMS_SHOWN_MAX = 10;
  const CHART_HEIGHT_PX = 300;

  const colourOf = (at) => POLICY_COLOURS[at % POLICY_COLOURS.length];
  const FAINT = resolved('--faint');
  const LINE = resolved('--line');
  const count = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

  document.getElementById('setting').textContent = [
    `${count.format(setting.users)} users a run`,
    setting.seeds.length === 1 ? `seed ${setting.seeds[0]}` : `seeds ${setting.seeds[0]} to ${setting.seeds.at(-1)}`,
    setting.delay === 'none' ? 'rewards at once' : `reward delay ${setting.delay} steps`,
    setting.neverShare > 0 ? `${100 * setting.neverShare} % of rewards never arrive` : 'all rewards arrive',
    setting.snapshotEvery === 1 ? 'a snapshot before each user' : `a snapshot every ${setting.snapshotEvery} users`,
  ].join(' · ');

  for (const comparison of comparisons) {
    document.getElementById('comparisons').append(section(comparison));
  }

  function section(comparison) {
    const hidden = new Set();
    const plots = [];
    const root = element('section');
    const { oracle, environment } = comparison;
    root.append(
      element('h2', {}, environment),
      element('p', { className: 'note' }, `${about[environment]}.`),
      element('p', { className: 'verdict' }, verdict(comparison)),
    );
    const toggle = (at, row) => {
      if (!hidden.delete(at)) hidden.add(at);
      row.classList.toggle('hidden', hidden.has(at));
      for (const plot of plots) show(plot, at, !hidden.has(at));
    };
    root.append(figures(comparison, toggle));
    if (comparison.armIds.length <= ARMS_SHOWN_MAX) root.append(armShares(comparison));
    const charts = element('div', { className: 'charts' });
    root.append(charts);
    const draw = (chart) => plots.push(drawChart(charts, comparison, chart));
    // A chart needs its width, which it has once it is in the page.
    requestAnimationFrame(() => {
      draw({ title: 'Cumulative regret', curve: 'cumulativeRegret', digits: 0 });
      draw({
        title: 'Cumulative regret, log–log',
        note: 'A straight line of slope 1 is linear regret; one that bends flat is logarithmic.',
        curve: 'cumulativeRegret',
        digits: 1,
        logarithmic: true,
      });
      draw({ title: 'Cumulative reward, as observed', curve: 'cumulativeReward', digits: 0 });
      draw({
        title: `Reward a user, moving average of ${movingSteps}`,
        note: 'As observed; the dashed line is the mean of an oracle.',
        curve: 'movingAverage',
        moving: true,
        digits: unitDigits(oracle),
        level: oracle.mean,
      });
      draw({
        title: `Share of users with their best arm, over ${movingSteps}`,
        note: 'The dashed line is the optimum.',
        curve: 'bestArmShare',
        moving: true,
        digits: 3,
        level: 1,
        range: [0, 1.02],
      });
      if (comparison.policies[0].armCurves !== null) drawArms(charts, comparison);
    });
    return root;
  }

  /** Who earns most, and who may well earn as much. */
  function verdict({ policies, oracle }) {
    const ranked = policies.map(({ policy, figures }) => ({ policy, ...figures.mean })).sort((a, b) => b.mean - a.mean);
    const [first, ...others] = ranked;
    const level = others.filter(({ high }) => high !== null && high >= first.low).map(({ policy }) => policy);
    const share = ((100 * first.mean) / oracle.mean).toFixed(1);
    const earns = `${first.policy} earns most: ${bandText(first, unitDigits(oracle))} a user, ${share} % of the ${bandText(
      oracle,
      unitDigits(oracle),
    )} that an oracle would.`;
    return level.length === 0 ? earns : `${earns} Their bands overlap with that of ${level.join(', ')}.`;
  }

  function figures({ policies, oracle }, toggle) {
    const head = ['policy', 'mean', 'observed', 'total', 'regret', 'regret rate', 'best arm', 'ROI'];
    const body = policies.map(({ policy, figures: f }, at) => {
      const button = element('button', { className: 'policy', title: 'show or hide' });
      button.append(dot(colourOf(at)), policy);
      const row = element('tr');
      button.addEventListener('click', () => toggle(at, row));
      const cells = [
        bandText(f.mean, unitDigits(oracle)),
        bandText(f.meanObserved, unitDigits(oracle)),
        bandText(f.total, 0),
        bandText(f.regret, 0),
        bandText(f.regretRate, 2, 100, ' %'),
        bandText(f.bestArmShare, 1, 100, ' %'),
        bandText(f.returnOnInvestment, 1, 100, ' %'),
      ];
      const name = element('td');
      name.append(button);
      row.append(name, ...cells.map((text) => element('td', {}, text)));
      return row;
    });
    const table = element('table');
    const first = element('tr');
    first.append(...head.map((text) => element('th', {}, text)));
    table.append(first, ...body);
    const scroll = element('div', { className: 'scroll' });
    scroll.append(table);
    const card = element('div', { className: 'card' });
    card.append(scroll);
    return card;
  }

  function armShares({ policies, armIds }) {
    const card = element('div', { className: 'card' });
    const select = element('select', { ariaLabel: 'segment' });
    const segments = Object.keys(policies[0].segments);
    for (const name of ['all users', ...segments]) select.append(element('option', {}, name));
    const title = element('h3', {}, 'Arms dealt, beside the arms that are best');
    if (segments.length > 0) title.append(select);
    const keys = element('div', { className: 'keys' });
    for (const [arm, id] of armIds.entries()) {
      const key = element('span');
      key.append(dot(armColour(arm)), id);
      keys.append(key);
    }
    const bars = element('div', { className: 'shares' });
    const fill = () => {
      const of = (result) => (select.selectedIndex === 0 ? result.arms : result.segments[select.value]);
      bars.replaceChildren(
        ...shareRow('optimum', of(policies[0]).best, armIds),
        ...policies.flatMap((result) => shareRow(result.policy, of(result).dealt, armIds)),
      );
    };
    select.addEventListener('change', fill);
    fill();
    card.append(title, keys, bars);
    return card;
  }

  function shareRow(name, shares, armIds) {
    const bar = element('div', { className: 'bar' });
    for (const [arm, share] of shares.entries()) {
      const text = `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
      const part = element('span', { title: `${armIds[arm]}: ${text}` }, share > 0.05 ? text : '');
      part.style.width = `${100 * share}%`;
      part.style.background = armColour(arm);
      bar.append(part);
    }
    return [element('span', {}, name), bar];
  }

  function armColour(arm) {
    return ARM_COLOURS[arm % ARM_COLOURS.length];
  }

  function drawChart(
    parent,
    comparison,
    { title, note, curve, digits, logarithmic = false, moving = false, level = null, range = null },
  ) {
    const card = element('div', { className: 'card' });
    const plot = element('div', { className: 'plot' });
    card.append(element('h3', {}, title), element('p', { className: 'note' }, note ?? '\u00a0'), plot);
    parent.append(card);
    const { policies, steps } = comparison;
    // A moving average of a handful of users is only noise.
    const first = moving ? Math.min(movingSteps, comparison.users) / 4 : 0;
    const shown = (at, values) => (steps[at] < first || (logarithmic && !(values[at] > 0)) ? null : values[at]);
    const data = [steps];
    const series = [{}];
    const bands = [];
    for (const [at, { policy, curves }] of policies.entries()) {
      const { mean, low, high } = curves[curve];
      const line = { label: policy, stroke: colourOf(at), width: 2, points: { show: false } };
      const bound = { stroke: 'transparent', width: 0, points: { show: false } };
      series.push(line, bound, bound);
      data.push(mean.map((_, step) => shown(step, mean)));
      // A band that reaches below what a logarithmic axis can show is left out there.
      const hasBand = (step) => low.length > 0 && shown(step, low) !== null;
      for (const edge of [high, low]) data.push(mean.map((_, step) => (hasBand(step) ? edge[step] : null)));
      bands.push({ series: [3 * at + 2, 3 * at + 3], fill: `${colourOf(at)}2e` });
    }
    const names = policies.map(({ policy }, at) => ({ name: policy, colour: colourOf(at), series: 3 * at + 1 }));
    return plotted(plot, comparison, data, {
      scales: {
        x: { time: false, distr: logarithmic ? 3 : 1 },
        y: range === null ? { distr: logarithmic ? 3 : 1 } : { range: [...range] },
      },
      series,
      bands,
      hooks: {
        draw: level === null ? [] : [(u) => drawLevel(u, level)],
        setCursor: [tip(plot, names, digits)],
      },
    });
  }

  /** Share of each arm over time, of one policy at a time, dashed beside it the share of users it is best for. */
  function drawArms(parent, comparison) {
    const { policies, armIds, steps, users } = comparison;
    const card = element('div', { className: 'card' });
    const title = element('h3', {}, `Share of each arm, over ${movingSteps}`);
    const select = element('select', { ariaLabel: 'policy' });
    for (const { policy } of policies) select.append(element('option', {}, policy));
    title.append(select);
    const plot = element('div', { className: 'plot' });
    card.append(
      title,
      element('p', { className: 'note' }, 'Dashed: share of users for whom it is the best arm.'),
      plot,
    );
    parent.append(card);
    const first = Math.min(movingSteps, users) / 4;
    const dataOf = ({ armCurves: { dealt, best } }) => [
      steps,
      ...armIds.flatMap((_, arm) =>
        [dealt[arm], best[arm]].map((shares) => shares.map((share, at) => (steps[at] < first ? null : share))),
      ),
    ];
    const line = (arm, dash) => ({ stroke: armColour(arm), width: dash ? 1 : 2, dash, points: { show: false } });
    const names = armIds.map((id, arm) => ({ name: id, colour: armColour(arm), series: 2 * arm + 1 }));
    const chart = plotted(plot, comparison, dataOf(policies[0]), {
      scales: { x: { time: false }, y: { range: (_, _least, most) => [0, Math.min(1.02, 1.1 * most)] } },
      series: [{}, ...armIds.flatMap((_, arm) => [line(arm), line(arm, [5, 5])])],
      hooks: { setCursor: [tip(plot, names, 3)] },
    });
    select.addEventListener('change', () => chart.setData(dataOf(policies[select.selectedIndex])));
  }

  /** A chart as wide as its place, whose cursor moves with those of its section. */
  function plotted(plot, { environment }, data, options) {
    const axis = { stroke: FAINT, grid: { stroke: LINE, width: 1 }, ticks: { show: false } };
    const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 4 });
    const values = (_, splits) => splits.map((value) => (value === null ? '' : compact.format(value)));
    const chart = new uPlot(
      {
        width: plot.clientWidth,
        height: CHART_HEIGHT_PX,
        legend: { show: false },
        cursor: { sync: { key: environment }, points: { show: false }, y: false },
        axes: [
          { ...axis, values, label: 'users', labelSize: 20, size: 34 },
          { ...axis, values, size: 58 },
        ],
        ...options,
      },
      data,
      plot,
    );
    new ResizeObserver(() => chart.setSize({ width: plot.clientWidth, height: CHART_HEIGHT_PX })).observe(plot);
    return chart;
  }

  function show(chart, at, visible) {
    for (const series of [3 * at + 1, 3 * at + 2, 3 * at + 3]) chart.setSeries(series, { show: visible });
  }

  function drawLevel(u, level) {
    const y = u.valToPos(level, 'y', true);
    const { left, top, width, height } = u.bbox;
    if (y < top || y > top + height) return;
    u.ctx.save();
    u.ctx.strokeStyle = FAINT;
    u.ctx.lineWidth = devicePixelRatio;
    u.ctx.setLineDash([6 * devicePixelRatio, 5 * devicePixelRatio]);
    u.ctx.beginPath();
    u.ctx.moveTo(left, y);
    u.ctx.lineTo(left + width, y);
    u.ctx.stroke();
    u.ctx.restore();
  }

  /** @param names of the series that it tells of. */
  function tip(plot, names, digits) {
    const box = element('div', { className: 'tip' });
    box.hidden = true;
    plot.append(box);
    return (u) => {
      const { idx, left } = u.cursor;
      // Charts move together; only the one under the pointer tells its figures.
      box.hidden = idx === null || idx === undefined || left < 0 || !plot.matches(':hover');
      if (box.hidden) return;
      const rows = names
        .map((one) => ({ ...one, value: u.data[one.series][idx] }))
        .filter(({ series, value }) => value !== null && u.series[series].show)
        .sort((a, b) => b.value - a.value)
        .map(({ name, colour, value }) => {
          const row = element('div');
          const label = element('span');
          label.append(dot(colour), name);
          row.append(label, element('b', {}, value.toLocaleString('en', { maximumFractionDigits: digits })));
          return row;
        });
      box.replaceChildren(element('div', {}, `after ${count.format(u.data[0][idx])} users`), ...rows);
      const x = left + u.over.offsetLeft;
      box.style.top = '12px';
      box.style.left = `${x > plot.clientWidth / 2 ? x - box.offsetWidth - 14 : x + 14}px`;
    };
  }

  /** Rewards of a click need more digits than those in a currency. */
  function unitDigits(oracle) {
    return Math.abs(oracle.mean) < 10 ? 4 : 2;
  }

  function bandText(band, digits, times = 1, unit = '') {
    if (band === null) return '–';
    const format = (value) =>
      (times * value).toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
    const half = band.high === null ? '' : ` ± ${format(band.high - band.mean)}`;
    return `${format(band.mean)}${half}${unit}`;
  }

  function dot(colour) {
    const mark = element('span', { className: 'dot' });
    mark.style.background = colour;
    return mark;
  }

  /** A canvas wants a colour, not light-dark(). */
  function resolved(name) {
    const probe = element('span');
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  }

  function element(name, properties = {}, text = '') {
    const made = Object.assign(document.createElement(name), properties);
    made.textContent = text;
    return made;
  }
})();
