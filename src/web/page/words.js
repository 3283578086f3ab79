// States, times and command lines in words.
export const STATES = {
  active: "listening",
  allocated: "allocated, nobody listens",
  foreign: "another process has the port",
  orphaned: "its worktree is gone",
  unknown: "cannot be told",
};
export const SHORT = { active: "listening", allocated: "idle", foreign: "foreign", orphaned: "orphaned", unknown: "unknown" };

const STEPS = [[86400, "d"], [3600, "h"], [60, "min"]];

/// Returns how long ago a time is, in short.
export function ago(time, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000);
  for (const [size, unit] of STEPS) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  return "now";
}

export const since = (time) => (ago(time) === "now" ? "just now" : `${ago(time)} ago`);

export const full = (time) => new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });

export const owner = (row) => `${row.project}/${row.service}`;

/// Returns the folder's own name.
export const folder = (path) => (path ? path.split(/[\\/]/).filter(Boolean).pop() ?? path : null);

export const place = (row) => row.branch ?? folder(row.worktree) ?? "no worktree";

export const process = (row) => (row.process ? `${row.process.name ?? "?"} ${row.process.pid}` : "–");

/// Returns a word as a POSIX shell reads it.
export function quoted(word) {
  const text = String(word);
  return /^[A-Za-z0-9_./:@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

const protocol = (row) => (row.protocol === "udp" ? ["--protocol", "udp"] : []);

export function line(...words) {
  return ["git", "port", ...words.flat()].map(quoted).join(" ");
}

export const commands = {
  release: (row) => line("release", row.port, protocol(row)),
  pin: (row) => line("update", row.port, row.pinned ? "--unpin" : "--pin", protocol(row)),
  update: (row, fields) => line("update", row.port, fields, protocol(row)),
  open: (row) => line("open", row.worktree ? row.service : owner(row)),
  history: (row) => line("history", row.port),
  health: () => line("health", "--all"),
  cleanup: (dry) => line("cleanup", dry ? ["--dry-run"] : []),
  allocate: ({ service, environment, port, project, worktree }) => {
    const where = worktree ? ["git", "-C", quoted(worktree), "port"] : ["git", "port"];
    const words = ["allocate", service || "<service>", environment && environment !== "dev" ? ["--environment", environment] : [],
      port ? ["--port", port] : [], project ? ["--project", project] : []];
    return [...where, ...words.flat().map((word) => (word === "<service>" ? word : quoted(word)))].join(" ");
  },
};

const known = new WeakMap();

/// Returns all of a row that one may search for.
export function haystack(row) {
  if (!known.has(row)) {
    known.set(row, [row.port, row.project, row.service, row.branch, row.worktree, row.environment, row.state, SHORT[row.state],
      row.process?.name, row.process?.pid, row.description, row.service_type, row.public_hostname, row.session,
      row.host, row.user].filter((word) => word !== null && word !== undefined).join("\n").toLowerCase());
  }
  return known.get(row);
}
