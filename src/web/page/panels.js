// What needs attention, what happened, and where ports come from.
import { byId, command, el, glyph, name } from "./dom.js";
import { state } from "./live.js";
import { ago, full, owner, place, process } from "./words.js";
import { cleanup } from "./actions.js";

const SHOWN = 5;
const ACTIVITY = 12;

const detail = (row) => document.dispatchEvent(new CustomEvent("detail", { detail: row.id }));
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function taken(row) {
  return el("li", {}, glyph("foreign"),
    el("span", { class: "what" }, el("strong", {}, row.port), " of ", name(owner(row)), " is taken by ", name(process(row)),
      row.process?.cwd ? el("span", { class: "faint" }, " in ", name(row.process.cwd)) : null),
    el("button", { type: "button", "aria-label": `Details of ${row.port}`, onclick: () => detail(row) }, "Details"));
}

function kept(rows) {
  const ports = rows.map((row) => row.port).join(", ");
  return el("li", {}, glyph("orphaned"),
    el("span", { class: "what" }, el("strong", {}, ports), ` of ${rows[0].project} ${rows.length === 1 ? "is" : "are"} kept for a worktree that is gone: `, name(rows[0].worktree ?? place(rows[0]))),
    el("button", { type: "button", onclick: cleanup }, "Preview cleanup"));
}

export function showAttention() {
  const of = (kind) => [...state.rows.values()].filter((row) => row.state === kind).sort((a, b) => a.port - b.port);
  const orphans = Map.groupBy(of("orphaned"), (row) => row.worktree);
  const warnings = (state.rest.stats?.warnings ?? []).map((text) => el("li", {}, glyph("foreign"), el("span", { class: "what" }, text)));
  const lines = [...warnings, ...of("foreign").map(taken), ...[...orphans.values()].map(kept)];
  byId("attention").hidden = lines.length === 0;
  byId("attention-title").textContent = `Needs attention (${lines.length})`;
  const more = lines.length > SHOWN ? [el("li", { class: "faint" }, `and ${lines.length - SHOWN} more`)] : [];
  byId("attention-list").replaceChildren(...lines.slice(0, SHOWN), ...more);
}

export function showSummary() {
  const rows = [...state.rows.values()];
  const live = rows.filter((row) => row.state === "active").length;
  const summary = byId("summary");
  summary.replaceChildren(`${plural(rows.length, "port")}, ${live} listening`);
  if (rows.length > 1 && live <= 1 && !rows.some((row) => row.state === "active" && row.project !== "git-port")) {
    summary.append(". Start one: ", el("code", {}, "git port run -- npm run dev"));
  }
}

const VERBS = {
  allocated: "allocated", released: "released", moved: "moved", updated: "updated", forgotten: "forgotten",
  reserved: "reserved", unreserved: "unreserved", "range-set": "range set", "range-unset": "range unset",
};

export function event(one, withOwner = true) {
  const whose = withOwner && one.project ? [" ", name(`${one.project}/${one.service}`)] : [];
  return el("li", {}, el("time", { datetime: one.at, title: full(one.at) }, ago(one.at)),
    el("span", {}, one.port ? el("strong", {}, one.port) : null, " ", VERBS[one.event] ?? one.event, ...whose,
      one.reason && one.reason !== "asked for" ? el("span", { class: "faint" }, " – ", name(one.reason)) : null));
}

export function showActivity() {
  const events = (state.rest.events ?? []).slice(0, ACTIVITY);
  byId("activity").replaceChildren(...(events.length > 0 ? events.map((one) => event(one)) : [el("li", { class: "faint" }, "Nothing has happened yet.")]));
}

export function showReserved() {
  const { ranges = [], reserved = [] } = state.rest.ranges ?? {};
  const stats = state.rest.stats?.ranges ?? [];
  const line = (range) => {
    const full = stats.find((one) => one.start === range.start && one.end === range.end && one.environment === range.environment);
    return el("tr", {}, el("th", { scope: "row" }, name(range.environment ?? range.project)), el("td", {}, `${range.start}–${range.end}`),
      el("td", { title: range.origin }, full ? `${full.utilization} %` : ""));
  };
  const run = (one) => (one.start === one.end ? `${one.start}` : `${one.start}–${one.end}`);
  byId("reserved").replaceChildren(
    el("table", { class: "small" }, el("thead", {}, el("tr", {}, ["For", "Ports", "Used"].map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, ranges.map(line))),
    el("h3", {}, "Reserved"),
    reserved.length > 0 ? el("p", {}, reserved.map((one, index) => [index > 0 ? ", " : "", el("span", { title: one.reason }, run(one))]).flat())
      : el("p", { class: "faint" }, "None. "),
    command("git port reserve 3000"));
}
