import { $, $$, dialog, on } from "./page.js";

// Keys that work on every page, listed by `?`. Whoever needs single keys for something else turns them off there; the
// browser remembers that.

const OFF = "shortcuts-off";
const typing = (element) => element.closest("input, textarea, select, [contenteditable]");
let went = 0;

function act(event) {
  const two = Date.now() - went < 1200;
  went = 0;
  if (two) return $(`.rail [data-key="${CSS.escape(event.key)}"]`);
  if (event.key === "g") went = Date.now();
  if (event.key === "/") return $("#search");
  if (event.key === "?") return $("#shortcuts");
  return null;
}

on("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || dialog()?.open) return;
  if (localStorage.getItem(OFF)) return;
  const found = act(event);
  if (!found) return;
  event.preventDefault();
  if (found.matches("input")) found.select();
  else found.click();
});

on("htmx:afterSwap", (event) => {
  for (const box of $$("[data-shortcuts]", event.detail.target)) box.checked = !localStorage.getItem(OFF);
});

on("change", (event) => {
  if (!event.target.matches("[data-shortcuts]")) return;
  if (event.target.checked) localStorage.removeItem(OFF);
  else localStorage.setItem(OFF, "yes");
});

// What the search found is walked by the arrows, and goes away on Escape or when the focus leaves it

const found = () => $$("#found a");

on("keydown", (event) => {
  const search = event.target.closest(".rail .search");
  if (!search) return;
  if (event.key === "Escape") {
    $("#found").replaceChildren();
    $("#search").focus();
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], links = found();
  if (!step || !links.length) return;
  event.preventDefault();
  const at = links.indexOf(document.activeElement) + step;
  (links[at] ?? $("#search")).focus();
});

on("focusout", (event) => {
  const search = event.target.closest(".rail .search");
  if (search && event.relatedTarget && !search.contains(event.relatedTarget)) $("#found").replaceChildren();
});

on("click", (event) => {
  if (!event.target.closest(".rail .search")) $("#found")?.replaceChildren();
});
