// What a scene does until it can be looked at: waiting its turn, working through the stages, or why it failed.
import { deleteFile, sceneUrl } from "./api.js";
import { announce, el, showProblem } from "./dom.js";

const MOST_PHOTOS = 8;  // shown while one waits

export class Progress {
  // parts: of the scene's template; start and remove: of the scene; onChange is called when it has a photo less.
  constructor(parts, sceneId, { start, remove, onChange }) {
    Object.assign(this, { parts, sceneId, onChange });
    this.shown = "";    // which photos are
    this.problem = "";  // with what was last asked for
    this.stages = [];  // names in the order in which they were seen
    this.startButton = el("button", { class: "primary", textContent: "Start", on: { click: start } });
    this.removeButton = el("button", { textContent: "Delete this scene", on: { click: remove } });
    this.otherLink = el("a", { class: "button", href: "#new", textContent: "Try other photos" });
  }

  show(scene) {
    const { parts } = this;
    const [title, note] = this.words(scene);
    if (parts["stage-name"].textContent !== title) {
      parts["stage-name"].textContent = title;
      announce(title);
    }
    parts["stage-note"].textContent = note;
    this.showPhotos(scene.photos, scene.state === "collecting");
    this.showBar(scene);
    this.showStages(scene);
    showProblem(parts.failure, this.problem || (scene.state === "failed" ? scene.error || "It failed, and the server does not say why." : ""));
    const actions = {
      collecting: [this.startButton, this.removeButton],
      failed: [this.otherLink, this.removeButton],
    }[scene.state] || [this.removeButton];
    if (actions.some((action, i) => parts["work-actions"].children[i] !== action)) parts["work-actions"].replaceChildren(...actions);
  }

  words(scene) {
    const photos = `${scene.photos.length} ${scene.photos.length === 1 ? "photo" : "photos"}`;
    const ahead = scene.queue_position;
    switch (scene.state) {
      case "collecting": return ["Not started yet", `${photos} so far.`];
      case "queued": return ["Waiting", ahead > 0 ? `Number ${ahead} in the queue: one scene is computed at a time.` : ""];
      case "failed": return ["This did not work", ""];
      default: return [sentence(scene.stage || "starting"), scene.parts > 1 ? `${scene.done} of ${scene.parts}` : ""];
    }
  }

  // With a button each that takes it out of a scene that is not started.
  showPhotos(photos, mayGo) {
    const some = mayGo ? photos : photos.slice(0, MOST_PHOTOS);
    const shown = JSON.stringify(some.map((photo) => [photo.name, mayGo && photo.file]));
    if (this.shown === shown) return;
    this.shown = shown;
    const { photos: list } = this.parts;
    const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
    list.replaceChildren(...some.map((photo, i) => {
      const image = el("img", { src: sceneUrl(this.sceneId, `/photos/${i}?size=320`), alt: photo.name, title: photo.name,
        on: { error: (event) => { event.target.hidden = true; } } });  // of a video there is none yet
      return el("li", {}, image, mayGo ? el("button", {
        type: "button", textContent: "Remove", "aria-label": `Remove ${photo.name}`, on: { click: () => this.takeBack(photo) },
      }) : null);
    }));
    if (focused < 0) return;
    const buttons = list.querySelectorAll("button");
    (buttons[Math.min(focused, buttons.length - 1)] || this.removeButton).focus();
  }

  async takeBack(photo) {
    try {
      await deleteFile(this.sceneId, photo.file);
      this.tell("");
      announce(`${photo.name} was removed.`);
    } catch (error) {
      this.tell(error.message);
    }
    this.onChange();
  }

  // What went wrong with what was asked for, until something else is.
  tell(problem) {
    this.problem = problem;
    showProblem(this.parts.failure, problem);
  }

  showBar(scene) {
    const bar = this.parts["stage-progress"];
    bar.hidden = scene.state !== "queued" && scene.state !== "working";
    bar.setAttribute("aria-label", sentence(scene.stage || scene.state));
    if (scene.state === "working" && scene.parts > 1) {
      bar.max = scene.parts;
      bar.value = scene.done;
    } else {
      bar.removeAttribute("value");  // it goes on, nobody knows how far
    }
  }

  showStages(scene) {
    if (scene.state !== "working" || !scene.stage) return;
    const last = this.stages[this.stages.length - 1];
    if (last !== scene.stage) {
      this.stages.push(scene.stage);
      this.parts.stages.append(el("li", { textContent: sentence(scene.stage) }));
    }
    [...this.parts.stages.children].forEach((item, i, all) => item.classList.toggle("done", i < all.length - 1));
  }
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
