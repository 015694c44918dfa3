"use strict";
// Texts and labels become text nodes only, never markup.
(() => {
  const N_COLOURS = 12;
  const N_READINGS = 5;
  const TEXTS = {
    en: {
      pipeline: "Pipeline", teach: "Annotate", text: "Text: type, paste, or drop a file", read: "Find entities",
      token: "Token", threshold: "Probability at least", readings: "Best readings of the whole text",
      entity: "Entity", label: "Label", probability: "Probability", alternatives: "Alternatives",
      none: "No entity.", reading: "Reading …", nothing: "There is no text.", noEntity: "no entity",
      failed: "The service cannot be reached.", found: (n, ms) => `${n} entities, ${ms} ms`,
      other: "中文", otherLanguage: "zh",
    },
    zh: {
      pipeline: "模型", teach: "标注", text: "文本：输入、粘贴，或拖入文件", read: "识别实体",
      token: "令牌", threshold: "概率不低于", readings: "整段文本最可能的几种标注",
      entity: "实体", label: "标签", probability: "概率", alternatives: "其他可能",
      none: "没有找到实体。", reading: "识别中……", nothing: "请先输入文本。", noEntity: "没有实体",
      failed: "无法连接到服务。", found: (n, ms) => `${n} 个实体，${ms} 毫秒`,
      other: "English", otherLanguage: "en",
    },
  };
  const $ = (id) => document.getElementById(id);
  const element = (name, text, classes) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (classes) made.className = classes;
    return made;
  };
  const shown = (p) => (p === null || p === undefined ? "" : p > 0 && p < 0.01 ? "< 0.01" : p < 1 && p > 0.99 ? "> 0.99" : p.toFixed(2));

  let language = navigator.language.startsWith("zh") ? "zh" : "en";
  let pipelines = [];
  let answered = null; // {text, entities, readings, ms}
  let chosen = null; // the place of a reading, or null for what the pipeline says
  let asking = null;

  const say = (text, isError = false) => {
    $("status").textContent = text;
    $("status").classList.toggle("error", isError);
  };

  const translate = () => {
    document.documentElement.lang = language;
    for (const node of document.querySelectorAll("[data-text]")) node.textContent = TEXTS[language][node.dataset.text];
    $("language").textContent = TEXTS[language].other;
    $("language").lang = TEXTS[language].otherLanguage;
  };

  const call = async (path, body) => {
    const headers = { "Content-Type": "application/json" };
    if ($("token").value) headers.Authorization = `Bearer ${$("token").value}`;
    const response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal: asking?.signal });
    $("locked").hidden = response.status !== 401 && !$("token").value;
    const answer = await response.json();
    if (!response.ok) throw Object.assign(new Error(answer.error), { isTold: true });
    return answer;
  };

  const tell = (error) => {
    if (error.name !== "AbortError") say(error.isTold ? error.message : TEXTS[language].failed, true);
  };

  const loadPipelines = async () => {
    const found = await call("v1/pipelines");
    pipelines = found.pipelines;
    $("teach").hidden = !found.teach;
    $("pipeline").replaceChildren(...pipelines.map(({ name }) => element("option", name)));
    $("pipelines").hidden = pipelines.length < 2;
  };

  const pipeline = () => pipelines.find(({ name }) => name === $("pipeline").value);
  const colour = (label) => `c${Math.max(pipeline()?.labels.indexOf(label) ?? 0, 0) % N_COLOURS}`;

  const ask = async () => {
    const text = $("text").value;
    asking?.abort();
    if (!text.trim()) return say(TEXTS[language].nothing, true);
    asking = new AbortController();
    say(TEXTS[language].reading);
    try {
      if (!pipelines.length) await loadPipelines();
      const more = pipeline().readings ? { k_best: N_READINGS, alternatives: true } : {};
      const start = performance.now();
      const answer = await call("v1/entities", { text, pipeline: pipeline().name, offsets: "utf16", ...more });
      answered = { text, ...answer, ms: Math.round(performance.now() - start) };
      chosen = null;
      show();
    } catch (error) { tell(error); }
  };

  const visible = () => {
    if (chosen !== null) return answered.readings[chosen].entities;
    const least = Number($("threshold").value);
    return answered.entities.filter(({ score }) => score === null || score === undefined || score >= least);
  };

  const show = () => {
    if (!answered) return;
    const entities = [...visible()].sort((a, b) => a.start - b.start);
    $("result").hidden = false;
    $("threshold-row").hidden = !answered.entities.some(({ score }) => typeof score === "number") || chosen !== null;
    say(TEXTS[language].found(entities.length, answered.ms));
    const parts = [];
    let at = 0;
    for (const entity of entities) {
      parts.push(answered.text.slice(at, entity.start));
      const mark = element("mark", answered.text.slice(entity.start, entity.end), colour(entity.label));
      mark.style.setProperty("--p", entity.score ?? 1);
      mark.tabIndex = 0;
      mark.setAttribute("aria-describedby", "tip");
      mark.append(element("span", entity.label));
      const lines = [`${entity.label} ${shown(entity.score)}`, ...(entity.alternatives ?? []).map((a) => `${shown(a.score)} ${a.text} ${a.label}`)];
      for (const event of ["mouseenter", "focus"]) mark.addEventListener(event, () => showTip(mark, lines.join("\n")));
      for (const event of ["mouseleave", "blur"]) mark.addEventListener(event, hideTip);
      parts.push(mark);
      at = entity.end;
    }
    parts.push(answered.text.slice(at));
    $("marked").replaceChildren(...parts);
    $("legend").replaceChildren(...[...new Set(entities.map(({ label }) => label))].map((label) => element("li", label, colour(label))));
    showReadings();
    const body = $("table").tBodies[0];
    body.replaceChildren(...entities.map((entity) => {
      const row = element("tr");
      const others = (entity.alternatives ?? []).slice(0, 3).map((a) => `${a.text} ${a.label} ${shown(a.score)}`);
      row.append(element("td", entity.text), element("td", entity.label), element("td", shown(entity.score)), element("td", others.join("; ")));
      return row;
    }));
    $("table").hidden = entities.length === 0;
  };

  const showReadings = () => {
    const readings = answered.readings ?? [];
    $("readings").hidden = readings.length === 0;
    $("reading-list").replaceChildren(...readings.map((reading, place) => {
      const item = element("li");
      const names = reading.entities.map(({ text, label }) => `${text} ${label}`).join(", ") || TEXTS[language].noEntity;
      const button = element("button", `${shown(reading.probability)}  ${names}`);
      button.type = "button";
      button.setAttribute("aria-pressed", chosen === place);
      button.addEventListener("click", () => {
        chosen = chosen === place ? null : place;
        show();
        $("reading-list").children[place].firstChild.focus();
      });
      item.append(button);
      return item;
    }));
  };

  const showTip = (mark, text) => {
    const box = mark.getBoundingClientRect();
    $("tip").textContent = text;
    $("tip").hidden = false;
    $("tip").style.left = `${Math.max(4, Math.min(box.left, window.innerWidth - $("tip").offsetWidth - 8)) + window.scrollX}px`;
    $("tip").style.top = `${box.bottom + window.scrollY + 6}px`;
  };
  const hideTip = () => { $("tip").hidden = true; };

  $("ask").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(); }
  });
  $("threshold").addEventListener("input", () => { $("threshold-value").textContent = Number($("threshold").value).toFixed(2); show(); });
  $("pipeline").addEventListener("change", () => { if (answered) ask(); });
  $("token").addEventListener("change", () => loadPipelines().then(() => say("")).catch(tell));
  $("language").addEventListener("click", () => { language = TEXTS[language].otherLanguage; translate(); show(); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
  $("text").addEventListener("dragover", (event) => { event.preventDefault(); $("text").classList.add("dropping"); });
  $("text").addEventListener("dragleave", () => $("text").classList.remove("dropping"));
  $("text").addEventListener("drop", async (event) => {
    $("text").classList.remove("dropping");
    const file = event.dataTransfer.files[0];
    if (!file) return;
    event.preventDefault();
    $("text").value = await file.text();
    ask();
  });
  translate();
  loadPipelines().catch(tell);
})();
