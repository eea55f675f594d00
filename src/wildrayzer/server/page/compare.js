// Before and after: the photo left of a divider, the place without what moves right of it.
import { sceneUrl } from "./api.js";
import { clearImage, el, isPressed, setPressed, swapImage } from "./dom.js";

const FITTING = 1280;  // pixels of the longer side while the picture fits the window

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

export class Compare {
  constructor(parts, sceneId) {
    this.parts = parts;
    this.sceneId = sceneId;
    const { split, zoom } = parts;
    split.addEventListener("input", () => this.setSplit(Number(split.value)));
    zoom.addEventListener("click", () => this.setZoom(!isPressed(zoom)));
    parts["show-source"].addEventListener("click", () => {
      setPressed(parts["show-source"], !isPressed(parts["show-source"]));
      this.showSource();
    });
    this.drag();
    this.setSplit(50);
  }

  show(scene, photo) {
    this.scene = scene;
    const { parts } = this;
    if (photo !== this.photo) for (const image of [parts.before, parts.after, parts.source]) clearImage(image);
    this.photo = photo;
    const { name, width, height, shares } = scene.photos[photo];
    parts["compare-picture"].style.setProperty("--ratio", width / height);
    parts["compare-picture"].style.setProperty("--full-width", `${width}px`);
    parts.before.alt = `${name}, as taken`;
    parts.after.alt = `${name}, without what moves`;
    parts.shares.textContent = shares
      ? `${percent(shares.own)} this photo, ${percent(shares.photos)} other photos, ${percent(shares.rendered)} rendered` : "";
    this.load();
  }

  async load() {
    const { parts } = this;
    swapImage(parts.before, this.url("photos"));
    if (this.scene.updating && parts.after.hasAttribute("src")) return;  // it is about to be another one
    parts["show-source"].hidden = !this.scene.source_legend?.length;
    this.showSource();
    parts["after-tag"].textContent = "making it…";
    if (await swapImage(parts.after, this.url("clean"))) parts["after-tag"].textContent = "without what moves";
  }

  url(kind) {
    const size = isPressed(this.parts.zoom) ? "full" : FITTING;
    const revision = kind === "photos" ? "" : `&revision=${this.scene.revision}`;  // a photo stays what it is
    return sceneUrl(this.sceneId, `/${kind}/${this.photo}?size=${size}${revision}`);
  }

  // Colours that say where each pixel of the clean photo came from.
  async showSource() {
    const { source, legend } = this.parts;
    const shown = isPressed(this.parts["show-source"]) && !this.parts["show-source"].hidden;
    legend.hidden = !shown;
    source.hidden = !(shown && await swapImage(source, this.url("source")));
    if (!shown) return;
    legend.replaceChildren(...this.scene.source_legend.map(({ colour, meaning }) => {
      const dot = el("span", { class: "dot" });
      dot.style.backgroundColor = colour;
      return el("li", {}, dot, meaning);
    }));
  }

  setSplit(share) {
    this.parts["compare-picture"].style.setProperty("--split", `${share}%`);
    this.parts.split.value = share;
    this.parts.split.setAttribute("aria-valuetext", `${Math.round(share)} percent photo`);
  }

  // In its full size the picture is dragged about, the divider by its handle; else the divider follows the pointer.
  drag() {
    const { "compare-picture": picture, "compare-fit": window, split } = this.parts;
    let from = null;
    const shareAt = (event) => {
      const box = picture.getBoundingClientRect();
      return Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width));
    };
    picture.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      event.preventDefault();  // the range input would take the pointer for itself
      split.focus({ preventScroll: true });
      picture.setPointerCapture(event.pointerId);
      const box = picture.getBoundingClientRect();
      const atHandle = Math.abs(shareAt(event) - Number(split.value)) * box.width < 100 * 24;
      const pans = isPressed(this.parts.zoom) && !atHandle;
      from = { pans, x: event.clientX + window.scrollLeft, y: event.clientY + window.scrollTop };
      if (!pans) this.setSplit(shareAt(event));
    });
    picture.addEventListener("pointermove", (event) => {
      if (!from) return;
      if (from.pans) window.scrollTo(from.x - event.clientX, from.y - event.clientY);
      else this.setSplit(shareAt(event));
    });
    for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, () => { from = null; });
  }

  setZoom(zoomed) {
    const { zoom, "compare-fit": window } = this.parts;
    setPressed(zoom, zoomed);
    window.classList.toggle("zoomed", zoomed);
    window.tabIndex = zoomed ? 0 : -1;  // arrows scroll it when it has the focus
    if (zoomed) window.scrollTo((window.scrollWidth - window.clientWidth) / 2, (window.scrollHeight - window.clientHeight) / 2);
    this.load();
  }
}
