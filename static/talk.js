// What a chat does better with a script: what was sent stands there at once, and what is typed outlives a lost
// connection, a session that ended and a reload.
"use strict";

(() => {
  const field = document.querySelector("#message"), log = document.querySelector("#conversation");
  const draft = `draft ${location.pathname}`;
  let sent = "";

  if (!field.value) field.value = sessionStorage.getItem(draft) ?? "";
  field.addEventListener("input", () => sessionStorage.setItem(draft, field.value));

  function pending(text) {
    const turn = document.createElement("article"), said = document.createElement("div"), line = document.createElement("p");
    const wait = document.createElement("p");
    turn.className = "turn pending";
    said.className = "said user";
    line.textContent = text;
    line.dir = "auto";
    said.append(line);
    wait.className = "waiting muted small";
    wait.textContent = "waiting for the answer…";
    turn.append(said, wait);
    log.append(turn);
    log.scrollTop = log.scrollHeight;
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.defaultPrevented || event.detail.target !== log) return;
    sent = event.detail.requestConfig.formData.get("message") ?? "";
    pending(sent);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.target !== log) return;
    log.querySelector(".pending")?.remove();
    if (event.detail.failed || event.detail.xhr?.status === 0) field.focus();
  });
  // The end is in sight, but of an answer longer than the page its beginning.
  function show() {
    const last = log.querySelector(".turn:last-of-type");
    if (last) log.scrollTop = Math.min(log.scrollHeight, last.offsetTop - log.offsetTop - 14);
  }
  show();
  document.addEventListener("htmx:afterSettle", (event) => { if (event.detail.target === log) show(); });
  document.addEventListener("said", () => {
    if (field.value.trim() !== sent.trim()) return;
    field.value = "";
    sessionStorage.removeItem(draft);
  });
})();
