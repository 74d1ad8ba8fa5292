import { $, $$, dialog, on, refresh } from "./page.js";

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

// Live parts: one request asks for all pieces of the page, and only those that changed come back. Nothing is asked
// for in a hidden tab, and a piece in which a menu is open waits.

on("htmx:configRequest", (event) => {
  if (!event.target.matches("[data-live]")) return;
  const scope = event.target.closest("dialog") ?? document;
  event.detail.parameters.set("seen", $$("[data-digest]", scope).map((piece) => piece.dataset.digest).join(" "));
});

on("htmx:beforeRequest", (event) => {
  const element = event.target;
  const unwatched = element.matches("[data-live]") && (document.hidden || (element.closest("dialog") && !dialog().open));
  const closing = element.matches("details.menu") && !element.open;
  if (unwatched || closing) event.preventDefault();
});

on("htmx:oobBeforeSwap", (event) => {
  if ($("details.menu[open]", event.detail.target)) event.detail.shouldSwap = false;
});

// The link that has the focus has it in the new piece too.

let focused = null;
on("htmx:oobBeforeSwap", (event) => {
  const piece = event.detail.target, at = document.activeElement;
  focused = !at.id && at.href && piece.contains(at) ? { id: piece.id, address: at.getAttribute("href") } : null;
});
on("htmx:oobAfterSwap", () => {
  if (!focused) return;
  $$(`#${CSS.escape(focused.id)} a`).find((link) => link.getAttribute("href") === focused.address)?.focus();
  focused = null;
});

on("visibilitychange", () => {
  if (document.hidden) return;
  tick();
  refresh();
});

// The one sentence stands in the title of the tab and in its icon too, and is said when it changes: not with each poll.

on("htmx:oobAfterSwap", () => {
  const verdict = $("[data-said]"), announced = $("#announced");
  if (!verdict || announced.dataset.said === verdict.dataset.said) return;
  if (announced.dataset.said) announced.textContent = verdict.dataset.said;
  announced.dataset.said = verdict.dataset.said;
  document.title = [verdict.dataset.title, ...document.title.split(" · ").slice(-2)].join(" · ");
  $("link[rel=icon]").href = verdict.dataset.icon;
});

// Logs follow what is printed as long as their end is in view, and let go of what is long past

const LONGEST_LOG = 2_000_000;
const toEnd = (log) => { log.scrollTop = log.scrollHeight; };
for (const log of $$("[data-follow]")) toEnd(log);

on("htmx:oobBeforeSwap", (event) => {
  const log = event.detail.target;
  if (log.matches("[data-follow]")) log.toggleAttribute("data-at-end", log.scrollHeight - log.scrollTop - log.clientHeight < 24);
});

on("htmx:oobAfterSwap", (event) => {
  const log = event.detail.target;
  if (!log.matches("[data-follow]") || !log.hasAttribute("data-at-end")) return;
  let length = log.textContent.length;
  while (length > LONGEST_LOG && log.childNodes.length > 1) {
    length -= log.firstChild.textContent.length;
    log.firstChild.remove();
  }
  toEnd(log);
});
