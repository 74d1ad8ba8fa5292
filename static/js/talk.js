import { $ } from "./page.js";

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
