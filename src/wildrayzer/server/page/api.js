// The server's API. Every failure is an ApiError whose message is a line for the person.

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;  // 0: the server did not answer
  }
}

const GONE = "The server does not answer. Is wildrayzer serve still running? Trying again.";
const STRANGER = "This browser is not let in: open the address with the token that wildrayzer serve printed.";

// "ok", "gone" or "stranger"; listeners hear of changes.
export const connection = Object.assign(new EventTarget(), { state: "ok", message: "" });

function setConnection(state, message = "") {
  if (connection.state === state) return;
  Object.assign(connection, { state, message });
  connection.dispatchEvent(new Event("change"));
}

async function errorOf(status, text) {
  let message = "";
  try {
    message = JSON.parse(text).error;
  } catch {
    // Not one of the server's own answers, for instance a tunnel's.
  }
  if (status === 401) {
    setConnection("stranger", STRANGER);
    return new ApiError(status, STRANGER);
  }
  return new ApiError(status, message || `The server answered ${status}.`);
}

// fetch() that raises ApiError for everything but success; aborting raises AbortError as usual.
async function call(method, path, { body, type, signal } = {}) {
  let response;
  try {
    response = await fetch(path, { method, body, signal, headers: type ? { "Content-Type": type } : {} });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    setConnection("gone", GONE);
    throw new ApiError(0, GONE);
  }
  if (response.status !== 401) setConnection("ok");
  if (!response.ok) throw await errorOf(response.status, await response.text());
  return response;
}

const json = (value) => ({ body: JSON.stringify(value), type: "application/json" });
export const sceneUrl = (id, rest = "") => `/api/scenes/${id}${rest}`;

export const state = async (signal) => (await call("GET", "/api/state", { signal })).json();
export const scene = async (id, signal) => (await call("GET", sceneUrl(id), { signal })).json();
export const createScene = async (name) => (await (await call("POST", "/api/scenes", json({ name }))).json()).id;
export const startScene = (id, options) => call("POST", sceneUrl(id, "/start"), json(options));
export const deleteScene = (id) => call("DELETE", sceneUrl(id));
export const deleteFile = (id, file) => call("DELETE", sceneUrl(id, `/files/${file}`));
export const putMask = (id, photo, png) =>
  call("PUT", sceneUrl(id, `/masks/${photo}`), { body: png, type: "image/png" });
export const deleteMask = (id, photo) => call("DELETE", sceneUrl(id, `/masks/${photo}`));
export const blob = async (url, signal) => (await call("GET", url, { signal })).blob();

// A view as { picture (Blob), renderMs }.
export async function view(id, camera, signal) {
  const response = await call("POST", sceneUrl(id, "/view"), { ...json(camera), signal });
  return { picture: await response.blob(), renderMs: Number(response.headers.get("X-Render-Ms")) };
}

// Starts a film and gives its number.
export const makeFilm = async (id, request) =>
  (await (await call("POST", sceneUrl(id, "/path"), json(request))).json()).path;

// Sends one file; onProgress hears the share that has left. (fetch tells nothing about sending.)
export function sendFile(id, file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", sceneUrl(id, `/files?name=${encodeURIComponent(file.name)}`));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = async () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(await errorOf(request.status, request.responseText));
    };
    request.onerror = () => reject(new ApiError(0, "The connection broke while the file was sent."));
    request.onabort = () => reject(new DOMException("aborted", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}
