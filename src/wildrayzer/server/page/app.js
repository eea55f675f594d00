// The page: which scenes there are, which one is looked at, and whether the server answers.
import * as api from "./api.js";
import { byId, el, repeat, showProblem } from "./dom.js";
import { NewScene, droppedFiles } from "./new_scene.js";
import { SceneView } from "./scene.js";

const LOOK_MS = 2000;

const forever = new AbortController();
let server = null;        // the last answer of /api/state
let view = null;          // a NewScene or a SceneView
let shown = null;         // the address that `view` is for

const wantedScene = () => /^#scene=([a-z0-9]{1,64})$/.exec(location.hash)?.[1] ?? null;

function show() {
  if (!server) return;
  const id = wantedScene();
  if (shown !== null && shown === (id || "new")) return;
  view?.close();
  shown = id || "new";
  document.title = "wildrayzer";
  view = id
    ? new SceneView(byId("main"), { id, model: server.model, onChange: () => look(), onGone })
    : new NewScene(byId("main"), { limits: server.limits, onStarted: go });
  showScenes();
}

function go(id) {
  location.hash = id ? `scene=${id}` : "new";
}

function onGone(id) {
  server.scenes = server.scenes.filter((scene) => scene.id !== id);
  go(server.scenes.find((scene) => scene.state === "ready")?.id);
  look();
}

// ---- The list of scenes ----

const WORDS = { collecting: "not started", queued: "waiting", working: "working", failed: "failed", ready: "" };

function showScenes() {
  const current = wantedScene();
  const scenes = server.scenes.filter((scene) => scene.state !== "collecting" || scene.id !== view?.id || current);
  const focused = document.activeElement?.closest?.("#scenes a")?.getAttribute("href");
  byId("scenes").replaceChildren(...scenes.map((scene) => {
    const link = el("a", { href: `#scene=${scene.id}`, data: { state: scene.state } },
      el("span", { class: "scene-name", textContent: scene.name }),
      WORDS[scene.state] ? el("span", { class: "soft", textContent: ` ${WORDS[scene.state]}` }) : null);
    if (scene.id === current) link.setAttribute("aria-current", "page");
    return el("li", {}, link);
  }));
  const now = document.querySelector("#scenes [aria-current]");
  now?.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (focused) document.querySelector(`#scenes a[href="${focused}"]`)?.focus();
  if (current) byId("new").removeAttribute("aria-current");
  else byId("new").setAttribute("aria-current", "page");
  const { model, queue, program } = server;
  byId("about").textContent = `${program} · ${model.name} on ${model.device}${queue.length > 0 ? ` · ${queue.length} in the queue` : ""}`;
}

let lastList = "";
const look = repeat(async () => {
  try {
    server = await api.state(forever.signal);
  } catch {
    return;  // the connection's line says it
  }
  show();
  const list = JSON.stringify([server.scenes, server.queue, view?.id]);
  if (list !== lastList) showScenes();
  lastList = list;
}, () => LOOK_MS, forever.signal);

// ---- Files from anywhere on the page ----

function addFiles(files) {
  if (files.length === 0) return;
  if (!server) return;
  if (wantedScene()) {
    go(null);
    show();
  }
  view.add(files);
}

const carriesFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");

function listenForFiles() {
  const veil = byId("drop-veil");
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) veil.hidden = true; });
  addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    veil.hidden = true;
    addFiles(await droppedFiles(event.dataTransfer));
  });
  addEventListener("paste", (event) => addFiles([...(event.clipboardData?.files || [])]));
}

api.connection.addEventListener("change", () => {
  showProblem(byId("connection"), api.connection.message);
  if (api.connection.state === "ok") look();
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();  // the address names the scene
  byId("main").focus();
});
addEventListener("hashchange", show);
listenForFiles();
