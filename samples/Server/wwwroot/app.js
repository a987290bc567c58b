// The page: speaks, shows, and keeps the finished sound.

import { call, json } from "./api.js";
import { Pictures } from "./pictures.js";
import { Player, RATE, toWav } from "./player.js";
import { loadVoices, setUpVoices } from "./voices.js";

const $ = id => document.getElementById(id);
const player = new Player();
const pictures = new Pictures($("waveform"), $("spectrogram"));
let running = null;   // the AbortController of the request

async function speak() {
  player.start();
  stop();
  running = new AbortController();
  const mine = running, clock = performance.now();
  reset();
  try {
    const response = await call("/v1/audio/speech", {
      method: "POST", signal: mine.signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify(request()),
    });
    let first = null, odd = new Uint8Array(0);
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (mine !== running) return;
      // A sample has two bytes; a piece may end between them.
      const bytes = new Uint8Array(odd.length + value.length);
      bytes.set(odd);
      bytes.set(value, odd.length);
      odd = bytes.slice(bytes.length & ~1);
      const samples = toSamples(bytes);
      if (samples.length === 0) continue;
      first ??= performance.now() - clock;
      player.add(samples);
      pictures.add(samples);
      show(first, performance.now() - clock);
    }
    say(player.length > 0 ? "Done." : "The model made no sound; try another seed.");
  } catch (problem) {
    if (mine.signal.aborted) say("Stopped.");
    else say(problem.message, true);
  }
  if (mine === running) finish();
}

function request() {
  const seed = $("seed").value, scene = $("scene").value.trim();
  return {
    input: $("text").value, voice: $("voice").value, response_format: "pcm", stream_format: "audio",
    temperature: +$("temperature").value, top_p: +$("top-p").value, top_k: +$("top-k").value, speed: +$("speed").value,
    ...(seed === "" ? {} : { seed: +seed }), ...(scene === "" ? {} : { scene }),
  };
}

function toSamples(bytes) {
  const view = new DataView(bytes.buffer), samples = new Float32Array(bytes.length >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(2 * i, true) / 32768;
  return samples;
}

function reset() {
  pictures.clear();
  $("empty").hidden = true;
  for (const id of ["first", "factor", "length"]) $(id).textContent = "–";
  offer(null);
  say("Speaking…");
  if (matchMedia("(max-width: 820px)").matches) $("sound").scrollIntoView({ behavior: "smooth" });
  busy(true);
}

function show(first, elapsed) {
  $("first").textContent = `${Math.round(first)} ms`;
  $("factor").textContent = (elapsed / 1000 / (player.length / RATE)).toFixed(2);
  $("length").textContent = `${(player.length / RATE).toFixed(1)} s`;
}

function finish() {
  running = null;
  busy(false);
  offer(player.length > 0 ? toWav(player.samples()) : null);
}

// The finished sound, to be played again and to be kept.
function offer(wav) {
  const audio = $("audio"), download = $("download");
  if (audio.src) URL.revokeObjectURL(audio.src);
  if (wav === null) {
    audio.removeAttribute("src");
    download.removeAttribute("href");
  } else {
    audio.src = download.href = URL.createObjectURL(wav);
  }
  download.setAttribute("aria-disabled", wav === null);
}

function stop() {
  player.stop();
  running?.abort();
}

function busy(on) {
  $("stop").disabled = !on;
  $("speak").setAttribute("aria-busy", on);
}

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").className = bad ? "bad" : "";
}

function animate() {
  const position = player.position;
  if (running || position >= 0 || !$("audio").paused) pictures.draw(position >= 0 ? position : $("audio").paused ? -1 : $("audio").currentTime);
  if (position >= 0) $("stop").disabled = false;
  else if (!running) $("stop").disabled = true;
  requestAnimationFrame(animate);
}

function setUpTheme() {
  const names = ["auto", "light", "dark"], root = document.documentElement;
  const label = () => {
    const now = root.dataset.theme ?? "auto";
    $("theme-name").textContent = now;
    $("theme").setAttribute("aria-label", `Colours: ${now === "auto" ? "as the system" : now}`);
  };
  $("theme").addEventListener("click", () => {
    const next = names[(names.indexOf(root.dataset.theme ?? "auto") + 1) % names.length];
    if (next === "auto") { delete root.dataset.theme; localStorage.removeItem("theme"); }
    else { root.dataset.theme = next; localStorage.setItem("theme", next); }
    label();
  });
  label();
}

function setUpForm() {
  $("form").addEventListener("submit", event => { event.preventDefault(); speak(); });
  $("stop").addEventListener("click", stop);
  $("audio").addEventListener("play", () => player.stop());
  document.addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest("#form")) $("form").requestSubmit();
    else if (event.key === "Escape" && !document.querySelector("dialog[open]")) stop();
  });
  for (const output of document.querySelectorAll("output")) {
    const slider = $(output.htmlFor.value), update = () => output.textContent = slider.id === "top-k" ? (+slider.value || "all") : (+slider.value).toFixed(2);
    slider.addEventListener("input", update);
    update();
  }
  const count = () => $("count").textContent = `${$("text").value.length} characters`;
  $("text").addEventListener("input", count);
  count();
}

async function connect() {
  try {
    const [model] = (await json("/v1/models")).data;
    $("model").textContent = model.id;
    $("model").className = "ok";
    $("scene").disabled = !model.scenes;
    $("scene-hint").hidden = model.scenes;
    await loadVoices();
  } catch (problem) {
    $("model").textContent = problem.message;
    $("model").className = "bad";
  }
}

setUpTheme();
setUpForm();
setUpVoices();
requestAnimationFrame(animate);
connect();
