// The keys, the copy buttons, the reader's time zone and what is shown while the connection is away. Pages work without it.
"use strict";

(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.includes(`console_zone=${encodeURIComponent(zone)}`)) {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `console_zone=${encodeURIComponent(zone)}; path=/console; max-age=31536000; samesite=lax${secure}`;
  }

  const isWriting = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;
  let afterG = 0;
  let row = -1;

  const rows = () => [...document.querySelectorAll("main table:not(.taccount) tbody tr")];

  const moveTo = (next) => {
    const all = rows();
    if (all.length === 0) return;
    row = Math.max(0, Math.min(all.length - 1, next));
    all.forEach((one, index) => one.classList.toggle("at", index === row));
    const link = all[row].querySelector("a");
    if (link) link.focus({ preventScroll: true });
    all[row].scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (isWriting(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (Date.now() - afterG < 1500 && /^[a-z]$/.test(event.key)) {
      const link = document.querySelector(`.menu a[data-letter="${event.key}"]`);
      afterG = 0;
      if (link) {
        event.preventDefault();
        link.click();
      }
      return;
    }
    switch (event.key) {
      case "/":
        event.preventDefault();
        document.getElementById("search")?.select();
        document.getElementById("search")?.focus();
        break;
      case "g":
        afterG = Date.now();
        break;
      case "j":
      case "ArrowDown":
        if (event.key === "j" || row >= 0 || rows().length) {
          event.preventDefault();
          moveTo(row + 1);
        }
        break;
      case "k":
      case "ArrowUp":
        if (row >= 0) {
          event.preventDefault();
          moveTo(row - 1);
        }
        break;
      case "?":
        document.getElementById("keys")?.showModal();
        break;
    }
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    navigator.clipboard?.writeText(button.dataset.copy).then(() => {
      const text = button.textContent;
      if (text === "✓") return;
      button.textContent = "✓";
      setTimeout(() => { button.textContent = text; }, 1200);
    });
  });

  // A form that was sent is not sent again by a second click; its key would make nothing twice, but why ask.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post" || event.defaultPrevented) return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "true";
    setTimeout(() => { delete event.target.dataset.sent; }, 10000);
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form").forEach((form) => { delete form.dataset.sent; }));

  // What was opened stays open, and the focus where it was, when a part of the page is shown anew.
  let opened = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    opened = [...event.detail.target.querySelectorAll("details")].map((one) => one.open);
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const place = event.detail.elt.id ? document.getElementById(event.detail.elt.id) : null;
    place?.querySelectorAll("details").forEach((one, index) => { if (opened[index]) one.open = true; });
    if (row >= 0) rows()[row]?.classList.add("at");
  });

  // The server says that what is shown has changed; the part of the page that shows it is then read again: at once, and while
  // it goes on changing at most once a second. Only what can be seen listens, since browsers keep few connections to a host.
  const EVERY_MS = 1000;
  const BOOKS_MS = 2000;
  const live = document.querySelector("[data-live]");
  if (live && window.EventSource) {
    const address = `/console/live/${encodeURIComponent(live.dataset.live)}`;
    let source = null;
    let waiting = 0;
    let lastAt = 0;
    const read = () => {
      waiting = 0;
      lastAt = Date.now();
      const place = document.querySelector("[data-live]");
      if (place) htmx.trigger(place, "changed");
    };
    const readSoon = (ms) => {
      if (waiting) return;
      waiting = setTimeout(read, Math.max(ms, lastAt + EVERY_MS - Date.now(), 0));
    };
    let books = 0;
    const listen = () => {
      source = new EventSource(address);
      source.addEventListener("changed", () => {
        readSoon(0);
        // The books follow a payment a moment later, without a change of its own.
        clearTimeout(books);
        books = setTimeout(readSoon, BOOKS_MS, 0);
      });
    };
    const follow = () => {
      if (document.hidden) {
        source?.close();
        source = null;
      } else if (!source) {
        listen();
      }
    };
    document.addEventListener("visibilitychange", follow);
    window.addEventListener("pagehide", () => { source?.close(); source = null; });
    window.addEventListener("pageshow", follow);
    follow();
  }

  let away = null;
  const showAway = () => {
    if (away) return;
    away = document.createElement("p");
    away.className = "offline";
    away.setAttribute("role", "status");
    away.textContent = document.documentElement.lang === "pt" ? "Sem conexão: o que você vê pode estar desatualizado." : "No connection: what you see may be out of date.";
    document.body.append(away);
  };
  const hideAway = () => { away?.remove(); away = null; };
  window.addEventListener("offline", showAway);
  window.addEventListener("online", hideAway);
  document.addEventListener("htmx:sendError", showAway);
  document.addEventListener("htmx:afterOnLoad", hideAway);
})();
