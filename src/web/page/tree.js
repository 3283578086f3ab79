// Projects, their worktrees, and their services: a tree in a table, of which only what is open is drawn.
import { byId, copy, el, glyph, name } from "./dom.js";
import { state } from "./live.js";
import { ago, folder, full, haystack, place, process, SHORT } from "./words.js";
import { menu, pin, release, toast } from "./actions.js";
import { command } from "./dom.js";

/// With more ports than this, only projects where something goes on begin open.
const MANY = 60;

const opened = new Map();
const lines = new Map();
let needle = [];
let table = null;
let current = null;

const busy = (row) => row.state !== "allocated";

function matches(row) {
  return needle.every((word) => haystack(row).includes(word));
}

/// Where something goes on comes first; the dashboard itself comes last.
const rank = (project, rows) => (project === "git-port" ? 2 : rows.some(busy) ? 0 : 1);

function isOpen(id, rows) {
  if (needle.length > 0) return true;
  return opened.get(id) ?? (state.rows.size <= MANY || rows.some(busy));
}

/// Returns what is to be drawn, in order: the key of each line, and how it is made.
function plan() {
  const all = [...state.rows.values()];
  const hosts = new Set(all.map((row) => row.host));
  const rows = all.filter(matches).sort((a, b) => a.port - b.port);
  const wanted = [];
  const projects = [...Map.groupBy(rows, (row) => row.project)].sort(([a, one], [b, other]) =>
    (rank(a, one) - rank(b, other)) || a.localeCompare(b));
  for (const [project, inside] of projects) {
    const id = `p ${project}`;
    const open = isOpen(id, inside);
    const live = inside.filter((row) => row.state === "active").length;
    wanted.push({ id, level: 1, open, rows: inside, label: project, live });
    if (!open) continue;
    const trees = [...Map.groupBy(inside, (row) => row.worktree ?? "")].sort(([, one], [, other]) =>
      (other.some(busy) - one.some(busy)) || one[0].port - other[0].port);
    for (const [worktree, services] of trees) {
      const key = `w ${project} ${worktree}`;
      const shown = isOpen(key, services);
      wanted.push({ id: key, level: 2, open: shown, rows: services, label: place(services[0]), worktree });
      if (shown) for (const row of services) wanted.push({ id: `s ${row.id}`, level: 3, row, host: hosts.size > 1 });
    }
  }
  return wanted;
}

function headline(item) {
  const counts = item.live === undefined
    ? `${item.rows.length} ${item.rows.length === 1 ? "port" : "ports"}`
    : `${item.rows.length} ${item.rows.length === 1 ? "port" : "ports"}, ${item.live} listening`;
  const path = item.level === 2 && item.worktree && folder(item.worktree) !== item.label
    ? el("span", { class: "faint path", title: item.worktree }, name(folder(item.worktree))) : null;
  return [
    el("td", { role: "gridcell", class: "name", colspan: "6" },
      el("span", { class: "twist", "aria-hidden": "true" }), name(item.label), path,
      el("span", { class: "faint count" }, counts)),
  ];
}

function cells(item) {
  const { row } = item;
  const where = item.host ? el("span", { class: "faint" }, row.user ? ` ${row.user}@${row.host}` : ` ${row.host}`) : null;
  const port = row.url && row.state === "active"
    ? el("a", { href: row.url, target: "_blank", rel: "noreferrer", tabindex: "-1" }, row.port) : el("span", {}, row.port);
  return [
    el("td", { role: "gridcell", class: "name" }, name(row.service),
      row.environment === "dev" ? null : el("span", { class: "tag" }, row.environment),
      row.pinned ? el("span", { class: "tag" }, "pinned") : null, where),
    el("td", { role: "gridcell", class: "port" }, port, row.protocol === "udp" ? el("span", { class: "faint" }, " udp") : null),
    el("td", { role: "gridcell", class: "state" }, glyph(row.state), SHORT[row.state]),
    el("td", { role: "gridcell", class: "process", title: row.process?.cwd }, name(process(row))),
    el("td", { role: "gridcell", class: "age", title: full(row.allocated_at) }, ago(row.allocated_at)),
    el("td", { role: "gridcell", class: "acts" }, menu(row)),
  ];
}

const SIGN = (item) => (item.row ? JSON.stringify(item.row) + item.host + ago(item.row.allocated_at)
  : JSON.stringify([item.label, item.open, item.rows.length, item.live, item.worktree]));

function make(item, known) {
  const sign = SIGN(item);
  if (known && known.sign === sign) return known;
  const tr = known?.tr ?? el("tr", { role: "row", tabindex: "-1" });
  const focused = tr.contains(document.activeElement) ? document.activeElement : null;
  const index = focused && focused !== tr ? [...tr.querySelectorAll("button, a")].indexOf(focused) : -1;
  tr.className = `level${item.level}${item.row ? ` is-${item.row.state}` : ""}`;
  tr.setAttribute("aria-level", item.level);
  if (item.row) tr.removeAttribute("aria-expanded");
  else tr.setAttribute("aria-expanded", String(item.open));
  tr.replaceChildren(...(item.row ? cells(item) : headline(item)));
  if (index >= 0) (tr.querySelectorAll("button, a")[index] ?? tr).focus();
  tr.dataset.id = item.id;
  return { tr, sign, item };
}

function empty() {
  if (needle.length === 0) {
    return el("div", { class: "empty" }, el("p", {}, "No ports are allocated yet. In a repository, run one of these:"),
      command("git port init"), command("git port worktree create my-feature"));
  }
  return el("div", { class: "empty" }, el("p", {}, "Nothing is called that."),
    el("button", { type: "button", onclick: () => { byId("search").value = ""; search(""); byId("search").focus(); } }, "Clear the search"));
}

function frame() {
  const heads = ["Service", "Port", "State", "Process", "Age", "Actions"];
  const body = el("tbody", { role: "rowgroup" });
  const grid = el("table", { role: "treegrid", class: "tree", "aria-label": "Ports by project and worktree", "aria-readonly": "true" },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads.map((head) => el("th", { role: "columnheader", scope: "col", class: head.toLowerCase() }, head)))), body);
  body.addEventListener("click", (event) => {
    const tr = event.target.closest("tr");
    if (!tr || event.target.closest("button, a")) return;
    settle(tr);
    toggle(tr);
  });
  body.addEventListener("focusin", (event) => settle(event.target.closest("tr")));
  return { grid, body };
}

function settle(tr) {
  if (!tr || tr === current) return;
  current?.setAttribute("tabindex", "-1");
  current = tr;
  tr.setAttribute("tabindex", "0");
}

function toggle(tr, to) {
  const known = lines.get(tr.dataset.id);
  if (!known) return;
  if (known.item.row) {
    document.dispatchEvent(new CustomEvent("detail", { detail: known.item.row.id }));
    return;
  }
  opened.set(known.item.id, to ?? !known.item.open);
  showTree();
  lines.get(known.item.id)?.tr.focus();
}

export function showTree() {
  const place = byId("tree");
  const wanted = plan();
  // The dashboard's own port is nobody's first.
  const none = needle.length === 0 && [...state.rows.values()].every((row) => row.project === "git-port" && row.service === "dashboard");
  if (wanted.length === 0 || none) {
    table = null;
    lines.clear();
    place.replaceChildren(empty());
    return;
  }
  if (!table) {
    table = frame();
    place.replaceChildren(table.grid);
  }
  const keep = new Set(wanted.map((item) => item.id));
  for (const [id, known] of lines) {
    if (keep.has(id)) continue;
    const next = known.tr.contains(document.activeElement) ? (known.tr.nextElementSibling ?? known.tr.previousElementSibling) : null;
    known.tr.remove();
    lines.delete(id);
    next?.focus();
  }
  let before = table.body.firstElementChild;
  for (const item of wanted) {
    const known = make(item, lines.get(item.id));
    known.item = item;
    lines.set(item.id, known);
    if (known.tr === before) before = before.nextElementSibling;
    else table.body.insertBefore(known.tr, before);
  }
  if (!current?.isConnected) settle(table.body.firstElementChild);
}

export function search(text) {
  needle = text.toLowerCase().split(/\s+/).filter(Boolean);
  showTree();
}

export function focusTree() {
  (current?.isConnected ? current : byId("tree")).focus();
}

/// Acts on the line that has the focus.
export function act(event) {
  const tr = document.activeElement?.closest?.("tr[data-id]");
  if (!tr) return;
  const onLine = document.activeElement === tr;
  const { item } = lines.get(tr.dataset.id);
  const { row } = item;
  const go = (target) => { event.preventDefault(); target?.focus(); };
  const parent = () => {
    let above = tr.previousElementSibling;
    while (above && Number(above.getAttribute("aria-level")) >= item.level) above = above.previousElementSibling;
    return above;
  };
  switch (event.key) {
    case "ArrowDown": case "j": go(tr.nextElementSibling); break;
    case "ArrowUp": case "k": go(tr.previousElementSibling); break;
    case "Home": go(table.body.firstElementChild); break;
    case "End": go(table.body.lastElementChild); break;
    case "ArrowRight": if (!row && !item.open) toggle(tr, true); else go(row ? tr.querySelector("button") : tr.nextElementSibling); break;
    case "ArrowLeft": if (!onLine) go(tr); else if (!row && item.open) toggle(tr, false); else go(parent()); break;
    case "Enter": case " ": if (onLine) { event.preventDefault(); toggle(tr); } break;
    case "o": if (row?.url) window.open(row.url, "_blank", "noreferrer"); break;
    case "c": if (row) copy(row.url ?? String(row.port)).then((done) => toast(done ? `Copied ${row.url ?? row.port}` : "The browser lets nobody copy")); break;
    case "r": if (row) release(row); break;
    case "p": if (row) pin(row); break;
    default:
  }
}
