"use strict";
// What the static page shows, to look around in: tips and zoom in the charts over time, tables that sort, every row.
// Texts come from the report as they stand and go in as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const W = 440, LEFT = 46, RIGHT = 8;
let from = 0, to = data.days.length - 1;

function shape(parent, name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function compact(value) {
  for (const [size, letter] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]])
    if (Math.abs(value) >= size) return +(value / size).toPrecision(4) + letter;
  return String(+value.toPrecision(4));
}

function axis(values, start, end, most) {
  let low = Math.min(0, ...values), high = Math.max(0, ...values);
  if (low === high) high = 1;
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((each) => power * each >= rough * 0.999);
  const ticks = [];
  for (let n = Math.floor(low / step); n <= Math.ceil(high / step); n++) ticks.push(n * step);
  low = Math.min(low, ticks[0]); high = Math.max(high, ticks.at(-1));
  const at = (value) => start + (value - low) / (high - low) * (end - start);
  return { at, ticks };
}

function grid(svg, { at, ticks }, unit) {
  for (const tick of ticks) {
    shape(svg, "path", { class: "s-rule", fill: "none", d: `M${LEFT} ${at(tick)}H${W - RIGHT}`, "stroke-width": tick ? 0.8 : 1.4 });
    shape(svg, "text", { class: "f-soft", x: LEFT - 5, y: at(tick) + 3.5, "text-anchor": "end", "font-size": 10 }, compact(tick) + unit);
  }
}

// A line may have holes: it begins anew behind each, and a point between two is a dot.
function line(svg, days, x, at, name, colour, area) {
  let d = "", open = false;
  days.forEach((day, n) => {
    if (day[name] === null) { open = false; return; }
    d += `${open ? "L" : "M"}${x(n).toFixed(1)} ${at(day[name]).toFixed(1)}`;
    open = true;
    if ([n - 1, n + 1].every((near) => (days[near]?.[name] ?? null) === null))
      shape(svg, "rect", { class: `f-${colour}`, x: x(n) - 2, y: at(day[name]) - 2, width: 4, height: 4 });
  });
  if (area && !days.some((day) => day[name] === null))
    shape(svg, "path", { class: `f-${area}`, d: `${d}L${x(days.length - 1)} ${at(0)}L${x(0)} ${at(0)}z` });
  shape(svg, "path", { class: `s-${colour}`, d, fill: "none", "stroke-width": 1.6, "stroke-linejoin": "round" });
}

// The names of lines, above the plot, one after the other.
function legend(svg, lines) {
  let place = LEFT;
  for (const [name, colour] of lines) {
    shape(svg, "text", { class: `f-${colour}`, x: place, y: 9, "font-size": 10 }, name);
    place += 12 + 6 * name.length;
  }
}

const known = (days, name) => days.map((day) => day[name]).filter((value) => value !== null);

const CHARTS = {
  pnl: { height: 230, tells: ["P&L", "cumulative"], draw(svg, days, x, place) {
    const upper = axis(known(days, "cumulative"), 120, 20, 4), lower = axis(known(days, "pnl"), 205, 140, 2);
    grid(svg, upper, ""); line(svg, days, x, upper.at, "cumulative", "line", "wash");
    grid(svg, lower, "");
    const width = Math.max(0.8, Math.min(14, 0.7 * place));
    days.forEach((day, n) => {
      if (day.pnl) {
        const top = lower.at(Math.max(0, day.pnl)), foot = lower.at(Math.min(0, day.pnl));
        shape(svg, "rect", { class: day.pnl > 0 ? "f-gain" : "f-loss", x: x(n) - width / 2, y: top, width, height: foot - top });
      }
      if (day.caveat) shape(svg, "rect", { class: day.holes ? "f-doubt" : "f-total", x: x(n) - 1.5, y: 207, width: 3, height: 3 });
    });
    shape(svg, "text", { class: "f-soft", x: LEFT, y: 11, "font-size": 10 }, data.cumulative || "cumulative");
    shape(svg, "text", { class: "f-soft", x: LEFT, y: 137, "font-size": 10 }, "by day");
  } },
  drawdown: { height: 150, tells: ["drawdown"], draw(svg, days, x) {
    const scale = axis([...known(days, "drawdown"), -0.01], 125, 12, 3);
    grid(svg, scale, "%"); line(svg, days, x, scale.at, "drawdown", "loss", "blush");
  } },
  exposure: { height: 150, tells: ["gross", "net"], draw(svg, days, x) {
    const scale = axis([...known(days, "gross"), ...known(days, "net")], 125, 16, 4);
    grid(svg, scale, "");
    for (const [name, colour] of [["gross", "line"], ["net", "second"]]) line(svg, days, x, scale.at, name, colour);
    legend(svg, [["gross", "line"], ["net", "second"]]);
  } },
};

const over = (name, label, unit) => ({ height: 150, tells: [label], draw(svg, days, x) {
  const scale = axis(known(days, name), 125, 12, 3);
  grid(svg, scale, unit); line(svg, days, x, scale.at, name, "line");
} });
CHARTS.volatility = over("volatility", "volatility", "%");
CHARTS.sharpe = over("sharpe", "Sharpe", "");
if (data.lines) CHARTS.growth = { height: 230, tells: data.lines.map((each) => each.label), draw(svg, days, x) {
  const scale = axis(data.lines.flatMap((each) => known(days, each.key)), 205, 22, 4);
  grid(svg, scale, "%");
  for (const { key, colour } of data.lines) line(svg, days, x, scale.at, key, colour);
  legend(svg, data.lines.map(({ label, colour }) => [label, colour]));
} };

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// Up to five dates below, as many as don't touch; the first and the last stay.
function dates(svg, days, x, height) {
  const last = days.length - 1, wanted = Math.min(5, days.length), years = days[0].date.slice(0, 4) !== days[last].date.slice(0, 4);
  const shown = new Set(Array.from({ length: wanted }, (_, n) => Math.round(n * last / Math.max(1, wanted - 1))));
  const labels = [...shown].map((n) => {
    const [year, month, day] = days[n].date.split("-");
    const text = `${+day} ${MONTHS[month - 1]}${years ? ` ${year.slice(2)}` : ""}`, width = 6 * text.length + 4;
    const anchor = n === 0 ? "start" : n === last ? "end" : "middle";
    const left = x(n) - width * { start: 0, middle: 0.5, end: 1 }[anchor];
    return { x: x(n), text, anchor, left, right: left + width };
  });
  const end = labels.length > 1 ? labels.pop() : null, kept = [labels.shift()];
  for (const label of labels) if (kept.at(-1).right < label.left && label.right < end.left) kept.push(label);
  if (end && kept[0].right < end.left) kept.push(end);
  for (const { x, text, anchor } of kept) shape(svg, "text", { class: "f-soft", x, y: height - 6, "text-anchor": anchor, "font-size": 10 }, text);
}

function drawChart(name) {
  const figure = $(`chart-${name}`), chart = CHARTS[name], former = figure?.querySelector("svg");
  if (!former) return;
  const days = data.days.slice(from, to + 1), place = (W - LEFT - RIGHT) / days.length;
  const x = (n) => LEFT + place * (n + 0.5);
  const svg = document.createElementNS(SVG, "svg");
  for (const key of ["viewBox", "role", "aria-label", "font-family"]) svg.setAttribute(key, former.getAttribute(key));
  svg.setAttribute("class", "live");
  chart.draw(svg, days, x, place);
  dates(svg, days, x, chart.height);
  former.replaceWith(svg);
  follow(svg, chart, days, x, place);
}

function follow(svg, chart, days, x, place) {
  const cross = shape(svg, "path", { class: "cross", d: "" }), brush = shape(svg, "rect", { class: "brush", y: 0, height: chart.height, width: 0 });
  let held = null;
  const nearest = (event) => {
    const box = svg.getBoundingClientRect(), at = (event.clientX - box.left) / box.width * W;
    return Math.max(0, Math.min(days.length - 1, Math.floor((at - LEFT) / place)));
  };
  svg.addEventListener("pointermove", (event) => {
    const n = nearest(event), day = days[n];
    cross.setAttribute("d", `M${x(n)} 12V${chart.height - 20}`);
    if (held !== null) {
      brush.setAttribute("x", x(Math.min(held, n)));
      brush.setAttribute("width", x(Math.max(held, n)) - x(Math.min(held, n)));
    }
    const lines = chart.tells.map((name) => `${name.padEnd(12)}${day.said[name]}`);
    if (day.caveat) lines.push(day.caveat);
    tip(event, [day.date, ...lines].join("\n"));
  });
  svg.addEventListener("pointerdown", (event) => { if (event.button === 0) held = nearest(event); });
  svg.addEventListener("pointerup", (event) => {
    const n = nearest(event), first = held;
    held = null;
    if (first !== null && Math.abs(n - first) > 1) zoom(from + Math.min(first, n), from + Math.max(first, n), null);
  });
  svg.addEventListener("pointerleave", () => { cross.setAttribute("d", ""); brush.setAttribute("width", 0); held = null; $("tip").hidden = true; });
  svg.addEventListener("dblclick", () => zoom(0, data.days.length - 1, "all"));
}

function tip(event, text) {
  const tip = $("tip");
  tip.textContent = text;
  tip.hidden = false;
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
}

function zoom(first, last, pressed) {
  from = first; to = last;
  for (const button of $("range").querySelectorAll("button")) button.setAttribute("aria-pressed", button.textContent === pressed);
  $("range").querySelector("span").textContent = `${data.days[from].date} to ${data.days[to].date} · drag in a chart to zoom, double-click for all`;
  Object.keys(CHARTS).forEach(drawChart);
}

function ranges() {
  const last = data.days.length - 1, end = data.days[last].date;
  const since = (date) => Math.max(0, data.days.findIndex((day) => day.date >= date));
  const back = (months) => { const day = new Date(`${end}T00:00:00Z`); day.setUTCMonth(day.getUTCMonth() - months); return day.toISOString().slice(0, 10); };
  const choices = { "1M": () => since(back(1)), "3M": () => since(back(3)), YTD: () => since(`${end.slice(0, 4)}-01-01`), "1Y": () => since(back(12)), all: () => 0 };
  for (const [name, first] of Object.entries(choices)) {
    const button = document.createElement("button");
    button.type = "button"; button.textContent = name;
    button.addEventListener("click", () => zoom(first(), last, name));
    $("range").append(button);
  }
  $("range").append(document.createElement("span"));
  $("range").hidden = false;
  zoom(0, last, "all");
}

// Numbers sort as numbers, all else as text; what is not known comes last, either way.
function compare(first, second, right, sign) {
  if (!right) return first < second ? -sign : first > second ? sign : 0;
  const [a, b] = [first, second].map((text) => (text === "–" || text === "" ? null : Number(text.replace(/[,+%\s]/g, ""))));
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (a - b);
}

function sortable(head, columns, sort) {
  columns.forEach((column, n) => {
    const cell = head.cells[n], button = document.createElement("button");
    button.type = "button"; button.textContent = column.label;
    cell.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = cell.getAttribute("aria-sort") !== "descending" && (column.right || cell.getAttribute("aria-sort") === "ascending");
      for (const other of head.cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(n, column.right, down ? -1 : 1);
    });
  });
}

function sortTables() {
  for (const table of document.querySelectorAll("table:not(#explorer)")) {
    const head = table.tHead.rows[0], body = table.tBodies[0];
    const columns = [...head.cells].map((cell) => ({ label: cell.textContent, right: cell.getAttribute("align") === "right" }));
    sortable(head, columns, (n, right, sign) => {
      body.append(...[...body.rows].sort((a, b) => compare(a.cells[n].textContent, b.cells[n].textContent, right, sign)));
    });
  }
}

function explore() {
  const PAGE = 50, head = $("explorer").tHead.insertRow(), body = $("explorer").tBodies[0];
  const texts = data.rows.map((row) => row.join("\n").toLowerCase());
  const order = data.rows.map((_, n) => n);
  let rows = [...order], first = 0;
  const fill = () => {
    body.replaceChildren(...rows.slice(first, first + PAGE).map((n) => {
      const line = document.createElement("tr");
      data.rows[n].forEach((text, at) => {
        const cell = line.insertCell(), right = data.columns[at].right;
        if (right) { cell.align = "right"; cell.textContent = text; if (text.startsWith("-")) cell.className = "loss"; }
        else { const name = document.createElement("bdi"); name.textContent = text; cell.append(name); cell.className = data.columns[at].kind; }
      });
      return line;
    }));
    $("found").textContent = rows.length ? `${first + 1}–${Math.min(first + PAGE, rows.length)} of ${rows.length.toLocaleString("en-US")}` : "none";
    $("former").disabled = first === 0;
    $("further").disabled = first + PAGE >= rows.length;
  };
  for (const column of data.columns) {
    const cell = document.createElement("th");
    if (column.right) cell.align = "right";
    head.append(cell);
  }
  sortable(head, data.columns, (n, right, sign) => {
    const by = (a, b) => compare(data.rows[a][n], data.rows[b][n], right, sign);
    order.sort(by); rows.sort(by);
    first = 0; fill();
  });
  $("words").addEventListener("input", () => {
    const words = $("words").value.toLowerCase().split(" ").filter(Boolean);
    const found = new Set(texts.flatMap((text, n) => (words.every((word) => text.includes(word)) ? [n] : [])));
    rows = order.filter((n) => found.has(n));
    first = 0; fill();
  });
  $("former").addEventListener("click", () => { first = Math.max(0, first - PAGE); fill(); });
  $("further").addEventListener("click", () => { first += PAGE; fill(); });
  $("filters").hidden = false;
  const by = data.columns.findIndex((column) => column.name === "total_pnl");
  if (by < 0) fill(); else head.cells[by].querySelector("button").click();
}

ranges();
sortTables();
explore();
