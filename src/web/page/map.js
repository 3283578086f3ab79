// The ranges as a map: a cell for each port, by shape as well as colour, in rows of fifty.
import { byId, el, glyph } from "./dom.js";
import { state } from "./live.js";
import { owner, place, STATES } from "./words.js";
import { allocate } from "./actions.js";

const WIDTH = 50;
/// A range with more ports than this is shown where something is in it.
const LARGE = 2000;
const LEGEND = [["free", "free"], ["allocated", "idle"], ["active", "listening"], ["foreign", "foreign"], ["orphaned", "orphaned"], ["reserved", "reserved"]];

let chosen = null;
let drawn = "";
let cells = new Map();

const title = (range) => range.environment ?? range.project;
const name = (range) => `${title(range)} ${range.start}–${range.end}`;

function byPort() {
  const ports = new Map();
  const host = state.rest.host;
  for (const row of state.rows.values()) {
    // Of a port's TCP and UDP owners, the one that needs looking at is shown.
    const known = ports.get(row.port);
    if (row.host === host && (!known || known.state === "allocated")) ports.set(row.port, row);
  }
  return ports;
}

function look(port, ports, reserved) {
  const row = ports.get(port);
  if (row) return [row.state, `${port}, ${owner(row)}, ${place(row)}: ${STATES[row.state]}`];
  const reservation = reserved.find((one) => one.start <= port && port <= one.end);
  if (reservation) return ["reserved", `${port}, reserved${reservation.reason ? `: ${reservation.reason}` : ""}`];
  return ["free", `${port}, free`];
}

/// The rows to draw: of a large range only those where something is, and the first.
function starts(range, ports) {
  const all = [];
  const large = range.end - range.start + 1 > LARGE;
  const used = new Set([...ports.keys()].map((port) => Math.floor((port - range.start) / WIDTH)));
  for (let start = range.start, index = 0; start <= range.end; start += WIDTH, index += 1) {
    if (!large || index === 0 || used.has(index)) all.push(start);
  }
  return all;
}

function draw(range, ports, reserved) {
  cells = new Map();
  const rows = starts(range, ports).map((start) => {
    const row = el("div", { role: "row", class: "map-row" }, el("span", { role: "rowheader", class: "map-start" }, start));
    for (let port = start; port <= Math.min(start + WIDTH - 1, range.end); port += 1) {
      const cell = el("span", { role: "gridcell", tabindex: "-1", "data-port": port });
      cells.set(port, cell);
      row.append(cell);
    }
    return row;
  });
  const grid = el("div", { role: "grid", class: "map", "aria-label": `Ports of ${name(range)}`, "aria-readonly": "true" }, rows);
  grid.addEventListener("keydown", move);
  grid.addEventListener("click", (event) => open(Number(event.target.dataset?.port)));
  cells.values().next().value?.setAttribute("tabindex", "0");
  const left = Math.ceil((range.end - range.start + 1) / WIDTH) - rows.length;
  const note = left > 0 ? el("p", { class: "faint" }, `${left * WIDTH} more ports, all free, are not drawn.`) : null;
  return [grid, ...(note ? [note] : [])];
}

function open(port) {
  if (!port) return;
  const row = byPort().get(port);
  if (row) document.dispatchEvent(new CustomEvent("detail", { detail: row.id }));
  else allocate({ port, environment: chosen?.environment ?? undefined, project: chosen?.project ?? undefined });
}

function move(event) {
  const port = Number(event.target.dataset?.port);
  if (!port) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    open(port);
    return;
  }
  const ports = [...cells.keys()];
  const index = ports.indexOf(port);
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: WIDTH, ArrowUp: -WIDTH, Home: -index, End: ports.length - 1 - index };
  const next = cells.get(ports[index + steps[event.key]]);
  if (!next) return;
  event.preventDefault();
  event.stopPropagation();
  event.target.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

export function showMap() {
  const ranges = state.rest.stats?.ranges ?? [];
  if (ranges.length === 0) return;
  const same = (one) => chosen && one.start === chosen.start && one.end === chosen.end && title(one) === title(chosen);
  chosen = ranges.find(same) ?? ranges.find((range) => range.environment === "dev") ?? ranges[0];
  const ports = byPort();
  const reserved = state.rest.ranges?.reserved ?? [];
  byId("map-tabs").replaceChildren(...ranges.map((range) => el("button", {
    type: "button", class: "tab", "aria-pressed": String(range === chosen),
    onclick: (event) => {
      chosen = range;
      const index = [...byId("map-tabs").children].indexOf(event.currentTarget);
      showMap();
      byId("map-tabs").children[index]?.focus();
    },
  }, name(range), el("span", { class: "faint" }, ` ${range.allocated}/${range.total}`))));
  const plan = `${name(chosen)} ${starts(chosen, ports).join()}`;
  if (plan !== drawn) {
    drawn = plan;
    byId("map").replaceChildren(...draw(chosen, ports, reserved));
    byId("legend").replaceChildren(...LEGEND.map(([kind, word]) => el("li", {}, glyph(kind), word)));
  }
  for (const [port, cell] of cells) {
    const [kind, words] = look(port, ports, reserved);
    if (cell.className !== `glyph ${kind}`) cell.className = `glyph ${kind}`;
    if (cell.title !== words) {
      cell.title = words;
      cell.setAttribute("aria-label", words);
    }
  }
}
