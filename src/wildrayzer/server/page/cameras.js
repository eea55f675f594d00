// Camera mathematics. A pose is { position: [x, y, z], rotation: [x, y, z, w] } of a camera in the world,
// OpenCV axes (x right, y down, z forward); c2w is the same as 16 numbers, row-major.

export const add = (a, b) => a.map((value, i) => value + b[i]);
export const subtract = (a, b) => a.map((value, i) => value - b[i]);
export const scale = (a, factor) => a.map((value) => value * factor);
export const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
export const length = (a) => Math.hypot(...a);
const unit = (a) => scale(a, 1 / (length(a) || 1));
export const cross = (a, b) =>
  [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

// ---- Unit quaternions ----

export function multiply([ax, ay, az, aw], [bx, by, bz, bw]) {
  return [
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ];
}
const inverse = ([x, y, z, w]) => [-x, -y, -z, w];

// The rotation about a vector by its length in radians, and the shortest such vector of a rotation.
export function exp(v) {
  const angle = length(v);
  const s = angle < 1e-9 ? 0.5 : Math.sin(angle / 2) / angle;
  return unit([...scale(v, s), Math.cos(angle / 2)]);
}
export function log(q) {
  const [x, y, z, w] = q[3] < 0 ? scale(q, -1) : q;  // the same rotation, the short way round
  const sine = Math.hypot(x, y, z);
  return scale([x, y, z], sine < 1e-9 ? 2 : (2 * Math.atan2(sine, w)) / sine);
}
export const slerp = (a, b, t) => multiply(a, exp(scale(log(multiply(inverse(a), b)), t)));

export function rotate([x, y, z, w], v) {
  const t = scale(cross([x, y, z], v), 2);
  return add(add(v, scale(t, w)), cross([x, y, z], t));
}

// ---- Poses ----

export function poseOf(c2w) {
  const [a, b, c, x, d, e, f, y, g, h, i, z] = c2w;
  // From the largest of the four candidates, so that no division is by nearly nothing.
  const candidates = [
    [1 + a - e - i, b + d, c + g, h - f],
    [b + d, 1 - a + e - i, f + h, c - g],
    [c + g, f + h, 1 - a - e + i, d - b],
    [h - f, c - g, d - b, 1 + a + e + i],
  ];
  const best = candidates.reduce((most, row, k) => (row[k] > candidates[most][most] ? k : most), 0);
  return { position: [x, y, z], rotation: unit(candidates[best]) };
}

export function c2wOf({ position, rotation }) {
  const [right, down, forward] = axes(rotation);
  return [0, 1, 2].flatMap((r) => [right[r], down[r], forward[r], position[r]]).concat([0, 0, 0, 1]);
}

// A camera's own axes in the world: right, down, forward.
export const axes = (rotation) => [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map((axis) => rotate(rotation, axis));

export const between = (a, b, t) => ({
  position: add(a.position, scale(subtract(b.position, a.position), t)),
  rotation: slerp(a.rotation, b.rotation, t),
});

export const angleBetween = (a, b) => length(log(multiply(inverse(a.rotation), b.rotation)));

// How far two cameras are apart: a turn by one radian counts as much as a move by `span`.
export const distance = (a, b, span) =>
  Math.hypot(length(subtract(a.position, b.position)), span * angleBetween(a, b));

// What a step is measured by, as there is no metric unit: the spread of the cameras, or a part of the distance to
// what they see where they stand close together.
export function sceneSpan(poses, points) {
  const middle = scale(poses.reduce((sum, pose) => add(sum, pose.position), [0, 0, 0]), 1 / poses.length);
  const spread = Math.max(...poses.map((pose) => length(subtract(pose.position, middle))));
  const depths = points.map((point) => length(subtract(point, middle))).sort((a, b) => a - b);
  const depth = depths[Math.floor(depths.length / 2)] || 0;
  return Math.max(spread, 0.15 * depth) || 1;
}

// ---- A smooth path through key cameras ----

// Velocities at the keys from what lies between them; `knots[i]` is the distance from key i to the next.
function tangents(slopes, knots) {
  const inner = slopes.slice(1).map((slope, i) =>
    scale(add(scale(slopes[i], knots[i + 1]), scale(slope, knots[i])), 1 / (knots[i] + knots[i + 1])));
  if (inner.length === 0) return [slopes[0], slopes[0]];
  // Natural ends: the curve is straight there.
  const end = (slope, next) => subtract(scale(slope, 1.5), scale(next, 0.5));
  return [end(slopes[0], inner[0]), ...inner, end(slopes[slopes.length - 1], inner[inner.length - 1])];
}

// The position is a cubic Hermite curve, the rotation the cumulative one of Kim, Kim and Shin (1995), which is slerp
// between two keys alone.
function onSegment(from, to, u) {
  const [h, p, q] = [to.knot, from.pose, to.pose];
  const position = [0, 1, 2].map((k) => {
    const [a, b, va, vb] = [p.position[k], q.position[k], from.velocity[k] * h, to.velocity[k] * h];
    return a + u * (va + u * (3 * (b - a) - 2 * va - vb + u * (2 * (a - b) + va + vb)));
  });
  const first = scale(from.turn, h / 3);
  const last = scale(to.turn, h / 3);
  const whole = multiply(inverse(p.rotation), q.rotation);
  const middle = log(multiply(multiply(exp(scale(first, -1)), whole), exp(scale(last, -1))));
  const turns = [[first, 1 - (1 - u) ** 3], [middle, u * u * (3 - 2 * u)], [last, u ** 3]];
  return { position, rotation: turns.reduce((q0, [v, t]) => multiply(q0, exp(scale(v, t))), p.rotation) };
}

// Starts and stops softly.
function ease(t) {
  const ramp = 0.15;
  const soft = (s) => (s * s) / (2 * ramp * (1 - ramp));
  return t < ramp ? soft(t) : t > 1 - ramp ? 1 - soft(1 - t) : (t - ramp / 2) / (1 - ramp);
}

// A function from [0, 1] to poses along the keys, at about constant speed. Keys at the place of their predecessor are
// skipped; at least one key.
export function pathThrough(keys, span) {
  const kept = keys.filter((key, i) => i === 0 || distance(key, keys[i - 1], span) > 1e-9 * span);
  if (kept.length === 1) return () => kept[0];
  const knots = kept.slice(1).map((key, i) => distance(key, kept[i], span));
  const moves = knots.map((h, i) => scale(subtract(kept[i + 1].position, kept[i].position), 1 / h));
  const turns = knots.map((h, i) => scale(log(multiply(inverse(kept[i].rotation), kept[i + 1].rotation)), 1 / h));
  const velocities = tangents(moves, knots);
  const turning = tangents(turns, knots);
  const nodes = kept.map((pose, i) =>
    ({ pose, velocity: velocities[i], turn: turning[i], knot: i === 0 ? 0 : knots[i - 1] }));
  const total = knots.reduce((sum, h) => sum + h, 0);
  return (t) => {
    let rest = total * ease(Math.min(1, Math.max(0, t)));
    let i = 0;
    while (i < knots.length - 1 && rest > knots[i]) rest -= knots[i++];
    return onSegment(nodes[i], nodes[i + 1], Math.min(1, rest / knots[i]));
  };
}
