// The list of voices, and bringing a voice of one's own.

import { call, json } from "./api.js";
import { decode, toWav } from "./player.js";

const $ = id => document.getElementById(id);
let recorder = null;

export async function loadVoices(chosen) {
  const list = await json("/v1/audio/voices");
  const select = $("voice"), before = chosen ?? select.value;
  select.replaceChildren(new Option("default", "default"), ...list.voices.map(name => new Option(name, name)));
  if ([...select.options].some(option => option.value === before)) select.value = before;
  $("voices").replaceChildren(...list.uploaded_voices.map(voice => {
    const item = document.createElement("li"), remove = document.createElement("button");
    item.append(voice.name, remove);
    remove.type = "button";
    remove.textContent = "Delete";
    remove.setAttribute("aria-label", `Delete the voice ${voice.name}`);
    remove.addEventListener("click", () => report(async () => {
      await call(`/v1/audio/voices/${encodeURIComponent(voice.name)}`, { method: "DELETE" });
      await loadVoices();
      return `The voice ${voice.name} is deleted.`;
    }));
    return item;
  }));
}

export function setUpVoices() {
  $("upload").addEventListener("submit", event => {
    event.preventDefault();
    report(async () => {
      const name = $("name").value, form = new FormData();
      // The server reads WAV; the browser reads more.
      form.append("audio_sample", toWav(await decode($("sample").files[0])), "sample.wav");
      form.append("name", name);
      form.append("ref_text", $("transcript").value);
      form.append("consent", $("consent").checked ? "The speaker agrees (given on the page)." : "");
      await call("/v1/audio/voices", { method: "POST", body: form });
      $("upload").reset();
      await loadVoices(name);
      return `The voice ${name} is ready, and chosen above.`;
    });
  });
  $("record").hidden = !navigator.mediaDevices?.getUserMedia;
  $("record").addEventListener("click", () => recorder ? recorder.stop() : report(record));
}

async function record() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true }), parts = [];
  recorder = new MediaRecorder(stream);
  recorder.ondataavailable = event => parts.push(event.data);
  recorder.onstop = () => {
    const file = new File(parts, "recording.webm", { type: recorder.mimeType }), transfer = new DataTransfer();
    transfer.items.add(file);
    $("sample").files = transfer.files;
    for (const track of stream.getTracks()) track.stop();
    recorder = null;
    showRecording(false);
    $("upload-status").textContent = "Recorded.";
  };
  recorder.start();
  showRecording(true);
  return "Recording… press Stop when you are done.";
}

function showRecording(on) {
  $("record").classList.toggle("on", on);
  $("record").querySelector("span").textContent = on ? "Stop" : "Record";
}

// What is done, or what went wrong.
async function report(work) {
  const status = $("upload-status");
  status.className = "";
  status.textContent = "…";
  try {
    status.textContent = await work();
  } catch (problem) {
    status.className = "bad";
    status.textContent = problem.name === "EncodingError" ? "This file cannot be read as a recording." : problem.message;
  }
}
