// The JS API of Tini Apps, as far as it has to do with signing in and paying:
// my.getAuthCode, my.isLoggedIn, my.getUserInfo, my.makePayment,
// my.makePaymentV2, my.alert.
//
//   <script src="https://GATEWAY/tini/my.js" data-app="APP IDENTIFIER"></script>
//
// What differs from one container to the next, such as the login screen and how
// the payment page is shown, is a host that my.configure replaces. Its types are
// in my.d.ts, beside this file.
//
// A callback is a hint: the IPN or GET /order says what really happened.
(() => {
  "use strict";

  const script = document.currentScript;
  const POLL_MS = 1500; // between looks at an order that is being paid
  const SHOW_MS = 1200; // how long the result stays on the payment page
  const LAST_LOOKS = 4; // at an order whose payment page was closed
  const TOKEN = "thungan.tini.token";

  // The default host: a tab of its own for the payment page, nobody to log in.
  const host = {
    app: (script && script.dataset.app) || "",
    gateway: script ? new URL(script.src).origin : location.origin,
    platform: "mobile-ios",
    token: {
      get: () => sessionStorage.getItem(TOKEN) || "",
      set: (token) => (token ? sessionStorage.setItem(TOKEN, token) : sessionStorage.removeItem(TOKEN)),
    },
    fetch: (url, options) => fetch(url, options),
    login: () => Promise.reject(new Error("there is no login screen")),
    open: openTab,
    alert: ({ title, content }) => window.alert([title, content].filter(Boolean).join("\n\n")),
    log: () => {},
  };

  function openTab(url) {
    const tab = window.open(url, "_blank");
    if (!tab) throw fault(400, "The payment page could not be opened.");
    const closed = new Promise((resolve) => {
      const timer = setInterval(() => {
        if (!tab.closed) return;
        clearInterval(timer);
        resolve();
      }, 300);
    });
    return { closed, close: () => tab.close() };
  }

  // What fail gets: the message, as documented, with what other calls of the
  // API have: error and errorMessage.
  function fault(error, message) {
    const text = new String(message);
    text.error = error;
    text.errorMessage = message;
    return text;
  }

  function asFault(e) {
    if (e instanceof String) return e;
    return fault(500, (e && e.message) || String(e));
  }

  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // One call of the API: success or fail, then complete.
  function run(name, options, work) {
    const given = options && typeof options === "object" ? options : {};
    const tell = (callback, value) => {
      if (typeof callback !== "function") return;
      try {
        callback(value);
      } catch (e) {
        setTimeout(() => { throw e; }); // the app's own fault; ours goes on
      }
    };
    const end = (outcome, value) => {
      host.log({ name, outcome, value: value instanceof String ? String(value) : value });
      tell(given[outcome], value);
      tell(given.complete, value);
    };
    Promise.resolve().then(() => work(given)).then((value) => end("success", value), (e) => end("fail", asFault(e)));
  }

  // The container's GraphQL.
  async function ask(query, variables) {
    let answer;
    try {
      const response = await host.fetch(host.gateway + "/tiniapp/api/graphql/query", {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          "X-Tiki-Access-Token": host.token.get(),
          "X-TiniApp-Id": host.app,
          "X-TiniApp-Platform": host.platform,
        },
        body: JSON.stringify({ query, variables }),
        cache: "no-store",
      });
      answer = await response.json();
    } catch {
      throw fault("network", "Network error.");
    }
    const first = answer.errors && answer.errors[0];
    if (!first) return answer.data;
    const { reason, code } = first.extensions || {};
    if (reason === "invalid_token") {
      host.token.set("");
      throw fault(401, "Login failed.");
    }
    throw fault(code || 400, first.message);
  }

  // A signed-in customer, by the login screen when there is none yet.
  async function login() {
    if (host.token.get()) return;
    let token;
    try {
      token = await host.login();
    } catch {
      token = "";
    }
    if (!token) throw fault(401, "Login failed.");
    host.token.set(token);
  }

  function needLogin() {
    if (!host.token.get()) throw fault(401, "The user is not logged in.");
  }

  async function authCode(scopes) {
    const list = typeof scopes === "string" ? scopes.split(/[\s,]+/).filter(Boolean) : Array.isArray(scopes) ? scopes.map(String) : [];
    for (let again = false; ; again = true) {
      await login();
      try {
        const data = await ask(
          "query get_auth_code($input: AuthCodeInput) { get_auth_code(input: $input) { code scopes } }",
          { input: { app_identifier: host.app, tiki_token: host.token.get(), scopes: list } },
        );
        const granted = data.get_auth_code.scopes;
        const refused = list.filter((scope) => !granted.includes(scope));
        return {
          authCode: data.get_auth_code.code,
          authSuccessScopes: granted,
          authErrorScopes: Object.fromEntries(refused.map((scope) => [scope, "1"])), // the app may not ask for it
        };
      } catch (e) {
        if (again || !(e instanceof String) || e.error !== 401) throw e; // a session that ended is begun again, once
      }
    }
  }

  function orderID(options) {
    const id = options.orderId;
    if (typeof id !== "string" || id === "") throw fault(400, "orderId has to be a string.");
    return id;
  }

  async function startPaying(order, config) {
    const data = await ask(
      "mutation make_payment($order_id: String!, $config: TransactionConfig) { make_payment(order_id: $order_id, config: $config) { redirect_url { web app } } }",
      { order_id: order, config },
    );
    return data.make_payment.redirect_url;
  }

  async function lookAt(order) {
    const data = await ask("query order_get($id: GlobalID!) { order_get(id: $id) { status tiki_order_code } }", { id: "urn:order:order:" + order });
    return data.order_get;
  }

  const isPaid = (status) => status === "online_paid" || status === "completed" || status === "processing" || status === "on_delivery";

  async function makePayment(options) {
    const order = orderID(options);
    needLogin();
    const method = options.paymentMethod === "banktransfer" ? "bank_transfer" : options.paymentMethod;
    const config = { return_url: { url: "", app: "", should_redirect: true }, countdown: 600 };
    if (method) config.payment_method = method;
    const to = await startPaying(order, config);
    if (method === "cod" || method === "bank_transfer") return "success";
    if (to.app.startsWith("tikivn://sandbox-payment")) {
      if (new URLSearchParams(to.app.split("?")[1]).get("status") === "succeed") return "success";
      throw fault(400, "Payment failed.");
    }
    return watch(order, new URL(to.app).searchParams.get("ref_id") || "", await host.open(to.web));
  }

  // Waits until the order is paid or canceled, or the customer closes the page.
  async function watch(order, code, page) {
    const failed = () => fault(400, "Payment failed. Order ID: " + code);
    let closed = false;
    page.closed.then(() => { closed = true; });
    for (let looks = 0; ;) {
      let seen = null;
      try {
        seen = await lookAt(order);
      } catch (e) {
        if (!(e instanceof String) || e.error !== "network") {
          page.close();
          throw e;
        }
      }
      if (seen && (isPaid(seen.status) || seen.status === "canceled")) {
        if (!closed) await Promise.race([sleep(SHOW_MS), page.closed]);
        page.close();
        if (isPaid(seen.status)) return "success";
        throw failed();
      }
      if (closed) {
        looks++;
        if (seen && looks > 1) throw failed(); // looked at once more: money and the close button race
        if (looks >= LAST_LOOKS) throw fault("network", "Network error. Nobody could be asked what became of order " + order + ".");
      }
      await Promise.race([sleep(POLL_MS), closed ? sleep(POLL_MS) : page.closed]);
    }
  }

  async function makePaymentV2(options) {
    const order = orderID(options);
    needLogin();
    const to = await startPaying(order, {
      return_url: { url: "", app: "tiki://", should_redirect: false }, payment_provider: "widgetpayment", countdown: 600,
    });
    const ref = new URLSearchParams(to.app.split("?")[1]).get("ref_id") || "";
    if (!to.app.startsWith("tikivn://")) host.open(to.web);
    return ref;
  }

  async function userInfo() {
    needLogin();
    const { customer } = await ask("query customer { customer { id name avatar email phone } }", {});
    return {
      customerId: customer.id, name: customer.name, avatar: customer.avatar, email: customer.email, phone: customer.phone, phoneNumber: customer.phone,
    };
  }

  window.my = {
    configure: (own) => { Object.assign(host, own); },
    getAuthCode: (options) => run("my.getAuthCode", options, (o) => authCode(o.scopes)),
    isLoggedIn: (options) => run("my.isLoggedIn", options, () => Boolean(host.token.get())),
    getUserInfo: (options) => run("my.getUserInfo", options, userInfo),
    makePayment: (options) => run("my.makePayment", options, makePayment),
    makePaymentV2: (options) => run("my.makePaymentV2", options, makePaymentV2),
    alert: (options) => run("my.alert", options, async (o) => {
      await host.alert({ title: text(o.title), content: text(o.content), buttonText: text(o.buttonText) });
    }),
  };

  function text(value) {
    if (value === undefined || value === null) return "";
    return typeof value === "object" && !(value instanceof String) ? JSON.stringify(value) : String(value);
  }
})();
