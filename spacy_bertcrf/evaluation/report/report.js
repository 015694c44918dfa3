"use strict";
// The filter's state is in the address, behind #errors?, so that what is seen can be sent.
(() => {
  const form = document.getElementById("filter");
  const count = document.getElementById("count");
  const cards = [...document.querySelectorAll("#cards article")].map((card) => ({
    card,
    text: card.querySelector(".lines").textContent.toLowerCase(),
    faults: [...card.querySelectorAll(".faults li")].map((fault) => fault.dataset),
  }));
  form.hidden = cards.length === 0;

  const values = () => {
    const found = {};
    for (const [name, value] of new FormData(form)) if (value !== "") found[name] = value;
    return found;
  };

  const matches = (fault, wanted) =>
    (!wanted.kind || fault.kind === wanted.kind) &&
    (!wanted.gold || fault.gold === wanted.gold) &&
    (!wanted.predicted || fault.predicted === wanted.predicted) &&
    (!wanted.label || fault.gold === wanted.label || fault.predicted === wanted.label) &&
    (!wanted.seen || fault.seen === wanted.seen) &&
    (!wanted.other || fault.other === wanted.other) &&
    (!wanted.sure || Number(fault.sure) >= Number(wanted.sure));

  const show = () => {
    const wanted = values();
    const text = (wanted.text || "").toLowerCase();
    let shown = 0;
    for (const item of cards) {
      const fits =
        (!text || item.text.includes(text)) && item.faults.some((fault) => matches(fault, wanted));
      item.card.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${cards.length}`;
  };

  const remember = () => {
    const query = new URLSearchParams(values()).toString();
    history.replaceState(null, "", query ? `#errors?${query}` : "#errors");
  };

  const read = () => {
    const [place, query] = location.hash.split("?", 2);
    if (place !== "#errors") return show();
    const wanted = new URLSearchParams(query || "");
    for (const field of form.elements) if (field.name) field.value = wanted.get(field.name) || "";
    show();
    if (query !== undefined) document.getElementById("errors").scrollIntoView();
  };

  const step = (by) => {
    const visible = cards.map((item) => item.card).filter((card) => !card.hidden);
    const at = visible.indexOf(document.activeElement.closest("#cards article"));
    const next = visible[Math.min(Math.max(at + by, 0), visible.length - 1)];
    if (next) next.focus();
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { show(); remember(); });
  form.addEventListener("reset", () => setTimeout(() => { show(); remember(); }));
  window.addEventListener("hashchange", read);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape") { form.reset(); document.activeElement.blur(); }
    else if (typing) return;
    else if (event.key === "/") { event.preventDefault(); form.elements.text.focus(); }
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
  });
  read();
})();
