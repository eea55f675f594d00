// A new scene: files are dropped, chosen or pasted, sent as they come, and looked over before the start.
import * as api from "./api.js";
import { announce, el, fill, showProblem } from "./dom.js";

const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

// What a scene is called unless somebody says: as its first file, or by the time where that is but a number.
function nameFor(file) {
  const stem = file.name.replace(/\.[^.]*$/, "");
  return /\D/.test(stem) ? stem.slice(0, 80) : `Scene ${new Date().toTimeString().slice(0, 5)}`;
}

// All files of a drop, those in folders too.
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry());
  const files = [...transfer.files];  // both have to be read before the event is over
  if (!entries.some((entry) => entry?.isDirectory)) return files;
  return (await Promise.all(entries.map(filesBelow))).flat();
}

async function filesBelow(entry) {
  if (!entry) return [];
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {  // a reader gives a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    found.push(...some);
  }
  found.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  return (await Promise.all(found.map(filesBelow))).flat();
}

export class NewScene {
  // limits: of the server; onStarted hears the id.
  constructor(root, { limits, onStarted }) {
    this.parts = fill(root, "new-template");
    this.limits = limits;
    this.onStarted = onStarted;
    this.items = [];
    this.scene = null;      // promises the id of the scene that collects the files, once there is one
    this.id = null;         // the same when it is known
    this.sending = false;   // one file at a time: photos keep their order
    this.closed = false;
    const { input, form } = this.parts;
    input.addEventListener("change", () => {
      this.add([...input.files]);
      input.value = "";  // the same file may be chosen again
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
  }

  // What has arrived stays on the server, to be started or deleted later.
  close() {
    this.closed = true;
    for (const item of this.items) this.drop(item);
    if (!this.items.some((item) => item.state === "sent")) this.forgetScene();
  }

  async forgetScene() {
    const scene = this.scene;
    this.scene = this.id = null;
    try {
      if (scene) await api.deleteScene(await scene);
    } catch {
      // It is gone already, or the server is, which the page says elsewhere.
    }
  }

  // ---- Files ----

  add(files) {
    const room = this.limits.files - this.items.length;
    showProblem(this.parts.problem, files.length > room
      ? `A scene takes ${this.limits.files} files; ${files.length - room} were left out. Two to four photos are enough.` : "");
    for (const file of files.slice(0, Math.max(0, room))) this.items.push(this.newItem(file));
    if (!this.parts.name.value && this.items.length > 0) this.parts.name.value = nameFor(this.items[0].file);
    this.parts.form.hidden = this.items.length === 0;
    this.sendNext();
  }

  newItem(file) {
    const item = { file, state: "waiting", kind: null, number: null, control: new AbortController() };
    item.picture = el("img", { alt: "" });
    item.url = URL.createObjectURL(file);
    item.picture.addEventListener("error", () => item.picture.classList.add("none"));  // a video, or HEIC
    item.picture.src = item.url;
    item.note = el("span", { class: "soft", textContent: size(file.size) });
    item.bar = el("progress", { max: 1, value: 0, "aria-label": `Sending ${file.name}` });
    const remove = el("button", {
      type: "button", class: "quiet", textContent: "Remove", "aria-label": `Remove ${file.name}`,
      on: { click: () => this.remove(item) },
    });
    item.row = el("li", {}, item.picture, el("span", { class: "file-name", textContent: file.name }), item.note, item.bar, remove);
    this.parts.files.append(item.row);
    if (file.size > this.limits.file_bytes) this.setState(item, "failed", `larger than ${size(this.limits.file_bytes)}, which the server takes at most`);
    return item;
  }

  setState(item, state, note = null) {
    item.state = state;
    item.row.dataset.state = state;
    item.bar.hidden = state !== "sending" && state !== "waiting";
    if (note !== null) item.note.textContent = note;
    item.note.className = state === "failed" ? "bad" : "soft";
    if (state === "failed") announce(`${item.file.name}: ${note}`);
    this.showHint();
  }

  drop(item) {
    item.control.abort();
    URL.revokeObjectURL(item.url);
  }

  async remove(item) {
    if (item.state === "removing") return;
    const sending = item.state === "sending";
    if (item.state === "sent" && !await this.takeBack(item)) return;
    const next = item.row.nextElementSibling || item.row.previousElementSibling;
    this.items = this.items.filter((other) => other !== item);
    this.drop(item);
    item.row.remove();
    (next?.querySelector("button") || this.parts.input).focus();
    this.parts.form.hidden = this.items.length === 0;
    this.showHint();
    if (sending) this.sendAgain();
  }

  // Resolves to whether the server has the file no more.
  async takeBack(item) {
    this.setState(item, "removing");
    showProblem(this.parts.problem, "");
    try {
      await api.deleteFile(this.id, item.number);
      return true;
    } catch (error) {
      if (error.status === 404) return true;
      showProblem(this.parts.problem, error.message);
      this.setState(item, "sent");
      return false;
    }
  }

  // A file that was being sent may have arrived or not, so what remains goes into a scene of its own.
  sendAgain() {
    this.forgetScene();
    for (const other of this.items.filter((one) => one.state === "sent" || one.state === "sending")) {
      other.control.abort();
      other.control = new AbortController();
      this.setState(other, "waiting", size(other.file.size));
    }
    this.sendNext();
  }

  // ---- Sending ----

  async sendNext() {
    this.showHint();
    const item = this.items.find((one) => one.state === "waiting");
    if (!item || this.sending || this.closed) return;
    this.sending = true;
    this.setState(item, "sending");
    const { control } = item;
    try {
      const seen = await this.send(item, control.signal);
      Object.assign(item, { kind: seen.kind, number: seen.file });
      this.setState(item, "sent", `${seen.kind === "video" ? "video, " : ""}${seen.width} × ${seen.height}`);
    } catch (error) {
      if (!control.signal.aborted) this.setState(item, "failed", error.message);
    }
    this.sending = false;
    this.sendNext();
  }

  async send(item, signal) {
    const scene = this.scene ??= api.createScene(this.parts.name.value || item.file.name);
    try {
      const id = await scene;
      if (this.scene === scene) this.id = id;
    } catch (error) {
      if (this.scene === scene) this.scene = null;  // the next file tries again
      throw error;
    }
    signal.throwIfAborted();
    return api.sendFile(await scene, item.file, (share) => { item.bar.value = share; }, signal);
  }

  // What is missing before the start, or "".
  missing() {
    if (this.items.some((item) => item.state === "waiting" || item.state === "sending")) return "Sending…";
    if (this.items.some((item) => item.state === "removing")) return "Removing…";
    const sent = this.items.filter((item) => item.state === "sent");
    if (sent.some((item) => item.kind === "video")) return "";
    return sent.length >= 2 ? "" : sent.length === 1 ? "One more photo is needed." : "Two photos are needed.";
  }

  showHint() {
    const missing = this.missing();
    const failed = this.items.filter((item) => item.state === "failed").length;
    this.parts.start.disabled = missing !== "";
    this.parts.hint.textContent = missing || (failed ? `${failed} of the files will be left out.` : "");
  }

  async start() {
    if (this.missing()) return;
    this.parts.start.disabled = true;
    const options = { name: this.parts.name.value };
    if (this.parts.inputs.value) options.inputs = Number(this.parts.inputs.value);
    try {
      await api.startScene(this.id, options);
      this.started = true;
      this.onStarted(this.id);
    } catch (error) {
      showProblem(this.parts.problem, error.message);
      this.showHint();
    }
  }
}
