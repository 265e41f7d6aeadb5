// Sends the payer on to the acquirer when an address alone is not enough: by a
// form, or by the acquirer's own script. A plain address needs no script.
"use strict";
(() => {
  document.querySelector("form[data-go]")?.submit();
  const button = document.querySelector("[data-session]");
  if (!button) return;
  const go = () => {
    if (!window.Checkout) return;
    window.Checkout.configure({ session: { id: button.dataset.session } });
    window.Checkout.showPaymentPage();
  };
  button.addEventListener("click", go);
  // Deferred scripts run in order, and the acquirer's stands further down.
  window.addEventListener("load", go);
})();
