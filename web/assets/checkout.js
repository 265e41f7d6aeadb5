// The payment page works without this file. With it the countdown ticks, the
// values can be copied, and the page changes by itself when the payment does.
"use strict";
(() => {
  const main = document.getElementById("main");
  const say = document.getElementById("say");
  const dayMs = 86400000;
  let timers = [];
  // The server's clock minus ours; ours may be wrong by hours.
  let ahead = 0;

  function clock(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const pad = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const rest = pad(Math.floor(seconds / 60) % 60) + ":" + pad(seconds % 60);
    return hours ? hours + ":" + rest : rest;
  }

  function countDown(shown) {
    const due = Number(shown.dataset.due);
    const tick = () => {
      const left = due - (Date.now() + ahead);
      // Days are told by the server's words.
      if (left < dayMs) shown.textContent = clock(left);
      if (left <= 0) clearTimeout(timer);
    };
    const timer = setInterval(tick, 1000);
    timers.push(timer);
    tick();
  }

  function leave(link) {
    timers.push(setTimeout(() => location.assign(link.href), Number(link.dataset.after) * 1000));
  }

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
      return; // the value stands beside the button and can be selected
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

  function start() {
    timers.forEach(clearTimeout); // which ends intervals too
    timers = [];
    const state = document.getElementById("state");
    if (!state) return;
    ahead = Number(state.dataset.now) - Date.now();
    main.querySelectorAll("[data-copy]").forEach((button) => {
      button.hidden = false;
      button.addEventListener("click", () => copy(button));
    });
    main.querySelectorAll("[data-due]").forEach(countDown);
    main.querySelectorAll("a[data-after]").forEach(leave);
  }

  function show(message) {
    const state = document.getElementById("state");
    if (!message.html || (state && state.dataset.version === message.version)) return;
    main.innerHTML = message.html;
    document.title = message.title;
    say.textContent = message.say;
    start();
    if (message.closed) {
      main.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
  }

  function listen(address) {
    const source = new EventSource(address);
    source.onmessage = (event) => {
      const message = JSON.parse(event.data);
      show(message);
      if (message.closed) source.close();
    };
    source.onerror = () => {
      // A lost connection is made again by the browser; a refused one is not.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
    };
  }

  start();
  const state = document.getElementById("state");
  if (main.dataset.events && state) listen(main.dataset.events + "&seen=" + state.dataset.version);
  // The back button may bring the page back as it was left, which is old by now.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
})();
