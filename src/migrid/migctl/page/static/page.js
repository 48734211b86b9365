// A move followed live, and names checked while they are typed. Without this script the page does the same by itself,
// more slowly.
"use strict";

const RETRY = 3000;
const PATIENCE = 5000;
const STOPPED = "This page does not answer just now, as may happen while the application is stopped. "
  + "The move goes on without it, and the page goes on by itself.";

function show(id, text) {
  const element = document.getElementById(id);
  if (element.textContent !== text) element.textContent = text;
}

function silent(text) {
  show("silent", text);
  document.getElementById("silent").hidden = !text;
}

// The browser stays on this page until there is something to load: an error page could not come back by itself.
async function reloadWhenAnswered() {
  try {
    const answer = await fetch(window.location.href, { cache: "no-store" });
    if (answer.ok) return window.location.reload();
  } catch {
    // Nobody answers yet.
  }
  return setTimeout(reloadWhenAnswered, RETRY);
}

// Each way leads there once.
function lead(way) {
  const elsewhere = document.getElementById("elsewhere");
  elsewhere.querySelector("a").href = way;
  elsewhere.hidden = !way;
}

function follow(timeline) {
  const events = new EventSource(timeline.dataset.events);
  const cancel = document.getElementById("cancel");
  let waiting = 0;

  function answered() {
    clearTimeout(waiting);
    waiting = 0;
  }

  function news(event) {
    const data = JSON.parse(event.data);
    answered();
    silent("");
    show("status", data.status);
    timeline.innerHTML = data.timeline; // made by the server, which escapes what comes from elsewhere
    lead(data.way);
    if (cancel) cancel.hidden = !data.may_cancel;
    if (data.log !== undefined) show("log", data.log);
    document.title = data.status;
  }

  events.addEventListener("news", news);
  events.addEventListener("over", (event) => {
    events.close();
    news(event);
    reloadWhenAnswered();
  });
  events.addEventListener("silent", (event) => silent(JSON.parse(event.data).status));
  events.addEventListener("open", answered);
  events.addEventListener("error", () => {
    waiting ||= setTimeout(silent, PATIENCE, STOPPED);
    if (events.readyState === EventSource.CLOSED) reloadWhenAnswered();
  });
}

function check(field) {
  const said = document.getElementById("app-problem");
  let asked = 0;
  let timer = 0;

  async function ask() {
    const grid = field.form.querySelector("[name=grid]:checked");
    const turn = ++asked;
    if (!grid || !field.value) return;
    const query = new URLSearchParams({ grid: grid.value, app: field.value });
    try {
      const answer = await fetch(`${field.dataset.check}?${query}`);
      const { problem } = await answer.json();
      if (turn !== asked) return;
      said.textContent = problem || `${field.value} is free on ${grid.value}.`;
      said.className = problem ? "said bad" : "said good";
    } catch {
      said.textContent = "";
    }
  }

  field.form.addEventListener("input", (event) => {
    if (event.target !== field && event.target.name !== "grid") return;
    clearTimeout(timer);
    timer = setTimeout(ask, 300);
  });
  ask();
}

function busyOnce(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    return form.querySelector("button").setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    delete form.dataset.sent;
    form.querySelector("button").removeAttribute("aria-busy");
  });
}

document.querySelectorAll("[data-events]").forEach(follow);
document.querySelectorAll("[data-check]").forEach(check);
document.querySelectorAll("form[method=post]").forEach(busyOnce);
