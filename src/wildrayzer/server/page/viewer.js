// Views of the place on a canvas, streamed as they render: one request at a time; quick ones while the camera moves,
// one with all detail when it rests. What was drawn last stays until something newer has arrived.
import * as api from "./api.js";

const REST_MS = 140;       // without movement before all detail is asked for
const RETRY_MS = 1000;     // after the server did not answer
const SOON_MS = 60;

// Resolves when what was drawn before is on the screen.
const painted = () =>
  new Promise((resolve) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => resolve(performance.now());
    channel.port2.postMessage(0);
  }));

export class Viewer {
  // canvas has the size of a view with all detail; camera gives what a request says besides `quick`;
  // onFrame hears { ms, renderMs, quick } of each frame, ms from the request to the screen.
  constructor({ canvas, sceneId, pilot, camera, onFrame, onPose, signal }) {
    Object.assign(this, { canvas, sceneId, pilot, camera, onFrame, onPose, signal });
    this.context = canvas.getContext("2d", { alpha: false });
    this.client = crypto.getRandomValues(new Uint32Array(2)).join("-");  // the server drops what this viewer no longer waits for
    this.context.imageSmoothingQuality = "high";
    this.active = true;
    this.request = null;     // { quick, control } on its way
    this.stale = true;       // what is shown is not of the pose, or of an older scene
    this.detailed = false;   // what is shown has all detail
    this.movedAt = -Infinity;
    this.lastTick = 0;
    this.scheduled = false;
    signal.addEventListener("abort", () => {
      this.active = false;
      this.request?.control.abort();
      clearTimeout(this.timer);
    });
  }

  // While nobody sees the canvas nothing is asked for.
  setActive(active) {
    this.active = active;
    if (active) this.wake();
    else this.request?.control.abort();
  }

  // The scene has changed: the picture is to be fetched again.
  refresh() {
    this.stale = true;
    this.wake();
  }

  wake() {
    if (this.pilot.moving || this.pilot.pose !== this.shownPose) {
      this.detailed = false;
      this.canvas.dataset.detail = "none";  // nothing is shown yet of where the camera goes
    }
    if (this.scheduled || !this.active) return;
    this.scheduled = true;
    requestAnimationFrame((now) => {
      this.scheduled = false;
      this.tick(now);
    });
  }

  tick(now) {
    const seconds = Math.min(0.1, (now - this.lastTick) / 1000);
    this.lastTick = now;
    const before = this.shownPose;
    this.pilot.step(seconds);
    if (this.pilot.pose !== before) {
      this.shownPose = this.pilot.pose;
      this.stale = true;
      this.movedAt = now;
      this.onPose(this.pilot.pose);
    }
    this.advance();
    if (this.pilot.moving) this.wake();
  }

  // Asks for what is missing, unless it is on its way.
  advance() {
    if (!this.active) return;
    if (this.stale) {
      if (this.request && !this.request.quick) this.request.control.abort();  // overtaken
      else if (!this.request) this.fetch(true);
      return;
    }
    if (this.detailed || this.request) return;
    const wait = this.movedAt + REST_MS - performance.now();
    if (wait <= 0 && !this.pilot.moving) this.fetch(false);
    else this.later(Math.max(wait, 0) + 5);
  }

  later(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.advance(), ms);
  }

  async fetch(quick) {
    const control = new AbortController();
    this.request = { quick, control };
    if (quick) this.stale = false;
    const begun = performance.now();
    let frame = null;
    let retry = 0;
    try {
      const { picture, renderMs } = await api.view(this.sceneId, { ...this.camera(), quick, client: this.client }, control.signal);
      frame = { bitmap: await createImageBitmap(picture), renderMs };
    } catch (error) {
      // 409: a view that was given up came to the server after this one and took its place.
      if (error.name !== "AbortError") retry = error.status === 409 ? SOON_MS : RETRY_MS;
    }
    const aborted = control.signal.aborted;
    if (this.request?.control === control) this.request = null;
    if (frame && !aborted) this.draw(frame, quick, begun);
    else if (quick) this.stale = true;
    if (this.signal.aborted) return;
    if (retry) this.later(retry);
    else this.advance();
  }

  draw({ bitmap, renderMs }, quick, begun) {
    this.context.drawImage(bitmap, 0, 0, this.canvas.width, this.canvas.height);
    bitmap.close();
    this.detailed = !quick;
    painted().then((now) => this.signal.aborted || this.onFrame({ ms: now - begun, renderMs, quick }));
  }
}
