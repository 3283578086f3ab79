// Makes elements. Text is only ever set as text, so a name is never markup; what is invisible in it, or
// reorders what stands beside it, is shown as an escape.
const UNSAFE = /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffd\u{e0000}-\u{e007f}]/gu;

export function shown(text) {
  return String(text).replace(UNSAFE, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

/// Returns an element with these attributes, listeners (`onclick`) and children.
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : shown(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : shown(child))));
  return element;
}

/// Returns a name of somebody else's making, whose direction of writing stays its own.
export const name = (text) => el("bdi", {}, text);

export const byId = (id) => document.getElementById(id);

/// Returns the shape of a state. The word goes with it, so it says nothing itself.
export const glyph = (state) => el("span", { class: `glyph ${state}`, "aria-hidden": "true" });

/// Returns a command that can be copied.
export function command(words) {
  const button = el("button", {
    type: "button", class: "copy", "aria-label": `Copy ${words}`,
    onclick: async () => { button.textContent = (await copy(words)) ? "copied" : "copy it"; setTimeout(() => { button.textContent = "copy"; }, 1500); },
  }, "copy");
  return el("span", { class: "command" }, el("code", {}, words), button);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
