// The filter on the statements, without asking the server: the form works without this, too.
"use strict";
(() => {
  const form = document.querySelector("form.filter");
  const rows = [...document.querySelectorAll("#statements tbody tr")];
  const count = document.getElementById("ledger-count");
  const none = document.getElementById("ledger-none");
  if (!form || !rows.length) return;
  const texts = rows.map((row) =>
    [...row.cells].filter((cell, n) => n !== 1).map((cell) => cell.textContent).join(" ").toLowerCase());
  const names = ["verdict", "article", "topic"];
  const field = (name) => form.elements.namedItem(name);

  function show() {
    const words = field("q").value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    rows.forEach((row, n) => {
      const finds = names.every((name) => !field(name).value || row.dataset[name] === field(name).value)
        && words.every((word) => texts[n].includes(word));
      row.hidden = !finds;
      found += finds ? 1 : 0;
    });
    count.textContent = `${found} of ${rows.length} statements`;
    none.hidden = found > 0;
  }

  // What is asked for stays in the address, so that it can be sent to a colleague.
  function keep() {
    if (!location.protocol.startsWith("http")) return;
    const asked = new URLSearchParams(new FormData(form));
    for (const [name, value] of [...asked]) if (!value) asked.delete(name);
    const query = asked.toString();
    history.replaceState(null, "", `${location.pathname}${query ? `?${query}` : ""}#ledger`);
  }

  function clear() {
    for (const name of [...names, "q"]) field(name).value = "";
    show();
  }

  // A link to a statement that is filtered out shows it.
  function reveal() {
    const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (row && rows.includes(row) && row.hidden) {
      clear();
      row.scrollIntoView();
    }
  }

  let wait;
  form.addEventListener("input", () => {
    show();
    clearTimeout(wait);
    wait = setTimeout(keep, 300);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
    keep();
  });
  form.querySelector("a.button").addEventListener("click", (event) => {
    event.preventDefault();
    clear();
    keep();
    field("q").focus();
  });
  window.addEventListener("hashchange", reveal);
  show(); // a browser that comes back restores what was typed
  reveal();
})();
