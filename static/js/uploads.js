import { $, $$, prose } from "./page.js";

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
      state.replaceChildren(...prose(text));
      if (link) {
        const anchor = document.createElement("a");
        anchor.href = link;
        anchor.textContent = form.dataset.next;
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
