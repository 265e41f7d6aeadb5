// The sandbox acquirer's card form works without this file. With it a test card
// is filled in by one press.
"use strict";
(() => {
  for (const button of document.querySelectorAll("[data-number]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      for (const name of ["number", "holder", "date", "csc"]) {
        const input = document.getElementById(name);
        if (input) input.value = button.dataset[name];
      }
      document.getElementById("number").focus();
    });
  }
})();
