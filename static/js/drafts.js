import { $, $$, on, toast } from "./page.js";

// What one typed into a field that says so (`data-keep`) is kept in this tab until it was sent: a session that ends, a
// reload or the network do not take it. Never of fields with secrets.

const name = (field) => `kept ${field.form.getAttribute("action") ?? location.pathname} ${field.name} ${field.dataset.keep}`;

on("input", (event) => {
  if (event.target.matches("[data-keep]")) sessionStorage.setItem(name(event.target), event.target.value);
});

export function restore(root) {
  for (const field of $$("[data-keep]", root)) {
    const kept = sessionStorage.getItem(name(field));
    if (!kept || field.value !== field.defaultValue || kept === field.value) continue;
    field.value = kept;
    if (field.defaultValue) toast("What you typed here before is back");
  }
}

function forget(form) {
  for (const field of $$("[data-keep]", form)) sessionStorage.removeItem(name(field));
}

on("htmx:afterSwap", (event) => restore(event.detail.target));
on("htmx:afterRequest", (event) => {
  const sent = event.detail.requestConfig.verb !== "get" && event.target.matches("form");
  if (sent && event.detail.successful && !event.detail.xhr.getResponseHeader("HX-Redirect")) forget(event.target);
});

// A form that a page answers is sent when the next page is not the sign-in.

const SENT = "sent";
for (const key of JSON.parse(sessionStorage.getItem(SENT) ?? "[]")) {
  if (!document.body.matches(".signs-in")) sessionStorage.removeItem(key);
}
if (!document.body.matches(".signs-in")) sessionStorage.removeItem(SENT);

// Twice sent is once meant: until there is an answer, a form is not sent again.

on("submit", (event) => {
  const form = event.target;
  if (form.getAttribute("method") !== "post" || event.defaultPrevented) return;
  if (form.dataset.sending) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  if (form.hasAttribute("hx-post") || form.matches("[data-theme-form], [data-upload]")) return;
  form.dataset.sending = "yes";
  form.ariaBusy = "true";
  sessionStorage.setItem(SENT, JSON.stringify($$("[data-keep]", form).map(name)));
}, true);

on("htmx:beforeRequest", (event) => {
  if (event.defaultPrevented || event.target.matches("[data-live]")) return;
  event.target.ariaBusy = "true";
  if (event.target.matches("form[hx-post]")) event.target.dataset.sending = "yes";
});

function answered(element) {
  delete element.dataset.sending;
  element.ariaBusy = null;
}
on("htmx:afterRequest", (event) => answered(event.target));
addEventListener("pageshow", () => $$("[data-sending]").forEach(answered));

// The session ended while a page was open: the page stays, with what was typed, and says how to go on. The network
// broke off: the page says so until it is back.

function notice(id, on) {
  const line = $(id);
  if (line) line.hidden = !on;
}

on("htmx:beforeOnLoad", (event) => {
  const signedOut = event.detail.xhr.getResponseHeader("HX-Redirect")?.startsWith("/sign-in/");
  notice("#signed-out", signedOut);
  notice("#away", event.detail.xhr.status >= 502 && !isOurs(event.detail.xhr));
  if (signedOut) event.preventDefault();
});

// A fault is told where its answer was to be, or for the control plane where only a proxy is left.

const isOurs = (xhr) => xhr.responseText.includes("data-problem");

on("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  if (xhr.status < 500 || event.target.matches("[data-live]")) return;
  event.detail.shouldSwap = isOurs(xhr) && target.matches("[data-root], .menu-body");
  if (!event.detail.shouldSwap) toast("The control plane does not answer. Try again");
});
let leaving = false;
addEventListener("beforeunload", () => { leaving = true; });
addEventListener("pageshow", () => { leaving = false; });
on("htmx:sendError", (event) => {
  if (leaving) return;
  notice("#away", true);
  if (!event.target.matches("[data-live]")) toast("The control plane cannot be reached");
});

restore(document);
