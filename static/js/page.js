// What the modules share.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
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

export function toast(text) {
  const line = document.createElement("p");
  line.textContent = text;
  $("#toast")?.replaceChildren(line);
  setTimeout(() => line.remove(), 2500);
}

export function refresh() {
  for (const live of $$("[data-live]")) window.htmx?.trigger(live, "refresh");
}
