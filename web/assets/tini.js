// The Tini App simulator around the phone: what the app's calls ended with, and
// the switch of the phone's network.
"use strict";
(() => {
  const phone = document.getElementById("phone");
  const log = document.getElementById("log");
  const empty = document.getElementById("log-empty");

  addEventListener("message", (event) => {
    if (event.origin !== location.origin || event.source !== phone.contentWindow || !event.data || event.data.tini !== "log") return;
    const { name, outcome, value } = event.data;
    const line = document.createElement("li");
    line.className = outcome;
    line.append(Object.assign(document.createElement("b"), { textContent: name }), " ",
      Object.assign(document.createElement("span"), { className: "outcome", textContent: outcome }), " ",
      Object.assign(document.createElement("code"), { textContent: value }));
    log.prepend(line);
    empty.hidden = true;
  });

  document.getElementById("offline").addEventListener("change", (event) => {
    phone.contentWindow.postMessage({ tini: "offline", value: event.target.checked }, location.origin);
  });

  document.getElementById("restart").addEventListener("click", () => {
    document.getElementById("offline").checked = false;
    phone.contentWindow.location.reload();
  });

  document.getElementById("sign-out").addEventListener("click", () => {
    sessionStorage.removeItem("thungan.tini.token");
    phone.contentWindow.location.reload();
  });
})();
