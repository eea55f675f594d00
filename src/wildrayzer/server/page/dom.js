// Elements of the page. Text from files and from the server is only ever set as text, never as markup.

// An element: properties are set as they are, except "class", "data" (an object) and "on" (event: listener);
// names with a hyphen are attributes. Children are nodes or texts; null is left out.
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export const byId = (id) => document.getElementById(id);

// A copy of a template's content in `parent`, and its elements by their data-part.
export function fill(parent, templateId) {
  parent.replaceChildren(byId(templateId).content.cloneNode(true));
  const parts = { root: parent.firstElementChild };
  for (const element of parent.querySelectorAll("[data-part]")) parts[element.dataset.part] = element;
  return parts;
}

// Shows a picture when it has arrived, and until then what was there, so that nothing flickers. The last call
// for an image wins. Resolves to whether this call's picture is shown.
const wanted = new WeakMap();
export async function swapImage(image, url) {
  if (wanted.get(image) === url) return true;
  wanted.set(image, url);
  const next = new Image();
  next.src = url;
  try {
    await next.decode();
  } catch {
    if (wanted.get(image) === url) wanted.delete(image);
    return false;
  }
  if (wanted.get(image) !== url) return false;
  image.src = url;
  return true;
}

// Takes a picture away, when what it shows would be wrong until the next has come.
export function clearImage(image) {
  wanted.delete(image);
  image.removeAttribute("src");
}

// Says something to those who listen to the page.
export function announce(text) {
  byId("announcer").textContent = text;
}

// Shows or hides a line about what went wrong.
export function showProblem(element, text) {
  element.hidden = !text;
  element.textContent = text || "";
}

export const setPressed = (button, pressed) => button.setAttribute("aria-pressed", String(pressed));
export const isPressed = (button) => button.getAttribute("aria-pressed") === "true";

// Asks before something is lost. Resolves to whether the answer was yes.
export function confirmed(text, yes) {
  const dialog = byId("question");
  byId("question-text").textContent = text;
  byId("question-yes").textContent = yes;
  dialog.returnValue = "no";  // what Escape means
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

// Calls `work` now and again `pause()` milliseconds after each time it has finished, until the signal aborts.
// Returns a function that makes the next time come at once.
export function repeat(work, pause, signal) {
  let timer = 0;
  let running = false;
  let again = false;
  async function run() {
    clearTimeout(timer);
    if (signal.aborted) return;
    if (running) {
      again = true;
      return;
    }
    running = true;
    do {
      again = false;
      await work().catch((error) => console.error(error));  // the next time may be better
    } while (again && !signal.aborted);
    running = false;
    if (!signal.aborted) timer = setTimeout(run, pause());
  }
  signal.addEventListener("abort", () => clearTimeout(timer));
  run();
  return run;
}
