// Follows the stream of changes, and asks for them.
//
// EventSource cannot send the key, so the stream is read by hand. A page that nobody looks at lets go of
// it: a browser keeps only six connections to one server.
const key = localStorage.getItem("key") ?? "";
const HIDDEN_FOR = 20_000;
/// The server says something every two seconds.
const SILENT_FOR = 8_000;

export const state = { rows: new Map(), rest: {}, seen: 0, connected: false };

export class Refused extends Error {
  constructor(body) {
    super(body?.message ?? "the dashboard does not answer");
    this.hints = body?.hints ?? [];
  }
}

/// Asks the API, and returns the object.
export async function ask(path, body) {
  const request = { headers: { "X-Git-Port-Key": key } };
  if (body !== undefined) {
    request.method = "POST";
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(`/api/${path}`, request);
  } catch {
    throw new Refused();
  }
  if (answer.status === 401) location.reload();
  const object = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(object.error);
  return object;
}

function take(name, data, tell) {
  if (name === "trouble") {
    tell("trouble", data.error);
    return;
  }
  const { set, gone, ...rest } = data;
  if (name === "state") {
    const now = new Set(set.map((row) => row.id));
    for (const id of state.rows.keys()) if (!now.has(id)) gone.push(id);
  }
  for (const id of gone) state.rows.delete(id);
  for (const row of set) state.rows.set(row.id, row);
  Object.assign(state.rest, rest);
  tell(name, { set, gone, rest });
}

async function read(answer, tell, heard) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    text += value;
    let end;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const message = text.slice(0, end);
      text = text.slice(end + 2);
      const [first, ...lines] = message.split("\n");
      const data = lines.find((line) => line.startsWith("data: "));
      if (data) take(first.slice("event: ".length), JSON.parse(data.slice("data: ".length)), tell);
    }
  }
}

/// Follows to the end of the page. `tell` hears `state`, `change`, `trouble`, and `lost` with the seconds to
/// the next attempt.
export async function follow(tell) {
  let failures = 0;
  for (;;) {
    if (document.hidden) {
      await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
      continue;
    }
    const stop = new AbortController();
    let silence, hidden;
    const heard = () => {
      failures = 0;
      state.seen = Date.now();
      state.connected = true;
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), SILENT_FOR);
    };
    const look = () => {
      clearTimeout(hidden);
      if (document.hidden) hidden = setTimeout(() => stop.abort(), HIDDEN_FOR);
    };
    document.addEventListener("visibilitychange", look);
    try {
      silence = setTimeout(() => stop.abort(), 30_000);
      const answer = await fetch("/api/live", { headers: { "X-Git-Port-Key": key }, signal: stop.signal });
      if (answer.status === 401) location.reload();
      if (answer.ok) await read(answer, tell, heard);
    } catch {
      // Whatever it was, the next attempt says whether it still is.
    }
    document.removeEventListener("visibilitychange", look);
    clearTimeout(silence);
    clearTimeout(hidden);
    state.connected = false;
    if (document.hidden) continue;
    const pause = Math.min(10, 2 ** failures++ / 2);
    tell("lost", pause);
    await new Promise((done) => setTimeout(done, pause * 1000));
  }
}
