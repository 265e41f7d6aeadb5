// The start page of the sandbox works without this file. With it the story of
// the payment follows by itself, paying does not load the page again, and the
// keys can be copied.
"use strict";
(() => {
  const live = document.getElementById("live");
  const say = document.getElementById("say");
  const everyMs = 1000;

  // The clipboard is for secure pages only; elsewhere a selection is copied.
  async function toClipboard(text) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("copy");
  }

  async function copy(button) {
    try {
      await toClipboard(button.dataset.copy);
    } catch {
      return; // the text stands beside the button and can be selected
    }
    const label = button.querySelector("[data-label]");
    const before = label.dataset.label || label.textContent;
    label.dataset.label = before;
    label.textContent = button.dataset.done;
    button.classList.add("done");
    say.textContent = button.dataset.done;
    clearTimeout(button.timer);
    button.timer = setTimeout(() => {
      label.textContent = before;
      button.classList.remove("done");
    }, 2000);
  }

  // As the browser writes it, which is not as the server did.
  function written(html) {
    const box = document.createElement("div");
    box.innerHTML = html;
    return box.innerHTML;
  }
  let shown = live?.innerHTML;

  const state = () => live.querySelector("[data-say]")?.dataset.say || "";

  // What the visitor has opened or stands on stays so when the part is new.
  function show(html) {
    const news = written(html);
    if (news === shown) return;
    shown = news;
    const before = state();
    const open = new Map([...live.querySelectorAll("[data-keep]")].map((d) => [d.dataset.keep, d.open]));
    const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
    live.innerHTML = html;
    for (const d of live.querySelectorAll("[data-keep]")) {
      if (open.has(d.dataset.keep)) d.open = open.get(d.dataset.keep);
    }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    if (state() === before) return;
    say.textContent = state();
    list();
  }

  // The list of payments shows the new state too.
  function list() {
    const id = live.querySelector("[data-payment]").dataset.payment;
    const old = document.querySelector(`#recent [data-payment="${id}"] .badge`);
    old?.replaceWith(live.querySelector(".big .badge").cloneNode(true));
  }

  async function refresh() {
    const answer = await fetch(live.dataset.live);
    if (answer.ok) show(await answer.text());
  }

  async function follow() {
    try {
      if (!document.hidden) await refresh();
    } catch {
      // The sandbox may be starting again; the next look will tell.
    }
    setTimeout(follow, everyMs);
  }

  async function send(form, button) {
    const body = new URLSearchParams(new FormData(form, button));
    button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body });
      if (!answer.ok) throw new Error(answer.status);
      await refresh();
    } catch {
      location.reload();
    } finally {
      button.disabled = false;
    }
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
  if (!live) return; // the other pages only have values to copy
  live.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-quiet]") || !event.submitter) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });
  if (live.dataset.live.includes("payment=")) follow();
})();
