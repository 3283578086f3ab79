// What one can do. Each shows its command line; what takes something away can be undone, or is shown
// before it is done.
import { byId, command, copy, el, name } from "./dom.js";
import { ask, state } from "./live.js";
import { commands, owner } from "./words.js";

const UNDO_FOR = 10_000;
let last = null;

/// Says what was done, and for a while how to undo it.
export function toast(text, { undo, line } = {}) {
  const close = () => { clearTimeout(timer); note.remove(); if (last === run) last = null; };
  const run = undo && (async () => { close(); await attempt(undo); });
  const note = el("div", { class: "toast" }, el("span", {}, text), line ? el("code", {}, line) : null,
    run ? el("button", { type: "button", onclick: run, "aria-keyshortcuts": "u" }, "Undo") : null,
    el("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: close }, "×"));
  let timer = setTimeout(close, UNDO_FOR);
  // Nobody is to race against a clock for what he is reading.
  for (const stop of ["mouseenter", "focusin"]) note.addEventListener(stop, () => clearTimeout(timer));
  for (const start of ["mouseleave", "focusout"]) note.addEventListener(start, () => { clearTimeout(timer); timer = setTimeout(close, UNDO_FOR); });
  byId("toasts").append(note);
  while (byId("toasts").children.length > 3) byId("toasts").firstElementChild.remove();
  if (run) last = run;
}

export function undoLast() {
  last?.();
}

/// Does something, and says why it did not work.
async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast([error.message, ...(error.hints ?? [])].join(". "));
    return undefined;
  }
}

const of = (row) => ({ port: row.port, protocol: row.protocol });

export function release(row) {
  return attempt(async () => {
    const done = await ask("release", { ports: [row.port], protocol: row.protocol });
    const { released_at } = done.released[0];
    toast(`Released ${row.port} of ${owner(row)}`, {
      line: commands.release(row),
      undo: async () => {
        await ask("undo", { ...of(row), released_at });
        toast(`${row.port} is ${owner(row)}'s again`);
      },
    });
    return done;
  });
}

export function update(row, fields, words) {
  return attempt(async () => {
    const before = Object.fromEntries(Object.keys(fields).map((field) => [field, row[field] ?? (field === "pinned" ? false : "")]));
    const done = await ask("update", { ...of(row), ...fields });
    toast(`Updated ${row.port}`, { line: words, undo: async () => { await ask("update", { ...of(row), ...before }); toast(`${row.port} is as before`); } });
    return done;
  });
}

export function pin(row) {
  return update(row, { pinned: !row.pinned }, commands.pin(row));
}

/// The buttons of a line.
export function menu(row) {
  const open = row.url ? el("a", { class: "button", href: row.url, target: "_blank", rel: "noreferrer", tabindex: "-1", title: commands.open(row), "aria-label": `Open ${row.port}` }, "Open") : null;
  return [open,
    el("button", { type: "button", tabindex: "-1", "aria-label": `Copy the address of ${row.port}`, onclick: async () => toast((await copy(row.url ?? String(row.port))) ? `Copied ${row.url ?? row.port}` : "The browser lets nobody copy") }, "Copy"),
    el("button", { type: "button", tabindex: "-1", title: commands.release(row), "aria-label": `Release ${row.port}`, onclick: () => release(row) }, "Release")];
}

/// Opens the dialog with this title and these contents; returns how to close it.
export function dialog(title, kind, ...contents) {
  const place = byId("dialog");
  const close = () => place.close();
  place.className = kind;
  place.replaceChildren(
    el("header", {}, el("h2", { id: "dialog-title" }, title), el("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: close }, "×")),
    ...contents.filter(Boolean));
  if (!place.open) place.showModal();
  return close;
}

byId("dialog").addEventListener("click", (event) => { if (event.target === event.currentTarget) event.currentTarget.close(); });

const field = (label, input) => el("label", { class: "field" }, el("span", {}, label), input);

/// Asks what to allocate, with what is known already.
export function allocate({ port, environment, project }) {
  const rows = [...state.rows.values()];
  const worktrees = [...new Set(rows.map((row) => row.worktree).filter(Boolean))].sort();
  const environments = [...new Set((state.rest.ranges?.ranges ?? []).map((range) => range.environment).filter(Boolean))];
  const service = el("input", { name: "service", required: true, pattern: "[a-z][a-z0-9_\\-]*", autocomplete: "off", placeholder: "web" });
  const where = el("select", { name: "where" }, worktrees.map((path) => el("option", { value: `w${path}` }, path)), el("option", { value: "p" }, "a project, without a worktree"));
  const named = el("input", { name: "project", autocomplete: "off", placeholder: "shop" });
  const kind = el("select", { name: "environment" }, environments.map((one) => el("option", { value: one }, one)));
  const number = el("input", { name: "port", type: "number", min: "1", max: "65535", placeholder: "the next free one" });
  if (port) number.value = String(port);
  kind.value = environment ?? "dev";
  if (project) { named.value = project; where.value = "p"; }
  const line = el("div", {});
  const values = () => ({ service: service.value, environment: kind.value, port: number.value, worktree: where.value[0] === "w" ? where.value.slice(1) : null, project: where.value === "p" ? named.value : null });
  const projectField = field("Project", named);
  const show = () => {
    projectField.hidden = where.value !== "p";
    named.required = where.value === "p";
    line.replaceChildren(command(commands.allocate(values())));
  };
  const form = el("form", {
    oninput: show,
    onsubmit: async (event) => {
      event.preventDefault();
      const asked = values();
      const done = await attempt(() => ask("allocate", {
        services: [asked.service], environment: asked.environment, worktree: asked.worktree ?? undefined,
        project: asked.project ?? undefined, port: asked.port ? Number(asked.port) : undefined,
      }));
      if (!done) return;
      close();
      const [row] = done.allocations;
      toast(`${row.created ? "Allocated" : "Already allocated:"} ${row.port} of ${owner(row)}`, {
        line: commands.allocate(asked),
        undo: row.created ? async () => { await ask("release", { ports: [row.port], protocol: row.protocol }); toast(`Released ${row.port} again`); } : undefined,
      });
    },
  }, field("Service", service), field("For", where), projectField, field("Environment", kind), field("Port", number), line,
  el("p", { class: "buttons" }, el("button", { class: "primary" }, "Allocate")));
  const close = dialog("Allocate a port", "narrow", form);
  show();
  service.focus();
}

const entry = (row, reason) => el("li", {}, el("strong", {}, row.port), " ", name(owner(row)), " ",
  el("span", { class: "faint" }, reason ? name(reason) : name(row.worktree ?? "")));

const part = (title, rows) => (rows.length > 0 ? [el("h3", {}, `${title} (${rows.length})`), el("ul", { class: "plan" }, rows)] : []);

/// Shows what a cleanup would do, and does it.
export async function cleanup() {
  const plan = await attempt(() => ask("cleanup"));
  if (!plan) return;
  const count = plan.released.length + plan.forgotten.length;
  const run = async () => {
    const done = await attempt(() => ask("cleanup", {}));
    if (!done) return;
    close();
    toast(`Released ${done.released.length}, forgot ${done.forgotten.length}`, { line: commands.cleanup(false) });
  };
  const close = dialog("Clean up", "narrow",
    count === 0 ? el("p", {}, "There is nothing to release: every worktree that has ports is there.") : null,
    ...part("To be released", plan.released.map((row) => entry(row))),
    ...part("To be forgotten", plan.forgotten.map((row) => entry(row))),
    ...part("Kept", plan.kept.map((kept) => entry(kept.allocation, kept.reason))),
    command(commands.cleanup(true)), command(commands.cleanup(false)),
    el("p", { class: "buttons" }, count > 0 ? el("button", { type: "button", class: "primary", onclick: run },
      `Release ${plan.released.length}${plan.forgotten.length > 0 ? `, forget ${plan.forgotten.length}` : ""}`) : null));
}

const KEYS = [["/", "search"], ["↑ ↓  j k", "move among the ports"], ["→ ←", "open and close a project, go to the buttons"], ["Enter", "details"], ["o", "open in the browser"],
  ["c", "copy the address"], ["r", "release"], ["p", "pin, unpin"], ["a", "allocate"], ["u", "undo"], ["Esc", "close, clear the search"], ["?", "this list"]];

export function showKeys() {
  dialog("Keys", "narrow", el("dl", { class: "keys" }, KEYS.map(([key, what]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)))));
}
