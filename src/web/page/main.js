// The page: what is heard goes to those who show it.
import { byId, el } from "./dom.js";
import { follow, state } from "./live.js";
import { showMap } from "./map.js";
import { showTree, search, focusTree, act } from "./tree.js";
import { showActivity, showAttention, showReserved, showSummary } from "./panels.js";
import { showDetail, refreshDetail } from "./detail.js";
import { allocate, cleanup, showKeys, undoLast } from "./actions.js";

const THEMES = ["auto", "light", "dark"];
let lost = null;

function theme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = `Theme: ${name}`;
  if (name === "auto") localStorage.removeItem("theme");
  else localStorage.setItem("theme", name);
}

function status() {
  const line = byId("status");
  const seconds = Math.round((Date.now() - state.seen) / 1000);
  const words = state.connected
    ? (seconds < 5 ? "live" : `live, ${seconds} s ago`)
    : (lost === null ? "connecting…" : "lost the dashboard, trying again…");
  line.classList.toggle("on", state.connected);
  line.classList.toggle("off", lost !== null && !state.connected);
  if (line.textContent !== words) line.textContent = words;
}

function heard(name, message) {
  if (name === "lost") {
    lost = message;
    return status();
  }
  lost = null;
  status();
  const trouble = byId("trouble");
  trouble.hidden = name !== "trouble";
  if (name === "trouble") {
    trouble.replaceChildren(el("strong", {}, "The registry cannot be read: "), message.message, " ",
      el("code", {}, "git port doctor"));
    return undefined;
  }
  const changed = message.set.length > 0 || message.gone.length > 0 || name === "state";
  if (message.rest.host !== undefined) {
    byId("host").textContent = message.rest.user ? `${message.rest.user}@${message.rest.host}` : message.rest.host;
  }
  if (changed || message.rest.stats || message.rest.ranges) {
    showMap();
    showSummary();
  }
  if (changed) {
    showAttention();
    showTree(message);
    refreshDetail(message);
  }
  if (message.rest.events) showActivity();
  if (message.rest.ranges || message.rest.stats) showReserved();
  if (byId("main").hasAttribute("aria-busy")) performance.mark("ports");
  byId("main").removeAttribute("aria-busy");
  return undefined;
}

const typing = (target) => target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("dialog").open) return;
  if (event.key === "Escape" && event.target === byId("search")) {
    byId("search").value = "";
    search("");
    focusTree();
    return;
  }
  if (event.target === byId("search") && event.key === "ArrowDown") {
    event.preventDefault();
    focusTree();
    return;
  }
  if (typing(event.target)) return;
  if (event.key === "/") {
    event.preventDefault();
    byId("search").focus();
  } else if (event.key === "?") showKeys();
  else if (event.key === "u") undoLast();
  else if (event.key === "a") allocate({});
  else act(event);
});

byId("search").addEventListener("input", (event) => search(event.target.value));
byId("theme").addEventListener("click", () => theme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % 3]));
byId("keys").addEventListener("click", showKeys);
byId("allocate").addEventListener("click", () => allocate({}));
byId("cleanup").addEventListener("click", cleanup);
document.addEventListener("detail", (event) => showDetail(event.detail));

// An invitation is of no use to one who is in already.
addEventListener("hashchange", () => history.replaceState(null, "", "/"));
theme(localStorage.getItem("theme") ?? "auto");
setInterval(status, 1000);
follow(heard);
