// What the pages do better with a script: dialogs, live parts, copying, uploads with progress. Everything works
// without it, but for progress. Nothing here keeps state: the server's pages are the truth.
"use strict";

document.documentElement.classList.remove("no-js");

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

function toast(text) {
  const line = document.createElement("p");
  line.textContent = text;
  $("#toast").replaceChildren(line);
  setTimeout(() => line.remove(), 2500);
}

// Times

function span(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) {
    const minutes = Math.floor(whole / 60) % 60, hours = Math.floor(whole / 3600);
    return minutes && hours < 10 ? `${hours} h ${minutes} min` : `${hours} h`;
  }
  const days = Math.floor(whole / 86400);
  return days === 1 ? "1 day" : `${days} days`;
}

function tick() {
  if (document.hidden) return;
  for (const time of $$("time[data-ago]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    if (seconds > 30 * 86400) continue;
    const text = seconds < 5 ? "just now" : `${span(seconds)} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
  for (const time of $$("time[data-clock]")) {
    const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time.dateTime)) / 1000));
    time.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}
setInterval(tick, 1000);

// Dialogs

const dialog = () => $("#dialog");

function openDialog() {
  const box = dialog();
  box.classList.toggle("narrow", Boolean($(".narrow", box)));
  if (!box.open) box.showModal();
  $("[autofocus]", box)?.focus();
}

document.addEventListener("htmx:afterSwap", (event) => {
  if (!event.detail.target.matches("[data-root]")) return;
  for (const menu of $$("details.menu[open]")) menu.open = false;
  gate(event.detail.target);
  if (event.detail.target.id === "dialog-body") openDialog();
});

// Live parts: one request asks for all pieces of the page, and only those that changed come back. Nothing is asked
// for in a hidden tab, and a piece in which a menu is open waits.

document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.matches("[data-live]")) return;
  const scope = event.target.closest("dialog") ?? document;
  event.detail.parameters.set("seen", $$("[data-digest]", scope).map((piece) => `${piece.id}:${piece.dataset.digest}`).join(" "));
});

document.addEventListener("htmx:beforeRequest", (event) => {
  const element = event.target;
  const unwatched = element.matches("[data-live]") && (document.hidden || (element.closest("dialog") && !dialog().open));
  const closing = element.matches("details.menu") && !element.open;
  if (unwatched || closing) event.preventDefault();
});

document.addEventListener("htmx:oobBeforeSwap", (event) => {
  if ($("details.menu[open]", event.detail.target)) event.detail.shouldSwap = false;
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  tick();
  for (const live of $$("[data-live]")) window.htmx?.trigger(live, "refresh");
});

document.addEventListener("close", (event) => {
  if (event.target.id !== "dialog") return;
  $("#dialog-body").replaceChildren();
  for (const live of $$("[data-live]")) window.htmx?.trigger(live, "refresh");
}, true);

document.addEventListener("htmx:sendError", () => toast("The control plane cannot be reached"));

// Menus close on Escape and on a click elsewhere

document.addEventListener("click", (event) => {
  for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  const box = dialog();
  if (box && event.target === box) box.close();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of $$("details.menu[open]")) {
      menu.open = false;
      $("summary", menu).focus();
    }
  }
  if (event.key === "/" && !event.target.closest("input, textarea, select") && !dialog()?.open) {
    const search = $("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});

// Buttons that say why they are off stay reachable by keyboard, and do nothing

document.addEventListener("click", (event) => {
  const off = event.target.closest("[aria-disabled=true]");
  if (off) {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (off.title) toast(off.title);
  }
}, true);

// Typing the name of a protected environment unlocks its button

function gate(root) {
  for (const field of $$("[data-confirm]", root)) {
    const button = $("[data-gated]", field.form);
    const check = () => { button.disabled = field.value.trim() !== field.dataset.confirm; };
    field.addEventListener("input", check);
    check();
  }
}

// Copying

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.dataset.copy || $("pre, code", button.parentElement).textContent;
  await navigator.clipboard.writeText(text);
  button.classList.add("copied");
  toast("Copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
});

// Light and dark

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-theme-form]")) return;
  event.preventDefault();
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
});

// Filters apply as they are changed

document.addEventListener("change", (event) => {
  if (event.target.matches("form.filters select")) event.target.form.requestSubmit();
});

// Uploads: one request per archive, with progress, and the exact reason when one is refused

function uploadLine(file) {
  const line = document.createElement("li");
  line.className = "upload sheet";
  line.innerHTML = '<div class="row"><code></code><span class="muted"></span></div><progress max="1" value="0"></progress><p class="state muted">Waiting</p>';
  $("code", line).textContent = file.name;
  $(".muted", line).textContent = file.size < 1e6 ? `${Math.ceil(file.size / 1e3)} kB` : `${(file.size / 1e6).toFixed(1)} MB`;
  return line;
}

function upload(file, form, line) {
  return new Promise((done) => {
    const request = new XMLHttpRequest(), state = $(".state", line), bar = $("progress", line);
    const finish = (tone, text, link) => {
      bar.remove();
      state.className = `state ${tone}`;
      state.textContent = text;
      if (link) {
        const anchor = document.createElement("a");
        anchor.href = link;
        anchor.textContent = "Open it";
        state.append(" ", anchor);
      }
      done();
    };
    request.upload.onprogress = (event) => {
      bar.value = event.loaded / event.total;
      state.textContent = event.loaded < event.total ? `${Math.round((100 * event.loaded) / event.total)} %` : "Checking the archive";
    };
    request.onerror = () => finish("bad", "The connection broke off. Nothing was stored; try again.");
    request.onload = () => {
      const answer = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300) {
        const name = answer.model ?? answer.id;
        const text = request.status === 201 ? "Stored" : "Is here already, the same bytes";
        finish("good", `${text}.`, form.dataset.open?.replace("__name__", encodeURIComponent(name)));
      } else {
        finish("bad", answer.message ?? answer.detail ?? `Refused (${request.status}).`);
      }
    };
    const body = new FormData();
    body.append(form.dataset.field, file, file.name);
    request.open("POST", form.dataset.upload);
    request.setRequestHeader("X-CSRFToken", document.body.dataset.csrf);
    request.send(body);
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

async function uploadAll(files, form) {
  const list = $("[data-uploads]");
  const lines = [...files].map((file) => [file, list.appendChild(uploadLine(file))]);
  for (const [file, line] of lines) await upload(file, form, line);
}

for (const form of $$("form[data-upload]")) {
  const input = $("input[type=file]", form), zone = $(".drop", form);
  input.multiple = true;
  const take = (files) => { if (files.length) uploadAll(files, form); };
  input.addEventListener("change", () => { take([...input.files]); input.value = ""; });
  form.addEventListener("submit", (event) => { event.preventDefault(); take([...input.files]); });
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => { event.preventDefault(); take([...event.dataTransfer.files]); });
}

gate(document);

// The newest message is in sight, and the field has the focus again

function toTheEnd() {
  const log = $(".talk");
  if (log) log.scrollTop = log.scrollHeight;
}
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.id !== "conversation") return;
  toTheEnd();
  $("#message").focus();
});
toTheEnd();
