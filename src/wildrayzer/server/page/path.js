// A path through cameras that were kept, as a preview and as a film.
import * as api from "./api.js";
import * as cameras from "./cameras.js";
import { announce, el, showProblem } from "./dom.js";

const MOST_FRAMES = 2000;  // of one film, the server's bound

export class Path {
  // lens: { fx, fy } of the views; onRequested is called when the server has begun a film.
  constructor(parts, { sceneId, pilot, span, lens, onRequested }) {
    Object.assign(this, { parts, sceneId, pilot, span, lens, onRequested });
    this.keys = [];  // { pose, picture }
    this.films = [];
    const on = (part, event, listener) => parts[part].addEventListener(event, listener);
    on("keep", "click", () => this.keep());
    on("play", "click", () => this.play());
    on("film", "click", () => this.film());
    for (const part of ["seconds", "fps"]) on(part, "input", () => this.showHint());
    this.show();
  }

  // The camera of now becomes the last key.
  keep() {
    this.keys.push({ pose: this.pilot.pose, picture: this.thumbnail() });
    announce(`Camera ${this.keys.length} kept.`);
    this.show();
  }

  thumbnail() {
    const { view } = this.parts;
    const canvas = el("canvas", { width: 96, height: Math.round((96 * view.height) / view.width), "aria-hidden": "true" });
    canvas.getContext("2d").drawImage(view, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  show() {
    this.parts.keys.replaceChildren(...this.keys.map((key, i) => this.row(key, i)));
    this.showHint();
  }

  row(key, i) {
    const button = (text, label, action, disabled = false) =>
      el("button", { class: "quiet", textContent: text, "aria-label": `${label} camera ${i + 1}`, title: label, disabled,
        data: { action: label }, on: { click: action } });
    return el("li", {}, key.picture, el("span", { class: "grow", textContent: `Camera ${i + 1}` }),
      button("Go", "Fly to", () => this.pilot.flyTo(key.pose)),
      button("↑", "Move up", () => this.swap(i, i - 1, "Move up"), i === 0),
      button("↓", "Move down", () => this.swap(i, i + 1, "Move down"), i === this.keys.length - 1),
      button("✕", "Remove", () => this.remove(i)));
  }

  swap(i, j, action) {
    [this.keys[i], this.keys[j]] = [this.keys[j], this.keys[i]];
    this.show();
    this.focusOn(j, action);
  }

  remove(i) {
    this.keys.splice(i, 1);
    this.show();
    this.focusOn(Math.min(i, this.keys.length - 1), "Remove");
  }

  // The rows are new: the focus goes to what was pressed, or near it.
  focusOn(row, action) {
    const buttons = [...(this.parts.keys.children[row]?.querySelectorAll("button:not(:disabled)") || [])];
    (buttons.find((button) => button.dataset.action === action) || buttons[0] || this.parts.keep).focus();
  }

  // Seconds and frames a second as they are given, within what makes sense.
  get timing() {
    const number = (part) => {
      const { value, min, max } = this.parts[part];
      return Math.min(Number(max), Math.max(Number(min), Number(value) || Number(min)));
    };
    const [seconds, fps] = [number("seconds"), number("fps")];
    return { seconds, fps, frames: Math.round(seconds * fps) };
  }

  showHint() {
    const enough = this.keys.length >= 2;
    const { frames } = this.timing;
    const tooMany = frames > MOST_FRAMES;
    this.parts.play.disabled = !enough;
    this.parts.film.disabled = !enough || tooMany;
    this.parts["path-hint"].textContent =
      this.keys.length === 0 ? "Fly to where the film begins, keep the camera, fly on."
        : !enough ? "One more camera makes a path."
          : tooMany ? `${frames} frames are too many; ${MOST_FRAMES} at most.` : `${frames} frames.`;
  }

  get curve() {
    return cameras.pathThrough(this.keys.map((key) => key.pose), this.span);
  }

  play() {
    this.parts.play.textContent = "Playing…";
    this.pilot.follow(this.curve, this.timing.seconds, () => { this.parts.play.textContent = "Preview"; });
  }

  async film() {
    const { fps, frames } = this.timing;
    const { curve } = this;
    const count = Math.max(2, frames);
    const poses = Array.from({ length: count }, (_, i) => curve(i / (count - 1)));
    this.parts.film.disabled = true;
    try {
      await api.makeFilm(this.sceneId, { cameras: poses.map((pose) => ({ c2w: cameras.c2wOf(pose) })), fps, ...this.lens });
      showProblem(this.parts["path-problem"], "");
      announce("The film is being made.");
      this.onRequested();
    } catch (error) {
      showProblem(this.parts["path-problem"], error.message);
    }
    this.showHint();
  }

  // films: Scene.paths.
  showFilms(films) {
    films.forEach((film, i) => {
      this.films[i] ??= this.newFilm(i);
      this.showFilm(this.films[i], film, i);
    });
  }

  newFilm(i) {
    const row = { bar: el("progress", { "aria-label": `Film ${i + 1}` }), note: el("span", { class: "soft" }), ready: false };
    row.element = el("li", {}, el("span", { textContent: `Film ${i + 1}` }), row.note, row.bar);
    this.parts.films.append(row.element);
    return row;
  }

  showFilm(row, film, i) {
    if (row.ready) return;
    row.note.textContent = film.state === "failed" ? film.error || "failed" : `${film.frames} frames`;
    if (film.parts > 0) {
      row.bar.max = film.parts;
      row.bar.value = film.done;
    }
    row.bar.hidden = film.state === "failed";
    if (film.state !== "ready") return;
    row.ready = true;
    const url = api.sceneUrl(this.sceneId, `/paths/${i}`);
    row.bar.replaceWith(
      el("a", { class: "button", href: url, download: `film${i + 1}.mp4`, textContent: "Download MP4" }),
      el("video", { src: url, controls: true, loop: true, muted: true, preload: "metadata", "aria-label": `Film ${i + 1}` }));
    announce(`Film ${i + 1} is ready.`);
  }
}
