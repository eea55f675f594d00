// The mask over a photo, painted with a brush. After each stroke the mask goes to the server, which encodes the scene
// again with it.
import * as api from "./api.js";
import { announce, clearImage, isPressed, setPressed, swapImage } from "./dom.js";

const SIZE = 1280;         // of the longer side, of photo and mask
const MOST_UNDO = 20;
const COLOUR = [232, 68, 40];
const STEP = 6;            // pixels of the picture a key moves the brush

export class Brush {
  // threshold: the probability from which on something moves; onSent is called when the server has a mask, onProblem hears what
  // went wrong (or that nothing does).
  constructor(parts, { sceneId, threshold, onSent, onProblem, signal }) {
    Object.assign(this, { parts, sceneId, threshold, onSent, onProblem, signal });
    this.canvas = parts["mask-canvas"];
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.history = [];     // opacities before each stroke
    this.photo = null;
    this.stroke = null;    // the last point of a stroke that is being drawn
    this.at = null;        // where the brush is, in pixels of the mask
    this.sending = false;
    this.unsent = new Map();  // photo: its mask as PNG (a promise)
    this.usable = false;   // the mask has come: what is painted before would take its place
    this.edits = 0;        // strokes on this photo since it was opened; a mask that was painted here is not loaded again
    this.wire();
  }

  wire() {
    const { parts, canvas } = this;
    const on = (element, type, listener) => element.addEventListener(type, listener.bind(this));
    on(canvas, "pointerdown", this.pointerDown);
    on(canvas, "pointermove", this.pointerMove);
    on(canvas, "pointerup", this.endStroke);
    on(canvas, "pointercancel", this.endStroke);
    on(canvas, "pointerleave", () => { parts["brush-ring"].hidden = document.activeElement !== canvas; });
    on(canvas, "keydown", this.keyDown);
    on(canvas, "keyup", (event) => event.code === "Space" && this.endStroke());
    on(canvas, "blur", () => {
      this.endStroke();
      parts["brush-ring"].hidden = true;
    });
    on(canvas, "focus", () => this.at || this.moveTo([canvas.width / 2, canvas.height / 2]));
    on(parts.add, "click", () => this.setAdding(true));
    on(parts.remove, "click", () => this.setAdding(false));
    on(parts.opacity, "input", this.showOpacity);
    on(parts.size, "input", () => this.at && this.moveTo(this.at));
    on(parts.undo, "click", this.undo);
    on(parts.own, "click", this.reset);
    this.showOpacity();
  }

  // ---- What is shown ----

  show(scene, photo) {
    const { parts } = this;
    const { name, width, height, painted } = scene.photos[photo];
    const other = photo !== this.photo;
    if (other) {
      this.photo = photo;
      this.history = [];
      this.edits = 0;
      this.at = null;
      this.setUsable(false);
      parts.undo.disabled = true;
      for (const picture of ["mask-picture", "mask-clean-picture"]) parts[picture].style.setProperty("--ratio", width / height);
      const shrink = Math.min(1, SIZE / Math.max(width, height));
      this.canvas.width = Math.round(width * shrink);
      this.canvas.height = Math.round(height * shrink);
      parts["mask-photo"].alt = name;
      this.showSeen(scene.photos[photo]);
      for (const image of ["mask-photo", "mask-clean"]) clearImage(parts[image]);
    }
    parts.own.disabled = !painted && this.edits === 0;
    const url = (kind) => api.sceneUrl(this.sceneId, `/${kind}/${photo}?size=${SIZE}&revision=${scene.revision}`);
    swapImage(parts["mask-photo"], api.sceneUrl(this.sceneId, `/photos/${photo}?size=${SIZE}`));
    if (!scene.updating) swapImage(parts["mask-clean"], url("clean"));
    parts["mask-clean-tag"].textContent = scene.updating || this.sending ? "updating…" : "result";
    if (other || (this.edits === 0 && !scene.updating)) this.loadMask(url("masks"));
  }

  // The part of the photo that the model sees.
  showSeen({ width, height, visible }) {
    const [left, top, right, bottom] = visible || [0, 0, width, height];
    const { style } = this.parts["mask-seen"];
    style.left = `${(100 * left) / width}%`;
    style.top = `${(100 * top) / height}%`;
    style.width = `${(100 * (right - left)) / width}%`;
    style.height = `${(100 * (bottom - top)) / height}%`;
    this.parts["mask-outside"].hidden = right - left > width - 2 && bottom - top > height - 2;
  }

  setUsable(usable) {
    this.usable = usable;
    this.canvas.setAttribute("aria-busy", String(!usable));
    this.parts["mask-tag"].textContent = usable ? "what moves" : "the mask is on its way…";
  }

  async loadMask(url) {
    if (this.loaded === url) return;
    this.loaded = url;
    try {
      const bitmap = await createImageBitmap(await api.blob(url, this.signal));
      if (this.loaded !== url || this.edits > 0) return;
      this.setMask(bitmap);
      this.setUsable(true);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.loaded = null;
      this.onProblem(error.message);
    }
  }

  // Opaque where the probability is above the threshold: what is in effect is what one sees and paints on.
  setMask(bitmap) {
    const { width, height } = this.canvas;
    this.context.globalCompositeOperation = "copy";
    this.context.drawImage(bitmap, 0, 0, width, height);
    const image = this.context.getImageData(0, 0, width, height);
    for (let i = 0; i < image.data.length; i += 4) {
      const sure = 0.5 + (image.data[i] / 255 - this.threshold) / 0.2;
      image.data.set([...COLOUR, 255 * Math.min(1, Math.max(0, sure))], i);
    }
    this.context.putImageData(image, 0, 0);
  }

  showOpacity() {
    this.canvas.style.opacity = this.parts.opacity.value / 100;
  }

  setAdding(adding) {
    setPressed(this.parts.add, adding);
    setPressed(this.parts.remove, !adding);
    this.parts["brush-ring"].classList.toggle("removes", !adding);
  }

  // ---- Strokes ----

  // The brush's diameter in pixels of the mask: the slider is a share of the longer side.
  get diameter() {
    return (Number(this.parts.size.value) / 1000) * Math.max(this.canvas.width, this.canvas.height);
  }

  pointOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.canvas.width, ((event.clientY - box.top) / box.height) * this.canvas.height];
  }

  // Moves the brush, and its ring on the screen.
  moveTo(point) {
    const { width, height } = this.canvas;
    this.at = [Math.min(width, Math.max(0, point[0])), Math.min(height, Math.max(0, point[1]))];
    const ring = this.parts["brush-ring"];
    ring.hidden = false;
    ring.style.setProperty("--x", `${(100 * this.at[0]) / width}%`);
    ring.style.setProperty("--y", `${(100 * this.at[1]) / height}%`);
    ring.style.setProperty("--diameter", `${(100 * this.diameter) / width}%`);
    if (this.stroke) this.lineTo(this.at);
  }

  beginStroke() {
    if (this.stroke || !this.usable) return;
    const { width, height } = this.canvas;
    const { data } = this.context.getImageData(0, 0, width, height);
    const opacities = new Uint8Array(width * height);
    for (let i = 0; i < opacities.length; ++i) opacities[i] = data[4 * i + 3];
    this.history.push(opacities);
    if (this.history.length > MOST_UNDO) this.history.shift();
    ++this.edits;
    this.stroke = this.at;
    this.lineTo(this.at);
  }

  lineTo(point) {
    const { context } = this;
    context.globalCompositeOperation = isPressed(this.parts.add) ? "source-over" : "destination-out";
    context.strokeStyle = `rgb(${COLOUR})`;
    context.lineWidth = this.diameter;
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(...this.stroke);
    context.lineTo(point[0] + 0.01, point[1]);  // a line without length would not be drawn
    context.stroke();
    this.stroke = point;
  }

  endStroke() {
    if (!this.stroke) return;
    this.stroke = null;
    this.parts.undo.disabled = false;
    this.send();
  }

  pointerDown(event) {
    if (event.button > 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.moveTo(this.pointOf(event));
    this.beginStroke();
  }

  pointerMove(event) {
    const events = this.stroke ? event.getCoalescedEvents() : [];
    for (const one of events.length > 0 ? events : [event]) this.moveTo(this.pointOf(one));
  }

  keyDown(event) {
    const [x, y] = this.at || [0, 0];
    const step = STEP * (event.shiftKey ? 5 : 1);
    const { size } = this.parts;
    const actions = {
      ArrowLeft: () => this.moveTo([x - step, y]), ArrowRight: () => this.moveTo([x + step, y]),
      ArrowUp: () => this.moveTo([x, y - step]), ArrowDown: () => this.moveTo([x, y + step]),
      Space: () => this.beginStroke(),
      KeyX: () => this.setAdding(!isPressed(this.parts.add)),
      BracketLeft: () => { size.value = Number(size.value) - 6; this.moveTo(this.at); },
      BracketRight: () => { size.value = Number(size.value) + 6; this.moveTo(this.at); },
    };
    if (event.ctrlKey || event.metaKey) {
      if (event.code !== "KeyZ") return;
      actions.KeyZ = () => this.undo();
    }
    if (!(event.code in actions)) return;
    event.preventDefault();
    actions[event.code]();
  }

  undo() {
    if (this.stroke || this.history.length === 0) return;
    const opacities = this.history.pop();
    const { width, height } = this.canvas;
    const image = this.context.createImageData(width, height);
    opacities.forEach((opacity, i) => image.data.set([...COLOUR, opacity], 4 * i));
    this.context.putImageData(image, 0, 0);
    this.parts.undo.disabled = this.history.length === 0;
    if (this.parts.undo.disabled) this.canvas.focus();
    this.send();
  }

  // ---- To the server ----

  // The mask as PNG: white moves.
  png() {
    const { width, height } = this.canvas;
    const image = this.context.getImageData(0, 0, width, height);
    for (let i = 0; i < image.data.length; i += 4) {
      const moves = image.data[i + 3];
      image.data.set([moves, moves, moves, 255], i);
    }
    const plain = new OffscreenCanvas(width, height);
    plain.getContext("2d").putImageData(image, 0, 0);
    return plain.convertToBlob({ type: "image/png" });
  }

  // One mask at a time; of a photo that is painted on meanwhile the last mask goes next.
  async send() {
    this.unsent.set(this.photo, this.png());
    if (this.sending) return;
    this.sending = true;
    this.parts["mask-clean-tag"].textContent = "updating…";
    this.parts.own.disabled = false;
    while (this.unsent.size > 0 && !this.signal.aborted) {
      const [[photo, png]] = this.unsent;
      this.unsent.delete(photo);
      try {
        await api.putMask(this.sceneId, photo, await png);
        this.onProblem("");
        announce("The mask was sent; the scene is encoded again.");
      } catch (error) {
        this.onProblem(`The mask was not taken: ${error.message}`);
      }
    }
    this.sending = false;
    this.onSent();
  }

  async reset() {
    try {
      await api.deleteMask(this.sceneId, this.photo);
      this.history = [];
      this.edits = 0;
      this.loaded = null;
      this.setUsable(false);
      this.parts.undo.disabled = true;
      this.canvas.focus();
      this.onSent();
      announce("Back to the model’s own mask.");
    } catch (error) {
      this.onProblem(error.message);
    }
  }
}
