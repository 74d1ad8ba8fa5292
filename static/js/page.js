// What the modules share.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const dialog = () => $("#dialog");

export function toast(text) {
  const line = document.createElement("p");
  line.textContent = text;
  $("#toast")?.replaceChildren(line);
  setTimeout(() => line.remove(), 2500);
}

export function refresh() {
  for (const live of $$("[data-live]")) window.htmx?.trigger(live, "refresh");
}
