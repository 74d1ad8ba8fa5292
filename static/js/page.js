// What the modules share.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const on = (name, act, early) => document.addEventListener(name, act, early);
export const dialog = () => $("#dialog");

// A message as the API sends it: what it writes between backticks is something to type.
export function prose(text) {
  return text.split(/`([^`\n]+)`/).map((part, n) => {
    if (n % 2 === 0) return part;
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  });
}

// What is outside of an open dialog can be neither seen nor heard.
const uppermost = () => dialog()?.open ? dialog() : document.body;

export function toast(text) {
  const line = document.createElement("p"), place = $("#toast");
  if (!place) return;
  if (place.parentElement !== uppermost()) uppermost().append(place);
  line.textContent = text;
  place.replaceChildren(line);
  setTimeout(() => line.remove(), Math.max(2500, text.length * 60));
}

export function refresh() {
  for (const live of $$("[data-live]")) window.htmx?.trigger(live, "refresh");
}
