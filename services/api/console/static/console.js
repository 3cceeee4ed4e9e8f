// The keys, the copy buttons, the reader's time zone and what is shown while the connection is away. Pages work without it.
"use strict";

// SHA-256 (FIPS 180-4) of what comes part by part; the browser's own (crypto.subtle) needs all of it at once, and https.
class Sha256 {
  static K = Sha256.roots(64, 3);

  // The first 32 bits of the fractions of square or cube roots of the first primes.
  static roots(count, degree) {
    const found = [];
    for (let n = 2; found.length < count; n += 1) {
      let isPrime = true;
      for (let d = 2; d * d <= n; d += 1) if (n % d === 0) isPrime = false;
      if (!isPrime) continue;
      const target = BigInt(n) << BigInt(32 * degree);
      let low = 0n;
      let high = 1n << 40n;
      while (high - low > 1n) {
        const middle = (low + high) >> 1n;
        if (middle ** BigInt(degree) <= target) low = middle; else high = middle;
      }
      found.push(Number(low & 0xffffffffn));
    }
    return Int32Array.from(found, (one) => one | 0);
  }

  constructor() {
    this.state = Sha256.roots(8, 2);
    this.rest = new Uint8Array(0);
    this.length = 0;
    this.words = new Int32Array(64);
  }

  add(bytes) {
    this.length += bytes.length;
    let all = bytes;
    if (this.rest.length) {
      all = new Uint8Array(this.rest.length + bytes.length);
      all.set(this.rest);
      all.set(bytes, this.rest.length);
    }
    let at = 0;
    for (; at + 64 <= all.length; at += 64) this.block(all, at);
    this.rest = all.slice(at);
  }

  block(bytes, at) {
    const { words: w, state } = this;
    for (let i = 0; i < 16; i += 1) {
      const j = at + 4 * i;
      w[i] = (bytes[j] << 24) | (bytes[j + 1] << 16) | (bytes[j + 2] << 8) | bytes[j + 3];
    }
    for (let i = 16; i < 64; i += 1) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i += 1) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + Sha256.K[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((one, i) => { state[i] = (state[i] + one) | 0; });
  }

  end() {
    const bits = this.length * 8;
    const tail = new Uint8Array(((this.rest.length + 9 + 63) & ~63) - this.rest.length);
    tail[0] = 0x80;
    const view = new DataView(tail.buffer);
    view.setUint32(tail.length - 8, Math.floor(bits / 2 ** 32));
    view.setUint32(tail.length - 4, bits >>> 0);
    this.add(tail);
    return [...this.state].map((one) => (one >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.includes(`console_zone=${encodeURIComponent(zone)}`)) {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `console_zone=${encodeURIComponent(zone)}; path=/console; max-age=31536000; samesite=lax${secure}`;
  }

  const isWriting = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;
  let afterG = 0;
  let row = -1;

  const rows = () => [...document.querySelectorAll("main table:not(.taccount, .inner) > tbody > tr")];

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

  // A form keeps its key and what was written when one comes back to it, also where the browser reads the page again: what was
  // sent is done once. Secrets are not kept.
  const form = document.querySelector("form.act");
  const formKey = form?.querySelector("input[name='_key']");
  if (formKey) {
    const fields = () => [...form.elements].filter((one) => one.name.startsWith("f.") && !["hidden", "password"].includes(one.type));
    if (history.state?.key) formKey.value = history.state.key;
    for (const one of fields()) if (history.state?.written?.[one.name] !== undefined) one.value = history.state.written[one.name];
    const keep = () => {
      const written = Object.fromEntries(fields().map((one) => [one.name, one.value]));
      history.replaceState({ ...history.state, key: formKey.value, written }, "");
    };
    keep();
    form.addEventListener("submit", keep);
  }

  // A form that was sent is not sent again by a second click; its key would make nothing twice, but why ask.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post" || event.defaultPrevented) return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "true";
    setTimeout(() => { delete event.target.dataset.sent; }, 10000);
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form").forEach((form) => { delete form.dataset.sent; }));

  // Amounts are added up exactly, as whole numbers of a hundred-millionth: no float ever has one.
  const DECIMALS = 8;
  const exact = (text) => {
    const found = /^(-?)(\d{1,18})(?:\.(\d{1,8}))?$/.exec(text.trim());
    return found ? BigInt(found[1] + found[2] + (found[3] || "").padEnd(DECIMALS, "0")) : null;
  };
  const written = (number) => {
    const text = (number < 0n ? -number : number).toString().padStart(DECIMALS + 1, "0");
    const decimals = text.slice(-DECIMALS).replace(/0+$/, "").padEnd(2, "0");
    return `${number < 0n ? "-" : ""}${text.slice(0, -DECIMALS)}.${decimals}`;
  };

  const lines = document.querySelector("[data-sums]");
  lines?.addEventListener("input", () => {
    const sums = new Map();
    for (const line of lines.tBodies[0].rows) {
      const value = (name) => line.querySelector(`[name$=".${name}"]`).value;
      const amount = exact(value("amount"));
      if (amount === null) continue;
      const sides = sums.get(value("currency").toUpperCase()) || { DEBIT: 0n, CREDIT: 0n };
      sides[value("side")] += amount;
      sums.set(value("currency").toUpperCase(), sides);
    }
    document.getElementById("sums").replaceChildren(...[...sums].sort().map(([currency, sides]) => {
      const row = document.createElement("tr");
      const difference = sides.DEBIT - sides.CREDIT;
      for (const text of [currency || "–", written(sides.DEBIT), written(sides.CREDIT), ""]) {
        const cell = row.insertCell();
        cell.textContent = text;
        if (row.cells.length > 1) cell.className = "is-money";
      }
      const state = document.createElement("span");
      state.className = `state ${difference === 0n ? "good" : "bad"}`;
      state.textContent = written(difference);
      row.cells[3].append(state);
      return row;
    }));
  });

  // How many rows are chosen, and what they come to.
  const showChosen = (choose) => {
    const chosen = [...choose.querySelectorAll("tbody input[type=checkbox]:checked")];
    const sums = new Map();
    for (const { dataset } of chosen) {
      if (dataset.amount) sums.set(dataset.currency, (sums.get(dataset.currency) || 0n) + (exact(dataset.amount) || 0n));
    }
    const amounts = [...sums].map(([currency, sum]) => `${written(sum)} ${currency}`);
    choose.querySelector("[data-chosen]").textContent = chosen.length ? [`${chosen.length}`, ...amounts].join(" · ") : "";
  };
  document.addEventListener("change", (event) => {
    const choose = event.target.closest("[data-choose]");
    if (!choose) return;
    if (event.target.matches("[data-all]")) {
      choose.querySelectorAll("tbody input[type=checkbox]").forEach((box) => { box.checked = event.target.checked; });
    }
    showChosen(choose);
  });
  const chooseNow = () => document.querySelectorAll("[data-choose]").forEach(showChosen);
  chooseNow();

  // A file is read twice, a part at a time: for its checksum, which the import begins with, and to be sent.
  const importForm = document.querySelector("[data-import]");
  importForm?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { csrf, checking, sending, waiting, failed } = importForm.dataset;
    const file = importForm.elements.file.files[0];
    const place = importForm.querySelector("[data-progress]");
    const said = importForm.querySelector("[data-said]");
    const bar = importForm.querySelector("progress");
    const refused = importForm.querySelector("[data-refused]");
    const button = importForm.querySelector("button.primary");
    const show = (text, done) => { said.textContent = text; bar.value = done; };
    const call = async (address, body, key) => {
      for (let tries = 1; ; tries += 1) {
        const headers = { "x-console-form": csrf, "content-type": "application/octet-stream", "idempotency-key": key };
        const answer = await fetch(`/console/upload/${address}`, { method: "POST", headers, body, redirect: "manual" });
        if (answer.type === "opaqueredirect") {
          location.assign("/console/login?next=/console/imports");
          await new Promise(() => {});
        }
        const answered = await answer.json();
        if (answer.ok) return answered;
        if ((answer.status !== 429 && answer.status !== 503) || tries >= TRIES_MAX) throw new Error(`${answered.detail || answered.title} (${answered.code})`);
        said.textContent = waiting;
        await new Promise((go) => { setTimeout(go, 1000 * Math.min(60, Number(answer.headers.get("retry-after")) || 5)); });
      }
    };
    const TRIES_MAX = 60;
    // Of letters: digits could be taken for those of a card.
    const newKey = () => [...crypto.getRandomValues(new Uint8Array(24))].map((one) => String.fromCharCode(97 + (one & 15))).join("");
    refused.hidden = true;
    place.hidden = false;
    button.disabled = true;
    try {
      const PART = 4194304;
      const digest = new Sha256();
      for (let at = 0; at < file.size; at += PART) {
        show(checking, (100 * at) / file.size);
        digest.add(new Uint8Array(await file.slice(at, at + PART).arrayBuffer()));
      }
      const body = { source_id: importForm.elements.source_id.value, file_name: file.name, size_bytes: file.size, sha256: digest.end() };
      const begun = await call("startImport", JSON.stringify(body), newKey());
      if (begun.status === "UPLOADING") {
        for (let at = 0, number = 1; at < file.size; at += PART, number += 1) {
          show(sending, (100 * at) / file.size);
          await call(`putImportPart?import_id=${begun.id}&number=${number}`, file.slice(at, at + PART), "");
        }
        await call(`completeImport?import_id=${begun.id}`, "{}", newKey());
      }
      location.assign(`/console/imports/${begun.id}`);
    } catch (fault) {
      refused.textContent = fault instanceof TypeError ? failed : fault.message;
      refused.hidden = false;
      place.hidden = true;
      button.disabled = false;
    }
  });

  // Nothing jumps when a part of the page is shown anew: what was opened stays open, what was chosen chosen, the focus where it
  // was, and the row below the pointer, or the first that can be seen, at its place of the screen.
  const keyOf = (one, index) => one.dataset.key || one.closest("[data-row]")?.dataset.row || String(index);
  const anchors = (place) => [...place.querySelectorAll("[data-row], section > h2")];
  const anchorKey = (one) => one.dataset.row || one.textContent;
  const sameFocus = (one, other) => one.tagName === other.tagName && one.name === other.name
    && one.getAttribute("href") === other.getAttribute("href") && one.textContent === other.textContent;
  let kept = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const place = event.detail.target;
    const all = anchors(place);
    const anchor = all.find((one) => one.matches(":hover"))
      || (window.scrollY > 0 ? all.find((one) => one.getBoundingClientRect().top >= 0) : null);
    kept = {
      opened: new Set([...place.querySelectorAll("details")].flatMap((one, index) => (one.open ? [keyOf(one, index)] : []))),
      chosen: new Set([...place.querySelectorAll("input[type=checkbox]:checked")].map((one) => one.name)),
      aside: [...place.querySelectorAll(".scroll")].map((one) => one.scrollLeft),
      focus: place.contains(document.activeElement) ? document.activeElement : null,
      anchor: anchor ? { key: anchorKey(anchor), top: anchor.getBoundingClientRect().top } : null,
    };
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const place = event.detail.elt.id ? document.getElementById(event.detail.elt.id) : null;
    if (!place || !kept) return;
    place.querySelectorAll("details").forEach((one, index) => { if (kept.opened.has(keyOf(one, index))) one.open = true; });
    place.querySelectorAll("input[type=checkbox]").forEach((one) => { if (kept.chosen.has(one.name)) one.checked = true; });
    place.querySelectorAll(".scroll").forEach((one, index) => { if (kept.aside[index]) one.scrollLeft = kept.aside[index]; });
    const before = kept.focus;
    if (before) [...place.querySelectorAll(before.tagName)].find((one) => sameFocus(one, before))?.focus({ preventScroll: true });
    if (kept.anchor) {
      const now = anchors(place).find((one) => anchorKey(one) === kept.anchor.key);
      if (now) window.scrollBy(0, now.getBoundingClientRect().top - kept.anchor.top);
    }
    if (row >= 0) rows()[row]?.classList.add("at");
    chooseNow();
    kept = null;
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
