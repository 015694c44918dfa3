import { nameTab } from "./teach_tab.js";
import { View, element } from "./teach_view.js";
import { WORDS } from "./teach_words.js";

const RETRY = 1500; // milliseconds
const ALIVE = 60000;
const WATCH = 2000;
const $ = (id) => document.getElementById(id);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const overlap = (a, b) => a.start < b.end && b.start < a.end;
const same = (a, b) => a.start === b.start && a.end === b.end && a.label === b.label;
const plain = ({ start, end, label }) => ({ start, end, label });

let language = navigator.language.startsWith("zh") ? "zh" : "en";
let tab = null;
let task = null; // {key, id, chars, tokens, entities, rejected}
let counts = null;
let training = null;
let watchNow = () => {};
let busy = true;
let saving = Promise.resolve();
const history = []; // of this text
const before = []; // texts of this tab, as they were
const view = new View({ label: (label) => act(label), open: (index) => openMenu(index), unreject: (index) => unreject(index) });
const words = () => WORDS[language];

const say = (text, isError = false) => {
  $("status").textContent = text;
  $("status").classList.toggle("error", isError);
};

const translate = () => {
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = words()[node.dataset.text];
  $("language").textContent = words().other;
  $("language").lang = words().otherLanguage;
  showCounts();
  showTraining();
};

// Asks until the service answers; what it refuses is thrown.
const call = async (path, body, quiet = false) => {
  for (let isLost = false; ;) {
    const headers = { "Content-Type": "application/json" };
    if ($("token").value) headers.Authorization = `Bearer ${$("token").value}`;
    let response = null;
    let answer = null;
    try {
      response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
      answer = await response.json();
    } catch { /* not there, or on its way down */ }
    if (response?.status === 401) {
      $("locked").hidden = false;
      say(answer?.error ?? "", true);
      await new Promise((done) => $("token").addEventListener("change", done, { once: true }));
      say("");
    } else if (answer === null || [429, 503].includes(response.status)) {
      isLost = true;
      if (!quiet) say(words().lost, true);
      await pause(RETRY);
    } else if (response.ok) {
      if (isLost && !quiet) say("");
      return answer;
    } else {
      throw Object.assign(new Error(answer.error), { status: response.status });
    }
  }
};

const showCounts = () => { if (counts) $("counts").textContent = words().counts(counts); };

const show = () => {
  view.show(task);
  $("undo").disabled = !history.length && !before.length;
};

const take = (answer, kept) => {
  counts = answer.counts;
  showCounts();
  view.showLabels(answer.labels);
  history.length = 0;
  closeMenu();
  const found = answer.text;
  $("work").hidden = !found && !before.length;
  $("finished").hidden = !!found;
  for (const id of ["labels", "text", "accept", "skip", "id"]) $(id).hidden = !found;
  task = null;
  if (!found) {
    $("rejected-row").hidden = true;
    $("undo").disabled = !before.length;
    return;
  }
  const entities = found.entities.map((entity) => ({ ...entity, known: true }));
  const suggested = found.suggestions.filter((one) => ![...found.entities].some((other) => overlap(one, other)) && !found.rejected.some((other) => same(one, other)));
  task = { key: found.key, id: found.id, chars: [...found.text], tokens: found.tokens, entities: [...entities, ...suggested.map((one) => ({ ...one, known: false }))], rejected: found.rejected };
  if (kept) Object.assign(task, kept);
  task.entities.sort((a, b) => a.start - b.start);
  $("id").textContent = task.id;
  if (found.error) say(words().unread(found.error), true);
  show();
  $("text").focus();
};

const next = async () => {
  busy = true;
  try {
    take(await call("v1/teach/next", { tab }));
  } catch (error) { say(error.message, true); }
  busy = false;
};

// Decisions go one after the other. Whether it was kept.
const save = (status) => {
  const known = task.entities.filter((entity) => status === "accepted" || entity.known);
  const body = { tab, key: task.key, status, entities: known.map(plain), rejected: task.rejected.map(plain) };
  say(words().saving);
  const saved = saving.then(async () => {
    try {
      counts = (await call("v1/teach/decide", body)).counts;
      showCounts();
      say(words().saved);
      return true;
    } catch (error) {
      say(error.status === 409 ? words().taken : error.message, true);
      if (error.status === 409 && status === "open") next();
      return error.status === 409;
    }
  });
  saving = saved;
  return saved;
};

const change = (entities, rejected = task.rejected) => {
  if (busy) return;
  history.push({ entities: task.entities, rejected: task.rejected });
  const focused = view.focused;
  Object.assign(task, { entities: entities.sort((a, b) => a.start - b.start), rejected });
  closeMenu();
  view.clear();
  show();
  (view.mark(focused) ?? $("text")).focus();
  save("open");
};

// What a label's key or button does: to what is selected, or to the mark with the focus.
const act = (label) => {
  if (busy || !task) return;
  if (view.picked) {
    const [start, end] = view.picked;
    const added = { start, end, label, known: true };
    change([...task.entities.filter((entity) => !overlap(entity, added)), added], task.rejected.filter((one) => !same(one, added)));
  } else if (view.focused >= 0) relabel(view.focused, label);
};

const relabel = (index, label) => {
  const changed = { ...task.entities[index], label, known: true };
  change(task.entities.map((entity, i) => (i === index ? changed : entity)), task.rejected.filter((one) => !same(one, changed)));
};
const remove = (index) => change(task.entities.filter((_, i) => i !== index));
const reject = (index) => change(task.entities.filter((_, i) => i !== index), [...task.rejected, plain(task.entities[index])]);
const unreject = (index) => {
  const back = { ...task.rejected[index], known: false };
  const entities = task.entities.some((entity) => overlap(entity, back)) ? task.entities : [...task.entities, back];
  change([...entities], task.rejected.filter((_, i) => i !== index));
};

const decide = async (status) => {
  if (busy || !task) return;
  busy = true;
  const decided = { key: task.key, entities: task.entities, rejected: task.rejected };
  if (await save(status)) {
    before.push(decided);
    await next();
  }
  busy = false;
};

const undo = async () => {
  if (busy) return;
  if (history.length) {
    Object.assign(task, history.pop());
    closeMenu();
    show();
    save("open");
  } else if (before.length) {
    busy = true;
    const { key, ...kept } = before.pop();
    try {
      await saving;
      take(await call("v1/teach/reopen", { tab, key }), kept);
    } catch (error) {
      say(error.status === 409 ? words().taken : error.message, true);
    }
    busy = false;
  }
};

const openMenu = (index) => {
  const mark = view.mark(index);
  const button = (name, key, run) => {
    const made = element("button", `${words()[name]} `);
    made.type = "button";
    made.dataset.action = name;
    made.append(element("kbd", key));
    made.addEventListener("click", () => run(index));
    return made;
  };
  $("menu").replaceChildren(...view.labels.map((label) => view.labelButton(label, () => relabel(index, label))), button("remove", "Del", remove), button("reject", "X", reject));
  $("menu").setAttribute("aria-label", mark.getAttribute("aria-label"));
  $("menu").hidden = false;
  const box = mark.getBoundingClientRect();
  $("menu").style.left = `${Math.max(4, Math.min(box.left, window.innerWidth - $("menu").offsetWidth - 8)) + window.scrollX}px`;
  $("menu").style.top = `${box.bottom + window.scrollY + 6}px`;
  mark.focus();
};
const closeMenu = () => { $("menu").hidden = true; };

const showTraining = () => {
  $("training").hidden = !training || training.state === "none";
  if ($("training").hidden) return;
  const { state, error, seconds, texts, log } = training;
  const running = ["preparing", "training", "loading"].includes(state);
  $("train").disabled = running;
  $("training-state").textContent = [words().states[state], error, state === "idle" ? "" : words().of(texts, seconds)].filter(Boolean).join(" ");
  $("training-state").classList.toggle("error", state === "failed");
  $("training-log").hidden = !log.length;
  $("training-log").textContent = log.join("\n");
};

// Only one at a time asks how the training goes.
const watch = async () => {
  for (;;) {
    try {
      training = await call("v1/teach/training", undefined, true);
      showTraining();
    } catch (error) { return say(error.message, true); }
    if (training.state === "none") return;
    const soon = ["preparing", "training", "loading"].includes(training.state);
    await Promise.race([pause(soon ? WATCH : 5 * WATCH), new Promise((begun) => { watchNow = begun; })]);
  }
};

$("train").addEventListener("click", async () => {
  $("train").disabled = true;
  try {
    training = await call("v1/teach/train", { });
    showTraining();
    watchNow();
  } catch (error) { say(error.message, true); }
});
$("locked").addEventListener("submit", (event) => { event.preventDefault(); $("token").blur(); });
$("accept").addEventListener("click", () => decide("accepted"));
$("skip").addEventListener("click", () => decide("skipped"));
$("undo").addEventListener("click", undo);
$("language").addEventListener("click", () => { language = words().otherLanguage; translate(); });
document.addEventListener("click", (event) => {
  if (!$("menu").contains(event.target) && !event.target.closest("mark")) closeMenu();
});
// On a keyboard of another script, such as Arabic or Russian, what is in the key's place on a Latin one.
const latin = ({ key, code }) => (/^[^\x00-\x7f]$/u.test(key) ? code.replace(/^(Key|Digit)/, "").toLowerCase() : key);
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, select")) return;
  const typed = latin(event);
  const isUndo = (event.ctrlKey || event.metaKey) && typed.toLowerCase() === "z";
  if (!isUndo && (event.ctrlKey || event.metaKey || event.altKey)) return;
  const key = isUndo ? "u" : typed;
  const onButton = event.target.matches("button, a, summary");
  if (busy || (onButton && ["Enter", " "].includes(key))) return;
  const focused = task ? view.focused : -1;
  const run = {
    Enter: () => decide("accepted"), s: () => decide("skipped"), u: undo, Escape: closeMenu,
    ArrowRight: () => task && view.move(1, event.shiftKey), ArrowLeft: () => task && view.move(-1, event.shiftKey),
    ...(focused < 0 ? {} : { x: () => reject(focused), Delete: () => remove(focused), Backspace: () => remove(focused), " ": () => openMenu(focused) }),
  }[key.length === 1 ? key.toLowerCase() : key];
  const label = view.labelOf(key);
  if (!run && !label) return;
  event.preventDefault();
  if (run) run();
  else act(label);
});

translate();
tab = await nameTab();
const tellAlive = async () => {
  for (;;) {
    await pause(ALIVE);
    try {
      counts = (await call("v1/teach/alive", { tab }, true)).counts;
      showCounts();
      if (!task && !busy && counts.left) await next(); // a tab that had it may be closed
    } catch { /* the next decision will say it */ }
  }
};
tellAlive();
watch();
await next();
