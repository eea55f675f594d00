// The photos' cameras and points of the place in 3D: dragged to turn, clicked to fly to a camera.
import * as cameras from "./cameras.js";

const COLOURS = { input: 0x2f80ed, target: 0xe08a1e, now: 0xe23d3d, point: 0x8a949c };

const POSE_MS = 150;  // between two drawings of the camera that flies

let three = null;  // loaded when a plot is first shown; it is the largest file of the page

export class Plot {
  // onChoose hears the index of the photo whose camera was clicked.
  constructor(element, onChoose, signal) {
    Object.assign(this, { element, onChoose, signal });
    this.yaw = 0.7;
    this.pitch = -0.5;
    this.zoom = 1;
    this.ready = this.load();
  }

  async load() {
    try {
      three = three || await import("/page/three.module.js");
      this.renderer = new three.WebGLRenderer({ antialias: true, alpha: true });
    } catch {
      this.element.textContent = "This browser draws no 3D (WebGL is off). The photos below go to the same cameras.";
      this.element.classList.add("none");
      return;
    }
    if (this.signal.aborted) return;
    this.renderer.setPixelRatio(Math.min(2, devicePixelRatio));
    this.scene = new three.Scene();
    this.lens = new three.PerspectiveCamera(40, 1, 0.01, 100);
    this.element.append(this.renderer.domElement);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.element);
    this.listen();
    this.signal.addEventListener("abort", () => this.dispose());
  }

  dispose() {
    this.observer.disconnect();
    this.renderer.dispose();
    this.renderer.forceContextLoss();  // a browser keeps a handful of contexts only
  }

  // photos: of the scene; points: in the world; span: what frusta are sized by; shape: [width, height] / focal length.
  async show({ photos, points, span, shape, pose }) {
    await this.ready;
    if (!this.scene || this.signal.aborted) return;
    for (const child of [...this.scene.children]) {
      this.scene.remove(child);
      child.geometry.dispose();
      child.material.dispose();
    }
    Object.assign(this, { span, shape });
    this.poses = photos.map((photo) => cameras.poseOf(photo.camera.c2w));
    this.frame(points);
    this.scene.add(this.cloud(points));
    photos.forEach((photo, i) => this.scene.add(this.frustum(this.poses[i], COLOURS[photo.role] ?? COLOURS.input)));
    this.now = this.frustum(pose, COLOURS.now);
    this.scene.add(this.now);
    this.setPose(pose);
  }

  // What is looked at: the middle of the cameras and of most points.
  frame(points) {
    const centres = this.poses.map((pose) => pose.position);
    const middle = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
    const seen = points.length > 0 ? [0, 1, 2].map((k) => middle(points.map((point) => point[k]))) : centres[0];
    const stand = cameras.scale(centres.reduce(cameras.add), 1 / centres.length);
    this.focus = cameras.scale(cameras.add(stand, seen), 0.5);
    const far = cameras.length(cameras.subtract(seen, stand));
    this.radius = Math.max(1.5 * far, 4 * this.span);
    this.size = Math.max(0.35 * this.span, 0.12 * far);
  }

  cloud(points) {
    const geometry = new three.BufferGeometry();
    geometry.setAttribute("position", new three.Float32BufferAttribute(points.flat(), 3));
    return new three.Points(geometry, new three.PointsMaterial({ color: COLOURS.point, size: 2, sizeAttenuation: false }));
  }

  corners() {
    const [w, h] = [0.5 * this.size * this.shape[0], 0.5 * this.size * this.shape[1]];
    return [[-w, -h], [w, -h], [w, h], [-w, h]].map(([x, y]) => [x, y, this.size]);
  }

  // In the camera's own axes; place() puts it where the camera is.
  frustum(pose, colour) {
    const corners = this.corners();
    const lines = corners.flatMap((corner, i) => [[0, 0, 0], corner, corner, corners[(i + 1) % 4]]);
    const geometry = new three.BufferGeometry();
    geometry.setAttribute("position", new three.Float32BufferAttribute(lines.flat(), 3));
    const object = new three.LineSegments(geometry, new three.LineBasicMaterial({ color: colour }));
    this.place(object, pose);
    return object;
  }

  place(object, pose) {
    object.position.set(...pose.position);
    object.quaternion.set(...pose.rotation);
  }

  // The camera of now. Drawn a few times a second only, as where there is no graphics card the views need the processor.
  setPose(pose) {
    if (!this.now) return;
    this.place(this.now, pose);
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.redraw();
    }, POSE_MS);
  }

  redraw() {
    if (this.drawn || !this.poses) return;
    this.drawn = requestAnimationFrame(() => {
      this.drawn = 0;
      if (this.signal.aborted) return;
      this.aim();
      this.renderer.render(this.scene, this.lens);
    });
  }

  // From behind the cameras and above; y points down in the world.
  aim() {
    const distance = this.radius * this.zoom;
    const [cp, sp] = [Math.cos(this.pitch), Math.sin(this.pitch)];
    this.lens.position.set(
      this.focus[0] + distance * cp * Math.sin(this.yaw),
      this.focus[1] + distance * sp,
      this.focus[2] - distance * cp * Math.cos(this.yaw));
    this.lens.near = distance / 100;
    this.lens.far = distance * 100;
    this.lens.up.set(0, -1, 0);
    this.lens.lookAt(...this.focus);
    this.lens.updateProjectionMatrix();
    this.lens.updateMatrixWorld();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width === 0 || height === 0) return;
    this.renderer.setSize(width, height);
    this.lens.aspect = width / height;
    this.redraw();
  }

  // ---- Input ----

  listen() {
    const { element } = this;
    let last = null;
    let moved = 0;
    element.addEventListener("pointerdown", (event) => {
      last = [event.clientX, event.clientY];
      moved = 0;
      element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      if (!last) return;
      const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
      moved += Math.abs(dx) + Math.abs(dy);
      last = [event.clientX, event.clientY];
      this.turn(-dx * 0.01, -dy * 0.01);
    });
    element.addEventListener("pointerup", (event) => {
      if (last && moved < 6) this.choose(event);
      last = null;
    });
    element.addEventListener("pointercancel", () => { last = null; });
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom = Math.min(8, Math.max(0.1, this.zoom * Math.exp(0.001 * event.deltaY)));
      this.redraw();
    }, { passive: false });
    element.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
      if (!step) return;
      event.preventDefault();
      this.turn(...step);
    });
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.min(1.5, Math.max(-1.5, this.pitch + pitch));
    this.redraw();
  }

  // The camera whose frustum is nearest to the click, if it is near.
  choose(event) {
    if (!this.poses) return;
    const box = this.element.getBoundingClientRect();
    const onScreen = (point) => {
      const projected = new three.Vector3(...point).project(this.lens);
      return [box.left + ((projected.x + 1) / 2) * box.width, box.top + ((1 - projected.y) / 2) * box.height];
    };
    const centre = [0, 0, this.size / 2];
    const inWorld = (pose, point) => cameras.add(pose.position, cameras.rotate(pose.rotation, point));
    const distances = this.poses.map((pose) => Math.min(...[...this.corners(), centre, [0, 0, 0]].map((point) => {
      const [x, y] = onScreen(inWorld(pose, point));
      return Math.hypot(x - event.clientX, y - event.clientY);
    })));
    const best = distances.indexOf(Math.min(...distances));
    if (distances[best] < 28) this.onChoose(best);
  }
}
