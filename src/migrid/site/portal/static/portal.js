// Uploads with progress. Without this script the form sends the same files by itself.
"use strict";

const form = document.getElementById("upload");

function upload(file, line) {
  const path = [form.dataset.path, encodeURIComponent(file.name)].filter(Boolean).join("/");
  const bar = line.querySelector("progress");
  const request = new XMLHttpRequest();
  request.open("PUT", `${form.dataset.put}?path=${encodeURIComponent(path)}`);
  request.setRequestHeader("X-Form-Token", form.elements.form_token.value);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable && event.total > 0) bar.value = event.loaded / event.total;
  });
  return new Promise((resolve) => {
    request.addEventListener("loadend", () => resolve(request.status));
    request.send(file);
  });
}

function lineFor(file) {
  const line = document.createElement("li");
  const bar = document.createElement("progress");
  line.textContent = file.name;
  bar.value = 0;
  bar.setAttribute("aria-label", file.name);
  line.append(bar);
  form.querySelector(".progress").append(line);
  return line;
}

const PROBLEMS = { 409: "is there already", 403: "is not allowed here", 507: "does not fit", 0: "was interrupted" };

async function uploadAll(event) {
  event.preventDefault();
  let failed = 0;
  for (const file of form.elements.files.files) {
    const line = lineFor(file);
    const status = await upload(file, line);
    if (status === 201) continue;
    failed += 1;
    line.className = "problem";
    line.textContent = `${file.name} ${PROBLEMS[status] || "could not be stored"}.`;
  }
  if (failed === 0) window.location.reload();
}

if (form) form.addEventListener("submit", uploadAll);
