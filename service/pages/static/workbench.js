// The workbench: sends the form when something in it changes, and puts what comes back in its
// place. Without this file the form works by its buttons.
"use strict";

(() => {
  const form = document.getElementById("bench");
  const text = document.getElementById("text");
  const part = (name) => document.getElementById(name);
  const narrow = window.matchMedia("(width < 62rem)");
  const abouts = JSON.parse((part("abouts") || { textContent: "{}" }).textContent);
  const decoder = new TextDecoder("utf-8", { fatal: true });

  document.documentElement.classList.add("scripted");

  // --- asking the server --------------------------------------------------------------------

  // One question at a time: while it is on its way only the latest change is kept.
  let busy = false;
  let next = null;

  function ask(action, extra = []) {
    if (busy) {
      // A text that was not decided yet is not lost behind a moved dial.
      if (next === null || next[0] === "decide" || action !== "decide") next = [action, extra];
      return;
    }
    busy = true;
    form.setAttribute("aria-busy", "true");
    const fields = [...new FormData(form)].filter(([, value]) => typeof value === "string");
    const body = { fields: [["action", action], ...extra, ...fields] };
    send("workbench", body)
      .then(async (answer) => {
        if (!answer.ok) throw new Error(await words(answer));
        put(await answer.json(), action);
      })
      .catch((error) => complain(error.message))
      .finally(() => {
        busy = false;
        form.removeAttribute("aria-busy");
        if (next !== null) {
          const [again, more] = next;
          next = null;
          ask(again, more);
        }
      });
  }

  function send(url, body) {
    return fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  async function words(answer) {
    try {
      const outcome = await answer.json();
      return `${answer.status}: ${outcome.issue.map((issue) => issue.details.text).join(" ")}`;
    } catch {
      return `${answer.status}: the service gave no reason.`;
    }
  }

  function complain(message) {
    const notice = document.createElement("p");
    notice.className = "notice critical";
    notice.textContent = `The service did not answer: ${message}`;
    part("problems").replaceChildren(notice);
  }

  // --- putting what came in its place ---------------------------------------------------------

  function put(parts, action) {
    const open = opened();
    if (parts.text !== undefined) text.value = parts.text;
    for (const name of ["problems", "cards", "stages", "verdict", "controls"]) {
      if (parts[name] !== undefined) part(name).innerHTML = parts[name];
    }
    for (const details of form.querySelectorAll("#cards details, #stages details")) {
      if (open.has(label(details))) details.open = true;
    }
    const wrong = part("problems").childElementCount > 0;
    text.setAttribute("aria-invalid", wrong ? "true" : "false");
    if (wrong) part("own").open = true;
    if (parts.controls !== undefined) wake();
    else mark();
    show();
    document.dispatchEvent(new CustomEvent("decided", { detail: action }));
  }

  // What the reader had opened stays open.
  function opened() {
    const found = new Set();
    for (const details of form.querySelectorAll("#cards details[open], #stages details[open]")) {
      found.add(label(details));
    }
    return found;
  }

  function label(details) {
    const section = details.closest("section, article");
    const title = section ? section.getAttribute("aria-labelledby") : "";
    const same = [...section.querySelectorAll("details")].indexOf(details);
    return `${title} ${same}`;
  }

  function show() {
    for (const button of form.querySelectorAll(".copy, .unhush")) button.hidden = false;
  }

  // Gives the dials their sliders.
  function wake() {
    for (const slider of form.querySelectorAll("input[type=range]")) slider.hidden = false;
    mark();
  }

  // Marks what was moved without asking for the controls again: they keep their focus.
  function mark() {
    for (const field of form.querySelectorAll(".dial input[type=number]")) {
      const before = field.dataset.before;
      const moved = field.value !== "" && Number(field.value) !== Number(before === "" ? NaN : before);
      const dial = field.closest(".dial");
      dial.classList.toggle("moved", moved);
      const hint = dial.querySelector(".before");
      if (moved) hint.textContent = before === "" ? "was none" : `was ${before}`;
      else hint.textContent = before === "" ? "none on file" : "";
    }
    for (const box of form.querySelectorAll(".flags input[type=checkbox]")) {
      box.closest("label").classList.toggle("moved", box.checked !== box.defaultChecked);
    }
  }

  // --- what the reader does ---------------------------------------------------------------------

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const action = event.submitter ? event.submitter.value : "decide";
    ask(action);
  });

  form.addEventListener("input", (event) => {
    const field = event.target;
    if (field === text) {
      // Now, and not when the field is left: then a button would move away under the finger.
      forget();
    } else if (field.type === "range") {
      field.classList.remove("idle");
      part(field.dataset.of).value = field.value;
      ask("decide");
    } else if (field.type === "number") {
      const slider = form.querySelector(`[data-of="${field.id}"]`);
      if (slider && field.value !== "") slider.value = field.value;
      ask("decide");
    }
  });

  form.addEventListener("change", (event) => {
    const field = event.target;
    if (field.id === "example") {
      part("about").textContent = abouts[field.value] || "";
      if (field.value === "") {
        part("own").open = true;
        text.focus();
        text.select();
      } else {
        part("hook").value = "";
        ask("example");
      }
    } else if (field.id === "file") {
      if (field.files.length) take(field.files[0]);
      field.value = "";
    } else if (field.id === "hook" || field.id === "profile") {
      ask("decide", [["want", "controls"]]);
    } else if (field.id === "order") {
      prefill(field.selectedOptions[0].dataset);
      ask("decide");
    } else if (field.type === "checkbox" || field.id === "setting") {
      ask("decide");
    }
  });

  function prefill(drug) {
    part("order-dose").value = drug.dose || "";
    part("order-minutes").value = drug.minutes || "";
    part("order-perday").value = drug.perday || "";
  }

  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button === null) return;
    if (button.classList.contains("goto")) go(Number(button.dataset.offset));
    else if (button.classList.contains("copy")) copy(button);
    else if (button.classList.contains("unhush")) {
      form.querySelector("input[type=checkbox][name=hushing]").checked = false;
      ask("decide");
    } else if (button.classList.contains("accept")) accept(button);
    else if (button.classList.contains("overrule")) overrule(button);
  });

  // The offset counts characters as Python does: beyond the first plane one of two of ours.
  function go(offset) {
    const at = [...text.value].slice(0, offset).join("").length;
    part("own").open = true;
    text.focus();
    text.setSelectionRange(at, Math.min(at + 1, text.value.length));
    const lines = text.value.slice(0, at).split("\n").length;
    const height = parseFloat(getComputedStyle(text).lineHeight);
    text.scrollTop = Math.max(0, (lines - 4) * height);
  }

  async function copy(button) {
    await navigator.clipboard.writeText(part(button.dataset.copy).textContent);
    button.textContent = "Copied";
  }

  // --- a request of one's own -------------------------------------------------------------------

  text.addEventListener("paste", () => setTimeout(() => taken(), 0));

  // The text is no longer the example's.
  function forget() {
    if (part("example")) part("example").value = "";
    if (part("about")) part("about").textContent = "";
    part("hook").value = "";
  }

  function taken() {
    forget();
    ask("fresh");
  }

  async function take(file) {
    part("own").open = true;
    try {
      text.value = decoder.decode(await file.arrayBuffer());
      taken();
    } catch {
      complain(`${file.name} is not text (UTF-8).`);
    }
  }

  form.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("dropping");
  });
  for (const name of ["dragleave", "drop"]) {
    form.addEventListener(name, () => form.classList.remove("dropping"));
  }
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) take(file);
    else {
      text.value = event.dataTransfer.getData("text");
      part("own").open = true;
      taken();
    }
  });

  // --- answering a card -------------------------------------------------------------------------

  function accept(button) {
    const suggestions = [{ id: button.dataset.suggestion }];
    answer(button.closest(".card"), { outcome: "accepted", acceptedSuggestions: suggestions });
  }

  function overrule(button) {
    const card = button.closest(".card");
    const chosen = card.querySelector("input[type=radio]:checked");
    const comment = card.querySelector(".words").value.trim();
    const reason = {};
    if (chosen !== null) {
      const { system, display } = chosen.dataset;
      reason.reason = { code: chosen.value, system, display };
    }
    if (comment) reason.userComment = comment;
    const given = Object.keys(reason).length ? { overrideReason: reason } : {};
    answer(card, { outcome: "overridden", ...given });
  }

  // As a record does: the card was shown, then what became of it is reported.
  async function answer(card, outcome) {
    const status = card.querySelector(".sent");
    const buttons = card.querySelectorAll("button");
    for (const button of buttons) button.disabled = true;
    const service = card.dataset.service;
    const url = `cds-services/${service}/feedback`;
    const item = { card: card.dataset.card, outcomeTimestamp: new Date().toISOString(), ...outcome };
    try {
      const shown = await send("workbench/shown", { service, body: part("json-in").textContent });
      if (!shown.ok) throw new Error(await words(shown));
      const sent = await send(url, { feedback: [item] });
      if (!sent.ok) throw new Error(await words(sent));
      status.textContent = `Sent to ${url}: ${outcome.outcome}. It is stored; such a card is quiet now.`;
      card.classList.add("answered");
      told = { at: status.textContent };
      ask("decide");
    } catch (error) {
      status.textContent = `Not stored. ${error.message}`;
      for (const button of buttons) button.disabled = false;
    }
  }

  // The card is gone once it is hushed: what was sent is said where it stood.
  let told = null;
  document.addEventListener("decided", () => {
    if (told === null) return;
    const line = document.createElement("p");
    line.className = "notice good told";
    line.setAttribute("role", "status");
    line.tabIndex = -1;
    line.textContent = told.at;
    part("cards").prepend(line);
    line.focus();
    told = null;
  });

  // --- at the start -----------------------------------------------------------------------------

  for (const file of form.querySelectorAll(".file")) file.hidden = false;
  if (narrow.matches) part("whatif").open = false;
  wake();
  show();
})();
