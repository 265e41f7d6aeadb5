// What a Tini App's scripts and template need around them, in the sandbox's
// phone: App, Page, getApp, setData, and a host for /tini/my.js with a login
// screen, the payment page and a network that can be lost. The app's scripts run
// as they are.
"use strict";
(() => {
  const phone = document.currentScript.dataset;
  const screen = document.getElementById("screen");
  const sheet = document.getElementById("sheet");
  const words = JSON.parse(phone.words);
  let offline = false;

  // ---- the container's host ----

  function log(entry) {
    parent.postMessage({ tini: "log", ...entry, value: show(entry.value) }, location.origin);
  }

  function show(value) {
    return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
  }

  function make(tag, props, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props || {})) {
      if (name === "class") node.className = value;
      else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }

  // One sheet over the app at a time; closing it gives the focus back.
  function openSheet(kind, label, ...children) {
    const before = document.activeElement;
    sheet.replaceChildren(...children);
    sheet.className = "sheet " + kind;
    sheet.setAttribute("aria-label", label);
    sheet.hidden = false;
    screen.inert = true;
    (sheet.querySelector("[autofocus]") || sheet).focus();
    return () => {
      sheet.hidden = true;
      sheet.replaceChildren();
      screen.inert = false;
      if (before) before.focus();
    };
  }

  function login() {
    return new Promise((resolve, reject) => {
      const id = make("input", { name: "customer_id", value: phone.customer, inputmode: "numeric", maxlength: "18", autocomplete: "off", "aria-label": words.customer });
      const problem = make("p", { class: "problem", role: "alert", hidden: "" });
      const close = openSheet("login", words.login, make("form", { onsubmit: submit },
        make("h2", {}, words.login), make("p", { class: "quiet" }, words.loginText),
        make("label", {}, make("span", {}, words.customer), id), problem,
        make("button", { class: "button main", autofocus: "" }, words.loginYes),
        make("button", { class: "button", type: "button", onclick: () => { close(); reject(new Error("refused")); } }, words.loginNo)));
      async function submit(event) {
        event.preventDefault();
        try {
          const answer = await reach("/sandbox/tiki/user-tokens", {
            method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ customer_id: id.value.trim() }),
          });
          const body = await answer.json();
          if (!answer.ok) throw new Error(Object.values(body.error.fields).flat()[0] || body.error.message);
          close();
          resolve(body.access_token);
        } catch (e) {
          problem.textContent = e.message;
          problem.hidden = false;
        }
      }
    });
  }

  function open(url) {
    return new Promise((ready) => {
      let done;
      const closed = new Promise((resolve) => { done = resolve; });
      const frame = make("iframe", { src: url, title: words.pay });
      const shut = openSheet("pay", words.pay,
        make("header", {}, make("button", { class: "close", type: "button", "aria-label": words.close, autofocus: "", onclick: close }, "×"), make("b", {}, words.pay)),
        frame);
      function close() {
        if (!frame.isConnected) return;
        shut();
        done();
      }
      ready({ closed, close });
    });
  }

  function alert({ title, content, buttonText }) {
    return new Promise((resolve) => {
      const close = openSheet("alert", title || words.notice, make("div", { class: "box", role: "alertdialog" },
        make("h2", {}, title), make("p", {}, content),
        make("button", { class: "button main", type: "button", autofocus: "", onclick: () => { close(); resolve(); } }, buttonText || "OK")));
    });
  }

  function reach(url, options) {
    return offline ? Promise.reject(new TypeError("offline")) : fetch(url, options);
  }

  my.configure({ app: phone.app, fetch: reach, login, open, alert, log });

  addEventListener("message", (event) => {
    if (event.origin !== location.origin || event.source !== parent || !event.data) return;
    if (event.data.tini === "offline") {
      offline = Boolean(event.data.value);
      document.body.classList.toggle("offline", offline);
    }
  });

  addEventListener("error", (event) => log({ name: "error", outcome: "fail", value: event.message }));

  // ---- App, Page, getApp ----

  let app = {};
  let launched = false;

  window.App = (options) => {
    app = options || {};
    launched = true;
    call(app, "onLaunch", {});
    call(app, "onShow", {});
  };
  window.getApp = () => app;

  function call(on, name, ...args) {
    if (typeof on[name] !== "function") return undefined;
    return on[name](...args);
  }

  let page = null;

  window.Page = (options) => {
    page = Object.assign(Object.create(null), options);
    page.data = structuredClone(options.data || {});
    page.setData = function setData(patch, callback) {
      for (const [path, value] of Object.entries(patch || {})) put(this.data, path, value);
      render();
      if (typeof callback === "function") callback.call(this);
    };
  };

  // put writes to "a.b[0].c".
  function put(data, path, value) {
    const keys = path.split(/[.[\]]+/).filter(Boolean);
    const last = keys.pop();
    for (const key of keys) {
      if (typeof data[key] !== "object" || data[key] === null) data[key] = {};
      data = data[key];
    }
    data[last] = value;
  }

  // ---- the template ----

  let template = null;

  const elements = { view: "div", text: "span", button: "button", image: "img", img: "img", input: "input", label: "label" };
  const events = { ontap: "click", oninput: "input", onconfirm: "change", onchange: "change" };

  function render() {
    if (!page || !template) return;
    const focus = document.activeElement && screen.contains(document.activeElement) ? [...screen.querySelectorAll("*")].indexOf(document.activeElement) : -1;
    screen.replaceChildren(...[...template.childNodes].flatMap((node) => draw(node, page.data)));
    if (focus >= 0) {
      const again = screen.querySelectorAll("*")[focus];
      if (again) again.focus();
    }
  }

  function draw(node, data) {
    if (node.nodeType === Node.TEXT_NODE) return [document.createTextNode(fill(node.data, data))];
    if (node.nodeType !== Node.ELEMENT_NODE) return [];
    const list = node.getAttribute("tiki:for");
    if (list === null) return drawOne(node, data);
    const item = node.getAttribute("tiki:for-item") || "item", index = node.getAttribute("tiki:for-index") || "index";
    const values = evaluate(inner(list), data);
    return (Array.isArray(values) ? values : []).flatMap((value, i) => drawOne(node, { ...data, [item]: value, [index]: i }));
  }

  function drawOne(node, data) {
    const condition = node.getAttribute("tiki:if");
    if (condition !== null && !evaluate(inner(condition), data)) return [];
    const children = [...node.childNodes].flatMap((child) => draw(child, data));
    const name = node.localName;
    if (name === "block") return children;
    const out = document.createElement(elements[name] || "div");
    if (name === "button") out.type = "button";
    for (const { name: key, value } of node.attributes) {
      const method = page[value];
      if (events[key] && typeof method === "function") {
        out.addEventListener(events[key], (event) => method.call(page, {
          type: key.slice(2), target: { dataset: { ...out.dataset } }, currentTarget: { dataset: { ...out.dataset } }, detail: { value: event.target.value },
        }));
      } else if (key === "class" || key === "id" || key === "placeholder" || key === "type" || key === "alt" || key.startsWith("data-") || key.startsWith("aria-")) {
        out.setAttribute(key, fill(value, data));
      } else if (key === "src" && /^(https?:|\/|data:image\/)/.test(fill(value, data))) {
        out.src = fill(value, data);
      } else if (key === "value") {
        out.value = fill(value, data);
      } else if (key === "disabled") {
        out.disabled = Boolean(evaluate(inner(value) || "true", data));
      }
    }
    out.append(...children);
    return [out];
  }

  const inner = (text) => text.trim().replace(/^\{\{([\s\S]*)\}\}$/, "$1");

  function fill(text, data) {
    return text.replace(/\{\{([\s\S]*?)\}\}/g, (_, expression) => {
      const value = evaluate(expression, data);
      return value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    });
  }

  // evaluate reads an expression of a template. The page's policy allows no
  // eval, and a template needs little: paths, literals, operators.
  function evaluate(expression, data) {
    const tokens = expression.match(/"[^"]*"|'[^']*'|\d+(?:\.\d+)?|[\w$]+|===|!==|==|!=|<=|>=|&&|\|\||[^\s\w]/g) || [];
    let at = 0;
    const skip = (token) => tokens[at] === token && ++at > 0;
    const levels = [["||"], ["&&"], ["===", "!==", "==", "!="], ["<=", ">=", "<", ">"], ["+", "-"], ["*", "/", "%"]];
    const apply = {
      "||": (a, b) => a || b, "&&": (a, b) => a && b, "===": (a, b) => a === b, "!==": (a, b) => a !== b, "==": (a, b) => a == b, "!=": (a, b) => a != b,
      "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "<": (a, b) => a < b, ">": (a, b) => a > b,
      "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b, "%": (a, b) => a % b,
    };
    function choice() {
      const value = binary(0);
      if (!skip("?")) return value;
      const yes = choice();
      skip(":");
      const no = choice();
      return value ? yes : no;
    }
    function binary(level) {
      if (level === levels.length) return unary();
      let value = binary(level + 1);
      while (levels[level].includes(tokens[at])) value = apply[tokens[at++]](value, binary(level + 1));
      return value;
    }
    function unary() {
      if (skip("!")) return !unary();
      if (skip("-")) return -unary();
      let value = primary();
      for (;;) {
        if (skip(".")) value = value?.[tokens[at++]];
        else if (skip("[")) { const key = choice(); skip("]"); value = value?.[key]; }
        else return value;
      }
    }
    function primary() {
      const token = tokens[at++];
      if (token === undefined) return undefined;
      if (token === "(") { const value = choice(); skip(")"); return value; }
      if (/^["']/.test(token)) return token.slice(1, -1);
      if (/^\d/.test(token)) return Number(token);
      if (token === "true" || token === "false") return token === "true";
      if (token === "null" || token === "undefined") return undefined;
      return Object.hasOwn(data, token) ? data[token] : undefined;
    }
    return choice();
  }

  addEventListener("DOMContentLoaded", async () => {
    const answer = await fetch(phone.template);
    template = new DOMParser().parseFromString("<body>" + (await answer.text()), "text/html").body;
    if (!launched) call(app, "onLaunch", {});
    if (!page) {
      screen.textContent = words.noPage;
      return;
    }
    call(page, "onLoad", {});
    call(page, "onShow");
    render();
    call(page, "onReady");
    document.body.dataset.ready = "1";
  });
})();
