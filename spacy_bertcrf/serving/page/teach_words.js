// What the page for annotators says, in both languages.
export const WORDS = {
  en: {
    try: "Try it", token: "Token", rejected: "Not these:", accept: "Accept", skip: "Skip", undo: "Undo",
    remove: "Remove", reject: "Not this", train: "Train on what is there", keys: "Keys",
    finished: "Every text has been looked at.",
    help: "Select text and press a label's key: a new entity, in place of those that it overlaps.\nArrow keys select a word, with Shift several.\nClick an entity, or Tab to it: a label's key sets the label (its own one: yes, this), Delete removes it, X says that it is none.\nEnter: the text has these entities and no others. S: keep what was said of it, and leave the rest open. U: undo, also the text before.",
    counts: ({ accepted, skipped, left }) => `${accepted} accepted, ${skipped} skipped, ${left} left`,
    saving: "Saving …", saved: "Saved", lost: "The service cannot be reached; what was done last is not saved yet. Trying again …",
    taken: "Another tab has this text now; this one goes on with the next.",
    unread: (reason) => `The pipeline cannot read this text: ${reason}`,
    states: { idle: "", preparing: "Preparing", training: "Training", loading: "Loading the new pipeline", done: "The new pipeline is in use", failed: "The training failed, and the old pipeline stays:" },
    of: (texts, seconds) => `${texts} texts, ${seconds} s`, other: "中文", otherLanguage: "zh",
  },
  zh: {
    try: "试用", token: "令牌", rejected: "不是：", accept: "确认", skip: "跳过", undo: "撤销",
    remove: "删除", reject: "不是这个", train: "用已有标注训练", keys: "按键",
    finished: "所有文本都看过了。",
    help: "选中文字后按标签键：新增实体，取代与它重叠的实体。\n方向键选一个词，按住 Shift 选多个。\n点击实体，或用 Tab 移到实体上：标签键设定标签（按它原来的标签表示正确），Delete 删除，X 表示不是实体。\nEnter：本文只有这些实体。S：保留已做的判断，其余留空。U：撤销，也可回到上一条文本。",
    counts: ({ accepted, skipped, left }) => `已确认 ${accepted}，跳过 ${skipped}，剩余 ${left}`,
    saving: "保存中……", saved: "已保存", lost: "无法连接到服务，最后的操作尚未保存，正在重试……",
    taken: "此文本已由另一个标签页处理，这里继续下一条。",
    unread: (reason) => `模型无法读取此文本：${reason}`,
    states: { idle: "", preparing: "准备中", training: "训练中", loading: "正在加载新模型", done: "新模型已启用", failed: "训练失败，继续使用原模型：" },
    of: (texts, seconds) => `${texts} 条文本，${seconds} 秒`, other: "English", otherLanguage: "en",
  },
};
