// Exchanges the invitation in the address for a cookie and a key. The key is kept where only this origin
// finds it, for cookies are shown to every port of this machine.
const say = document.getElementById("say");
const code = location.hash.slice(1);

async function enter() {
  const answer = await fetch("/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
  });
  if (!answer.ok) return false;
  localStorage.setItem("key", (await answer.json()).key);
  return true;
}

async function known() {
  const key = localStorage.getItem("key");
  if (!key) return false;
  return (await fetch("/api/ranges", { headers: { "X-Git-Port-Key": key } })).ok;
}

// Another invitation in the same window changes nothing but what stands behind the `#`.
addEventListener("hashchange", () => location.reload());
history.replaceState(null, "", "/");
if (code && await enter() || await known()) {
  location.replace("/");
} else if (code) {
  say.textContent = "This invitation was used, or is too old. Another is printed by";
}
