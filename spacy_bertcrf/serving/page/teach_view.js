// The text with its marks. Texts and labels become text nodes and attributes only, never markup.
const N_COLOURS = 12;
const KEYS = [..."1234567890qwertyiopfghjklzcvbnm"];
const $ = (id) => document.getElementById(id);

export const element = (name, text, classes) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (classes) made.className = classes;
  return made;
};

export class View {
  // on: what the page does: label(label), open(mark's index), unreject(index)
  constructor(on) {
    this.on = on;
    this.labels = [];
    this.last = null; // what was selected last in this text
    document.addEventListener("selectionchange", () => this.#pick());
    // A mark that takes the focus would keep text from being selected inside of it.
    $("text").addEventListener("mousedown", () => this.#letFocus(false));
    document.addEventListener("mouseup", () => this.#letFocus(true));
  }

  colour(label) { return `c${Math.max(this.labels.indexOf(label), 0) % N_COLOURS}`; }

  // [start, end] in characters, whole tokens, or null. The event of a change comes after the change.
  get picked() {
    this.#pick();
    return this.last;
  }

  labelOf(key) { return this.labels[KEYS.indexOf(key.toLowerCase())]; }

  labelButton(label, act) {
    const button = element("button", `${label} `, this.colour(label));
    button.type = "button";
    button.dataset.label = label;
    const key = KEYS[this.labels.indexOf(label)];
    if (key) button.append(element("kbd", key.toUpperCase()));
    // Else the selection would go with the click.
    button.addEventListener("mousedown", (event) => event.preventDefault());
    button.addEventListener("click", () => act(label));
    return button;
  }

  showLabels(labels) {
    if (labels.join("\n") === this.labels.join("\n")) return;
    this.labels = labels;
    $("labels").replaceChildren(...labels.map((label) => {
      const item = element("li");
      item.append(this.labelButton(label, this.on.label));
      return item;
    }));
  }

  // task: {chars, tokens, entities, rejected}
  show(task) {
    this.task = task;
    this.last = null;
    const parts = [];
    let at = 0;
    task.entities.forEach((entity, index) => {
      parts.push(this.#text(at, entity.start));
      const mark = element("mark", this.#text(entity.start, entity.end), this.colour(entity.label));
      mark.classList.toggle("known", entity.known);
      mark.style.setProperty("--p", entity.known ? 1 : entity.score ?? 1);
      mark.dataset.label = entity.label;
      mark.tabIndex = 0;
      mark.setAttribute("role", "button");
      mark.setAttribute("aria-label", `${mark.textContent} ${entity.label}`);
      mark.addEventListener("click", () => { if (!this.picked) this.on.open(index); });
      parts.push(mark);
      at = entity.end;
    });
    parts.push(this.#text(at));
    $("text").replaceChildren(...parts);
    $("rejected-row").hidden = task.rejected.length === 0;
    $("rejected").replaceChildren(...task.rejected.map(({ start, end, label }, index) => {
      const item = element("li");
      const button = element("button", `${this.#text(start, end)} ${label}`);
      button.type = "button";
      button.addEventListener("click", () => this.on.unreject(index));
      item.append(button);
      return item;
    }));
  }

  // The index of the mark that has the focus, or -1.
  get focused() { return [...$("text").querySelectorAll("mark")].indexOf(document.activeElement); }

  mark(index) { return $("text").querySelectorAll("mark")[index]; }

  // Selects the token before or after what is selected, or moves the end of the selection.
  move(step, extend) {
    const { tokens } = this.task;
    if (!tokens.length) return;
    const [first, last] = this.#tokensIn(this.picked);
    let from, to;
    if (first === null) from = to = step > 0 ? 0 : tokens.length - 1;
    else if (extend) [from, to] = [first, Math.max(first, Math.min(last + step, tokens.length - 1))];
    else from = to = Math.max(0, Math.min((step > 0 ? last : first) + step, tokens.length - 1));
    const ends = [this.#place(tokens[from][0]), this.#place(tokens[to][1])];
    getSelection().setBaseAndExtent(...ends[0], ...ends[1]);
    $("text").focus();
  }

  clear() { getSelection().removeAllRanges(); this.last = null; }

  #letFocus(may) {
    for (const mark of $("text").querySelectorAll("mark")) {
      if (may) mark.tabIndex = 0;
      else mark.removeAttribute("tabindex");
    }
  }

  #text(start, end) { return this.task.chars.slice(start, end).join(""); }

  #tokensIn(range) {
    if (!range || !this.task) return [null, null];
    const inside = this.task.tokens.map(([start, end], i) => [i, start < range[1] && end > range[0]]).filter(([, is]) => is);
    return inside.length ? [inside[0][0], inside.at(-1)[0]] : [null, null];
  }

  #pick() {
    const selection = getSelection();
    const text = $("text");
    if (!this.task || !selection.rangeCount || !text.contains(selection.anchorNode)) return;
    const range = selection.getRangeAt(0);
    this.last = null;
    if (selection.isCollapsed) return;
    const inside = text.contains(range.endContainer);
    const end = inside ? this.#offset(range.endContainer, range.endOffset) : this.task.chars.length;
    const [first, last] = this.#tokensIn([this.#offset(range.startContainer, range.startOffset), end]);
    this.last = first === null ? null : [this.task.tokens[first][0], this.task.tokens[last][1]];
  }

  #offset(node, offset) {
    const before = document.createRange();
    before.selectNodeContents($("text"));
    before.setEnd(node, offset);
    return [...before.toString()].length;
  }

  // The text node, and the place in it, of a character.
  #place(character) {
    let left = this.#text(0, character).length;
    const walker = document.createTreeWalker($("text"), NodeFilter.SHOW_TEXT);
    let node = walker.nextNode();
    while (left > node.length) {
      left -= node.length;
      node = walker.nextNode();
    }
    return [node, left];
  }
}
