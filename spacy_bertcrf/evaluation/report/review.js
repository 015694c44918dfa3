"use strict";
// Decisions stay in the browser until they are saved as JSON lines, which apply-review reads.
(() => {
  const cards = [...document.querySelectorAll("#cards article")];
  const decided = document.getElementById("decided");
  const place = `review ${location.pathname}`;
  const decisions = new Map();

  const load = () => {
    try {
      for (const [record, decision] of JSON.parse(localStorage.getItem(place) || "[]"))
        decisions.set(record, decision);
    } catch { /* without a store, decisions last as long as the page */ }
  };

  const store = () => {
    try { localStorage.setItem(place, JSON.stringify([...decisions])); } catch { /* as above */ }
  };

  const show = () => {
    let n = 0;
    for (const card of cards) {
      const decision = decisions.get(card.dataset.record);
      n += decision !== undefined;
      for (const button of card.querySelectorAll("[data-decision]"))
        button.setAttribute("aria-pressed", String(button.dataset.decision === decision));
    }
    decided.textContent = `${n} decided`;
  };

  const decide = (card, decision) => {
    const record = card.dataset.record;
    if (decisions.get(record) === decision) decisions.delete(record);
    else decisions.set(record, decision);
    store();
    show();
  };

  const save = () => {
    const lines = cards
      .map((card) => card.dataset.record)
      .filter((record) => decisions.has(record))
      .map((record) => JSON.stringify({ ...JSON.parse(record), decision: decisions.get(record) }));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(lines.map((line) => `${line}\n`)));
    link.download = "decisions.jsonl";
    link.click();
    URL.revokeObjectURL(link.href);
  };

  for (const part of document.querySelectorAll(".decision")) part.hidden = false;
  document.getElementById("save").addEventListener("click", save);
  document.getElementById("cards").addEventListener("click", (event) => {
    const button = event.target.closest("[data-decision]");
    if (button) decide(button.closest("article"), button.dataset.decision);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const card = document.activeElement.closest("#cards article");
    const decision = { a: "accept", g: "keep" }[event.key];
    if (card && decision) decide(card, decision);
  });
  load();
  show();
})();
