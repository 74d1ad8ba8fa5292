import { $, $$, dialog, on, refresh, toast } from "./page.js";

// Dialogs

let opener = "", changed = false;

function openDialog(by) {
  const box = dialog();
  box.classList.toggle("narrow", Boolean($(".narrow", box)));
  if (!box.open) {
    changed = false;
    opener = ($("summary", by.closest("details.menu") ?? by) ?? by).id;
    box.showModal();
  }
  $("[autofocus]", box)?.focus();
}

on("htmx:afterSwap", (event) => {
  if (!event.detail.target.matches("[data-root]")) return;
  for (const menu of $$("details.menu[open]")) menu.open = false;
  gate(event.detail.target);
  if (event.detail.target.id === "dialog-body") openDialog(event.detail.requestConfig.elt);
});

on("htmx:afterRequest", (event) => {
  changed ||= event.detail.successful && event.detail.requestConfig.verb !== "get" && dialog()?.contains(event.target);
});

on("close", (event) => {
  if (event.target.id !== "dialog") return;
  $("#dialog-body").replaceChildren();
  // A page that does not follow by itself what was changed is asked for anew.
  if (changed && !$("[data-live]")) location.reload();
  refresh();
  // The browser leads back to what opened it, unless that was replaced meanwhile or is out of sight.
  if (document.activeElement === document.body) document.getElementById(opener)?.focus();
}, true);

// Menus close on Escape and on a click elsewhere, the dialog on a click that began beside it

let pressed = null;
on("pointerdown", (event) => { pressed = event.target; });

on("click", (event) => {
  for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  const box = dialog();
  if (box && event.target === box && pressed === box) box.close();
});

on("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of $$("details.menu[open]")) {
      menu.open = false;
      $("summary", menu).focus();
    }
  }
});

// Buttons that say why they are off stay reachable by keyboard, and do nothing

function refuse(event) {
  const off = event.target.closest?.("[aria-disabled=true]");
  if (!off || (event.key && event.key !== "Enter" && event.key !== " ")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (off.title) toast(off.title);
}
on("click", refuse, true);
on("keydown", refuse, true);

// Typing the name of a protected environment unlocks its button

function gate(root) {
  for (const field of $$("[data-confirm]", root)) {
    const button = $("[data-gated]", field.form);
    if (!button) continue;  // Off for another reason.
    const check = () => { button.disabled = field.value.trim() !== field.dataset.confirm; };
    field.addEventListener("input", check);
    check();
  }
}

gate(document);

// Copying, which browsers forbid to pages that came without TLS

on("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.dataset.copy || $("pre, code", button.parentElement).textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return toast("Not copied, for want of https: select it, and press Ctrl+C");
  }
  button.classList.add("copied");
  toast("Copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
});

// Light and dark

on("submit", (event) => {
  if (!event.target.matches("[data-theme-form]")) return;
  event.preventDefault();
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
});

// Filters apply as they are changed, unless they say something only as a whole

on("change", (event) => {
  if (event.target.matches("form.filters:not([data-whole]) select")) event.target.form.requestSubmit();
});
