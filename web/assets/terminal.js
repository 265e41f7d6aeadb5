// The terminal's page works without this file. With it a sale is on the screen
// the moment it arrives, and the keys do not load the page again.
"use strict";
(() => {
  const live = document.getElementById("live");
  const say = document.getElementById("say");
  const pauseMs = 1000;
  let seen = live.dataset.seen;

  const words = () => live.querySelector("[data-say]")?.dataset.say || "";

  function show(html, now) {
    seen = now;
    const before = words();
    const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
    const reason = live.querySelector("#reason")?.value;
    live.innerHTML = html;
    const select = live.querySelector("#reason");
    if (select && reason) select.value = reason;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    if (words() !== before) say.textContent = words();
  }

  async function look(known) {
    const answer = await fetch(`${live.dataset.live}&seen=${known}`);
    if (answer.status === 200) show(await answer.text(), answer.headers.get("X-Seen"));
    return answer.ok;
  }

  const pause = () => new Promise((done) => setTimeout(done, pauseMs));

  async function follow() {
    for (;;) {
      try {
        if (!(await look(seen))) await pause();
      } catch {
        await pause(); // the sandbox may be starting again
      }
    }
  }

  async function press(form) {
    const button = form.querySelector("button");
    const body = new URLSearchParams(new FormData(form));
    button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body });
      if (!answer.ok) throw new Error(answer.status);
      await look("");
    } catch {
      location.reload();
    }
  }

  live.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-quiet]")) return;
    event.preventDefault();
    press(event.target);
  });
  follow();
})();
