// One port: what is known of it, how its service did, what happened to it, and what one can do.
import { byId, command, el, glyph, name, svg } from "./dom.js";
import { ask, state } from "./live.js";
import { commands, full, owner, since, STATES } from "./words.js";
import { dialog, pin, release, update } from "./actions.js";
import { event } from "./panels.js";

let shown = null;

const FIELDS = [["Worktree", "worktree"], ["Branch", "branch"], ["Environment", "environment"], ["Variable", "variable"], ["Host", "host"], ["User", "user"],
  ["Session", "session"], ["Type", "service_type"], ["Public name", "public_hostname"]];

function facts(row) {
  const pairs = FIELDS.filter(([, key]) => row[key]).map(([label, key]) => [label, name(row[key])]);
  if (row.process) pairs.push(["Process", el("span", {}, name(`${row.process.name} (pid ${row.process.pid})`), row.process.cwd ? el("span", { class: "faint" }, " in ", name(row.process.cwd)) : null)]);
  for (const [label, key] of [["Allocated", "allocated_at"], ["Last used", "last_used_at"]]) {
    if (row[key]) pairs.push([label, el("time", { datetime: row[key], title: full(row[key]) }, `${full(row[key])} (${since(row[key])})`)]);
  }
  return el("dl", { class: "facts" }, pairs.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))));
}

/// The looks at a service: a bar for each, as high as it took, and of a shape of its own where it failed.
function chart(looks) {
  if (looks.length === 0) return el("p", { class: "faint" }, "Nobody has asked it yet.");
  const list = [...looks].reverse();
  const width = 320, height = 64, step = width / Math.max(list.length, 20);
  const most = Math.max(1, ...list.map((look) => look.latency_ms));
  const bars = list.map((look, index) => {
    const x = index * step, size = look.health === "up" ? Math.max(2, (look.latency_ms / most) * (height - 8)) : height - 8;
    const words = `${full(look.at)}: ${look.health}, ${look.detail}, ${look.latency_ms} ms`;
    const title = svg("title", {});
    title.textContent = words;
    const shape = look.health === "up"
      ? svg("rect", { x, y: height - size, width: Math.max(1.5, step - 1.5), height: size, rx: 1, class: "up" })
      : svg("path", { d: `M${x} ${height} l${step / 2} ${-size} l${step / 2} ${size} z`, class: look.health });
    shape.append(title);
    return shape;
  });
  const up = list.filter((look) => look.health === "up").length;
  const words = `${up} of ${list.length} looks were answered well; the slowest answer took ${most.toFixed(1)} ms`;
  return el("figure", {}, svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": words }, ...bars),
    el("figcaption", { class: "faint" }, `${words}. Last: ${looks[0].health}, ${looks[0].detail}, ${since(looks[0].at)}.`));
}

async function load(row, health, past) {
  const [looks, events] = await Promise.all([ask(`health?port=${row.port}`), ask(`history?port=${row.port}&limit=20`)]).catch(() => [null, null]);
  if (!looks || shown !== row.id) return;
  const mine = looks.services.find((one) => one.allocation.protocol === row.protocol);
  health.replaceChildren(chart(mine?.history ?? []));
  past.replaceChildren(...events.events.map((one) => event(one, one.project !== row.project || one.service !== row.service)));
}

function notes(row) {
  const input = (key, label) => el("label", { class: "field" }, el("span", {}, label), el("input", { name: key, value: row[key] ?? "", autocomplete: "off" }));
  const line = el("div", {});
  const form = el("form", { class: "notes" }, input("description", "Description"), input("service_type", "Type"), input("public_hostname", "Public name"), line,
    el("p", { class: "buttons" }, el("button", {}, "Save")));
  const changed = () => Object.fromEntries([...new FormData(form)].filter(([key, value]) => value !== (row[key] ?? "")));
  const flags = { description: "--description", service_type: "--type", public_hostname: "--public-hostname" };
  const words = () => commands.update(row, Object.entries(changed()).flatMap(([key, value]) => [flags[key], value]));
  const show = () => line.replaceChildren(Object.keys(changed()).length > 0 ? command(words()) : "");
  form.addEventListener("input", show);
  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    if (Object.keys(changed()).length > 0) await update(row, changed(), words());
  });
  return form;
}

function contents(row) {
  const health = el("div", {}, el("p", { class: "faint" }, "…"));
  const past = el("ol", { class: "activity" });
  const asked = el("button", { type: "button", onclick: async () => { asked.disabled = true; await ask("health", { port: row.port }).catch(() => null); asked.disabled = false; load(row, health, past); } }, "Ask it now");
  const here = row.host === state.rest.host;
  const button = (label, run, words, kind) => el("li", {}, el("button", { type: "button", class: kind, onclick: run }, label), command(words));
  const acts = el("ul", { class: "acts" },
    row.url ? el("li", {}, el("a", { class: "button", href: row.url, target: "_blank", rel: "noreferrer" }, "Open"), command(row.url)) : null,
    here ? button(row.pinned ? "Unpin" : "Pin", () => pin(row), commands.pin(row)) : null,
    here ? button("Release", async () => { if (await release(row)) byId("dialog").close(); }, commands.release(row)) : null);
  load(row, health, past);
  return [
    el("p", { class: "lead" }, glyph(row.state), el("span", {}, STATES[row.state]), row.pinned ? el("span", { class: "tag" }, "pinned") : null),
    row.description ? el("p", {}, name(row.description)) : null, facts(row), acts,
    el("h3", {}, "Health"), health, here && row.protocol === "tcp" ? el("p", { class: "buttons" }, asked) : null,
    here ? el("h3", {}, "Notes") : null, here ? notes(row) : null,
    el("h3", {}, "History"), past, command(commands.history(row)),
  ].filter(Boolean);
}

export function showDetail(id) {
  const row = state.rows.get(id);
  if (!row) return;
  shown = id;
  dialog(`${row.port} ${owner(row)}`, "drawer", ...contents(row));
}

/// Follows what happens to the port that is shown; what somebody is typing stays.
export function refreshDetail({ set, gone }) {
  const place = byId("dialog");
  if (!place.open || !place.classList.contains("drawer")) return;
  if (gone.includes(shown)) place.close();
  const row = set.find((one) => one.id === shown);
  if (!row) return;
  const form = place.querySelector(".notes");
  if (form && [...new FormData(form)].some(([key, value]) => value !== (row[key] ?? ""))) return;
  const focus = place.contains(document.activeElement) ? document.activeElement.name : null;
  showDetail(shown);
  if (focus) place.querySelector(`[name="${focus}"]`)?.focus();
}
