// What was sent stands there at once; what is typed outlives a lost connection, a session that ended and a reload.

import { $, on } from "./js/page.js";

const field = $("#message"), log = $("#conversation"), draft = `draft ${location.pathname}`;
let sent = "";

if (!field.value) field.value = sessionStorage.getItem(draft) ?? "";
field.addEventListener("input", () => sessionStorage.setItem(draft, field.value));

function pending(text) {
  const turn = document.createElement("article");
  turn.className = "turn pending";
  turn.innerHTML = '<div class="said user"><p dir="auto"></p></div><p class="waiting muted small">waiting for the answer…</p>';
  $("p", turn).textContent = text;
  log.append(turn);
  log.scrollTop = log.scrollHeight;
}

on("htmx:beforeRequest", (event) => {
  if (event.defaultPrevented || event.detail.target !== log) return;
  sent = event.detail.requestConfig.formData.get("message") ?? "";
  pending(sent);
});
on("htmx:afterRequest", (event) => {
  if (event.detail.target !== log) return;
  $(".pending", log)?.remove();
  field.focus();
});

// The end is in sight, but of an answer longer than the page its beginning.
function show() {
  const last = $(".turn:last-of-type", log);
  log.scrollTop = last ? Math.min(log.scrollHeight, last.offsetTop - log.offsetTop - 14) : log.scrollHeight;
}
show();
on("htmx:afterSettle", (event) => { if (event.detail.target === log) show(); });
on("said", () => {
  if (field.value.trim() !== sent.trim()) return;
  field.value = "";
  sessionStorage.removeItem(draft);
});
