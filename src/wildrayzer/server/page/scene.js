// One scene: what it does until it is ready, then the place to look around in.
import * as api from "./api.js";
import { Brush } from "./brush.js";
import * as cameras from "./cameras.js";
import { Compare } from "./compare.js";
import { announce, byId, confirmed, el, fill, repeat, setPressed } from "./dom.js";
import { Pilot } from "./flight.js";
import { Path } from "./path.js";
import { Plot } from "./plot.js";
import { Progress } from "./progress.js";
import { Viewer } from "./viewer.js";

const BUSY_MS = 250;    // between looks at a scene that is computed
const IDLE_MS = 2500;   // at one that is not
const FAR_SPANS = 1.25;  // from the nearest photo's camera, where what nobody photographed begins
const FAR_ANGLE = 0.7;  // radians

export class SceneView {
  // model: of the server's state; onChange is called when its state is another, onGone when it is no more.
  constructor(root, { id, model, onChange, onGone }) {
    Object.assign(this, { id, model, onChange, onGone });
    this.parts = fill(root, "scene-template");
    this.control = new AbortController();
    this.signal = this.control.signal;
    this.photo = 0;
    this.mode = "fly";
    this.progress = new Progress(this.parts, id, {
      start: () => this.start(), remove: () => this.remove(), onChange: () => this.look(),
    });
    this.parts.delete.addEventListener("click", () => this.remove());
    this.parts.zip.href = api.sceneUrl(id, "/result.zip");
    this.look = repeat(() => this.update(), () => (this.busy ? BUSY_MS : IDLE_MS), this.signal);
  }

  close() {
    this.control.abort();
  }

  // ---- The server's word ----

  async update() {
    let scene;
    try {
      scene = await api.scene(this.id, this.signal);
    } catch (error) {
      if (error.status === 404 && !this.signal.aborted) this.leave("This scene is no longer on the server.");
      return;
    }
    if (this.signal.aborted) return;
    const { parts } = this;
    this.scene = scene;
    this.busy = scene.state === "queued" || scene.state === "working" || Boolean(scene.updating)
      || (scene.paths || []).some((path) => path.state !== "ready" && path.state !== "failed");
    parts.root.dataset.state = scene.state;
    parts.root.dataset.revision = scene.revision;
    parts.root.dataset.updating = Boolean(scene.updating);
    parts.name.textContent = scene.name;
    document.title = `${scene.name} – wildrayzer`;
    const ready = scene.state === "ready";
    parts.work.hidden = ready;
    parts.live.hidden = parts.bar.hidden = !ready;
    if (this.state !== scene.state) this.onChange();
    this.state = scene.state;
    if (ready) this.showReady(scene);
    else this.progress.show(scene);
  }

  showReady(scene) {
    if (!this.viewer) this.open(scene);
    if (this.revision !== scene.revision && !scene.updating) {  // else it is about to be another one
      this.revision = scene.revision;
      this.viewer.refresh();
      this.showStrip(scene);
      this.showWarnings(scene.warnings || []);
    }
    this.updating = scene.updating;
    this.showStatus(scene.updating ? "The scene is encoded again…" : "");
    this.showMode();
    this.path.showFilms(scene.paths || []);
  }

  showStatus(text) {
    if (this.parts.status.textContent !== text) this.parts.status.textContent = text;
  }

  showWarnings(warnings) {
    this.parts.warnings.replaceChildren(...warnings.map((text) => el("p", { class: "warning", textContent: text })));
  }

  // ---- The place ----

  open(scene) {
    const { parts, signal } = this;
    this.poses = scene.photos.map((photo) => cameras.poseOf(photo.camera.c2w));
    const { fx, fy } = scene.photos[0].camera;
    this.lens = { fx, fy };
    this.span = cameras.sceneSpan(this.poses, scene.points);
    this.pilot = new Pilot({
      home: this.poses[0], up: [0, -1, 0], span: this.span,
      fieldOfView: [2 * Math.atan(0.5 / fx), 2 * Math.atan(0.5 / fy)],
      onWake: () => this.viewer.wake(),
    });
    Object.assign(parts.view, { width: scene.width, height: scene.height });
    parts.fly.style.setProperty("--ratio", scene.width / scene.height);
    this.viewer = new Viewer({
      canvas: parts.view, sceneId: this.id, pilot: this.pilot, signal,
      camera: () => ({ c2w: cameras.c2wOf(this.pilot.pose), ...this.lens }),
      onFrame: (frame) => this.showFrame(frame),
      onPose: (pose) => this.showPose(pose),
    });
    this.pilot.attach(parts.view, signal);
    this.compare = new Compare(parts, this.id);
    this.brush = new Brush(parts, {
      sceneId: this.id, threshold: this.model.threshold ?? 0.5, signal,
      onSent: () => this.look(), onProblem: (text) => this.showStatus(text),
    });
    this.path = new Path(parts, { sceneId: this.id, pilot: this.pilot, span: this.span, lens: this.lens, onRequested: () => this.look() });
    this.plot = new Plot(parts.plot, (photo) => this.choose(photo), signal);
    this.plot.show({ photos: scene.photos, points: scene.points, span: this.span, shape: [1 / fx, 1 / fy], pose: this.pilot.pose });
    this.listen();
    announce("The place is ready to look around in.");
    if (document.activeElement === document.body) parts.view.focus({ preventScroll: true });
  }

  listen() {
    const { parts } = this;
    parts.modes.addEventListener("click", (event) => event.target.dataset.mode && this.setMode(event.target.dataset.mode));
    parts.reset.addEventListener("click", () => this.choose(0));
    parts.speed.addEventListener("input", () => { this.pilot.speed = 2 ** Number(parts.speed.value); });
    parts.view.addEventListener("keydown", (event) => this.shortcut(event));
  }

  shortcut(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    if (digit && this.poses[digit[1] - 1]) this.choose(digit[1] - 1);
    else if (event.code === "KeyR") this.choose(0);
    else if (event.code === "KeyK") this.path.keep();
  }

  showFrame({ ms, renderMs, quick }) {
    const { parts } = this;
    parts.readout.textContent = `${Math.round(ms)} ms${renderMs ? `, ${Math.round(renderMs)} of them rendering` : ""}${quick ? "" : ", all detail"}`;
    Object.assign(parts.view.dataset, {
      ms: ms.toFixed(1), rendering: renderMs, detail: quick ? "quick" : "full",
      frames: Number(parts.view.dataset.frames || 0) + 1,
    });
  }

  showPose(pose) {
    const nearest = Math.min(...this.poses.map((other) =>
      Math.max(cameras.length(cameras.subtract(other.position, pose.position)) / (FAR_SPANS * this.span),
        cameras.angleBetween(other, pose) / FAR_ANGLE)));
    this.parts.far.hidden = nearest < 1;
    this.parts.view.dataset.camera = cameras.c2wOf(pose).map((number) => number.toFixed(5)).join(" ");
    this.plot.setPose(pose);
  }

  // ---- Photos and modes ----

  showStrip(scene) {
    const buttons = scene.photos.map((photo, i) => el("li", {}, el("button", {
      "aria-label": `Photo ${i + 1}: ${photo.name}${photo.role === "target" ? ", held out" : ""}`, title: photo.name,
      on: { click: () => this.choose(i) },
    }, el("img", { src: api.sceneUrl(this.id, `/photos/${i}?size=320`), alt: "", draggable: false }),
      el("span", { class: `dot ${photo.role}` }))));
    if (this.parts.strip.children.length !== buttons.length) this.parts.strip.replaceChildren(...buttons);
    this.markPhoto();
  }

  markPhoto() {
    [...this.parts.strip.children].forEach((item, i) => {
      if (i === this.photo) item.firstElementChild.setAttribute("aria-current", "true");
      else item.firstElementChild.removeAttribute("aria-current");
    });
  }

  choose(photo) {
    this.photo = photo;
    this.markPhoto();
    this.pilot.flyTo(this.poses[photo]);
    this.showMode();
  }

  setMode(mode) {
    this.mode = mode;
    for (const button of this.parts.modes.children) setPressed(button, button.dataset.mode === mode);
    this.showMode();
  }

  showMode() {
    for (const mode of ["fly", "compare", "mask"]) this.parts[mode].hidden = mode !== this.mode;
    this.viewer.setActive(this.mode === "fly");
    if (this.mode === "compare") this.compare.show(this.scene, this.photo);
    if (this.mode === "mask") this.brush.show(this.scene, this.photo);
  }

  // ---- The scene as a whole ----

  async start() {
    try {
      await api.startScene(this.id, {});
      this.progress.tell("");
      this.look();
    } catch (error) {
      this.progress.tell(error.message);
    }
  }

  async remove() {
    if (!await confirmed("Delete this scene, its films and its masks? Photos on your disk stay where they are.", "Delete")) return;
    try {
      await api.deleteScene(this.id);
      this.leave("The scene was deleted.");
    } catch (error) {
      this.showStatus(error.message);
      this.progress.tell(error.message);
    }
  }

  leave(text) {
    this.close();
    announce(text);
    this.onGone(this.id);
    byId("main").focus();
  }
}
