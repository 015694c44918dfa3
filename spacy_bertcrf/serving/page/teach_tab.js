// The name of this tab: one that no other tab has, also not one that was made from this one; a
// reload keeps it.
const KEY = "bertcrf-tab";
const PATIENCE = 300; // milliseconds

const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// Whether no other tab has a name, which this one has from now on if so.
const claimLock = (name) => new Promise((tell) => {
  navigator.locks.request(name, { ifAvailable: true }, (lock) => { tell(!!lock); return lock && new Promise(() => {}); });
});

// Browsers have no locks on a page that came by plain HTTP from another machine. There tabs ask
// each other; two that ask for a name at once both give it up.
let own = null;
let channel = null;
const claimByAsking = async (name) => {
  own = name;
  channel ??= new BroadcastChannel(KEY);
  return new Promise((tell) => {
    channel.onmessage = ({ data: { asked, taken } }) => {
      if (asked === own) channel.postMessage({ taken: own });
      if (taken === name) tell(false);
    };
    channel.postMessage({ asked: name });
    setTimeout(() => tell(true), PATIENCE);
  });
};

export const nameTab = async () => {
  const claim = navigator.locks ? claimLock : claimByAsking;
  let name = sessionStorage.getItem(KEY);
  if (!name || !await claim(name)) {
    name = random();
    claim(name); // nobody else has it
  }
  sessionStorage.setItem(KEY, name);
  return name;
};
