// The camera that a person flies: from mouse, wheel, keys and touch to a pose.
import * as cameras from "./cameras.js";

const MOVES = {  // in the camera's own axes: right, up, forward
  KeyD: [1, 0, 0], KeyA: [-1, 0, 0], KeyE: [0, 1, 0], KeyQ: [0, -1, 0], KeyW: [0, 0, 1], KeyS: [0, 0, -1],
};
const TURNS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };  // right, down
const TURN_SPEED = 0.6;     // radians a second
const SOFTNESS = 0.09;      // seconds in which keys take hold and let go
const FLIGHT_SECONDS = 0.9;
const STEEPEST = 0.97;      // cosine between the view and straight up or down that looking does not pass

const smooth = (t) => t * t * (3 - 2 * t);

export class Pilot {
  // home: the pose to begin with; span: what steps are measured by; fieldOfView: radians, [across, down].
  // onWake is called when there is something to move.
  constructor({ home, up, span, fieldOfView, onWake }) {
    Object.assign(this, { home, up, span, fieldOfView, onWake, pose: home, speed: 1 });
    this.keys = new Set();
    this.fast = false;
    this.velocity = [0, 0, 0, 0, 0];  // right, up, forward in spans a second; turns right, down in radians a second
    this.fingers = new Map();
    this.flight = null;
  }

  // Whether the pose changes by itself.
  get moving() {
    return this.flight !== null || this.keys.size > 0 || this.velocity.some((v) => v !== 0);
  }

  // Moves on by `seconds`; returns whether the pose has changed.
  step(seconds) {
    const before = this.pose;
    if (this.flight) this.stepFlight(seconds);
    else this.stepKeys(seconds);
    return this.pose !== before;
  }

  stepFlight(seconds) {
    const flight = this.flight;
    flight.time += seconds;
    const t = Math.min(1, flight.time / flight.duration);
    this.pose = flight.at(t);
    if (t < 1) return;
    this.flight = null;
    flight.done?.();
  }

  stepKeys(seconds) {
    const target = [0, 0, 0, 0, 0];
    for (const key of this.keys) {
      (MOVES[key] || []).forEach((v, i) => { target[i] += v * this.speed * (this.fast ? 3 : 1); });
      (TURNS[key] || []).forEach((v, i) => { target[3 + i] += v * TURN_SPEED; });
    }
    const hold = 1 - Math.exp(-seconds / SOFTNESS);
    this.velocity = this.velocity.map((v, i) => {
      const next = v + (target[i] - v) * hold;
      return target[i] === 0 && Math.abs(next) < 0.01 ? 0 : next;
    });
    const [right, up, forward, across, down] = this.velocity.map((v) => v * seconds);
    if (right || up || forward) this.move(right, up, forward);
    if (across || down) this.turn(across, down);
  }

  // By spans, in the camera's axes.
  move(right, up, forward) {
    const [x, y, z] = cameras.axes(this.pose.rotation);
    const by = [[x, right], [y, -up], [z, forward]].reduce(
      (sum, [axis, amount]) => cameras.add(sum, cameras.scale(axis, amount * this.span)), [0, 0, 0]);
    this.pose = { ...this.pose, position: cameras.add(this.pose.position, by) };
  }

  // To the right about what is up in the world, so that the horizon stays level, then down about the camera's own axis.
  turn(right, down) {
    const about = cameras.exp(cameras.scale(this.up, -right));
    let rotation = cameras.multiply(about, this.pose.rotation);
    const tilted = cameras.multiply(rotation, cameras.exp([-down, 0, 0]));
    const steep = (q) => Math.abs(cameras.dot(cameras.axes(q)[2], this.up));
    if (steep(tilted) < STEEPEST || steep(tilted) < steep(rotation)) rotation = tilted;
    this.pose = { ...this.pose, rotation };
  }

  flyTo(pose) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const from = this.pose;
    this.follow((t) => (t === 1 ? pose : cameras.between(from, pose, smooth(t))), calm ? 0 : FLIGHT_SECONDS);
  }

  // Follows `at`, from [0, 1] to poses, for so many seconds; any input of the person ends it.
  follow(at, duration, done = null) {
    this.stop();
    this.flight = { at, duration: Math.max(duration, 1e-3), time: 0, done };
    this.onWake();
  }

  stop() {
    const flight = this.flight;
    this.flight = null;
    this.velocity = [0, 0, 0, 0, 0];
    flight?.done?.();
  }

  // ---- Input ----

  attach(element, signal) {
    const on = (type, listener) => element.addEventListener(type, listener.bind(this), { signal, passive: false });
    on("keydown", this.keyDown);
    on("keyup", this.keyUp);
    on("blur", () => this.keys.clear());
    on("pointerdown", this.pointerDown);
    on("pointermove", this.pointerMove);
    for (const end of ["pointerup", "pointercancel"]) on(end, (event) => this.fingers.delete(event.pointerId));
    on("wheel", this.wheel);
  }

  keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    this.fast = event.shiftKey;
    if (!(event.code in MOVES) && !(event.code in TURNS)) return;
    event.preventDefault();
    if (this.flight) this.stop();
    this.keys.add(event.code);
    this.onWake();
  }

  keyUp(event) {
    this.fast = event.shiftKey;
    this.keys.delete(event.code);
  }

  pointerDown(event) {
    if (event.button > 0) return;
    event.target.setPointerCapture(event.pointerId);
    event.target.focus({ preventScroll: true });
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.flight) this.stop();
  }

  pointerMove(event) {
    if (!this.fingers.has(event.pointerId)) return;
    const before = [...this.fingers.values()];
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    const now = [...this.fingers.values()];
    const { clientWidth: width, clientHeight: height } = event.target;
    if (now.length === 1) this.drag(before[0], now[0], width, height);
    else this.pinch(before, now, width);
    this.onWake();
  }

  // What is under the pointer stays there.
  drag(before, now, width, height) {
    this.turn(((before[0] - now[0]) / width) * this.fieldOfView[0], ((before[1] - now[1]) / height) * this.fieldOfView[1]);
  }

  // Two fingers move the camera across, and forward as they part.
  pinch([a0, b0], [a1, b1], width) {
    const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    const apart = (a, b) => Math.max(20, Math.hypot(a[0] - b[0], a[1] - b[1]));
    const [from, to] = [middle(a0, b0), middle(a1, b1)];
    const across = (2 * this.speed) / width;
    this.move((from[0] - to[0]) * across, (to[1] - from[1]) * across,
      3 * this.speed * Math.log(apart(a1, b1) / apart(a0, b0)));
  }

  wheel(event) {
    event.preventDefault();
    if (this.flight) this.stop();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
    const amount = Math.max(-300, Math.min(300, event.deltaY * lines));
    this.move(0, 0, -0.0015 * amount * this.speed);
    this.onWake();
  }
}
