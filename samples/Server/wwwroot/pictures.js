// Draws the waveform and the spectrogram while samples arrive.

import { RATE } from "./player.js";

const WINDOW = 1024, HOP = 256, ROWS = 160, LEAST_SECONDS = 3;
const COLUMNS_PER_SECOND = RATE / HOP;

// From dark over violet and rose to pale yellow, evenly brighter.
const STOPS = [[11, 12, 19], [42, 24, 92], [106, 40, 150], [176, 56, 140], [232, 98, 104], [252, 166, 92], [253, 240, 190]];
const COLOURS = Array.from({ length: 256 }, (_, i) => {
  const at = i / 255 * (STOPS.length - 1), low = Math.min(STOPS.length - 2, Math.floor(at)), part = at - low;
  return STOPS[low].map((c, k) => c + (STOPS[low + 1][k] - c) * part);
});

export class Pictures {
  constructor(waveform, spectrogram) {
    this.waveform = waveform;
    this.spectrogram = spectrogram;
    this.image = document.createElement("canvas");   // a pixel for each column of the spectrogram
    this.image.height = ROWS;
    this.clear();
    new ResizeObserver(() => this.draw(-1)).observe(waveform.parentElement);
  }

  clear() {
    this.peaks = [];          // least and greatest of each column
    this.loudest = 0;         // the waveform is drawn as large as there is room
    this.rest = new Float32Array(0);
    this.columns = 0;
    this.image.width = 1024;
    this.image.getContext("2d").clearRect(0, 0, this.image.width, ROWS);
    this.draw(-1);
  }

  add(samples) {
    const all = new Float32Array(this.rest.length + samples.length);
    all.set(this.rest);
    all.set(samples, this.rest.length);
    let at = 0;
    for (; at + WINDOW <= all.length; at += HOP) this.#column(all.subarray(at, at + WINDOW));
    this.rest = all.slice(at);
  }

  #column(window) {
    let least = 0, greatest = 0;
    for (let i = 0; i < HOP; i++) { least = Math.min(least, window[i]); greatest = Math.max(greatest, window[i]); }
    this.peaks.push(least, greatest);
    this.loudest = Math.max(this.loudest, greatest, -least);
    if (this.columns === this.image.width) this.#widen();
    const pixels = new ImageData(1, ROWS), power = spectrum(window);
    for (let row = 0; row < ROWS; row++) {
      const level = Math.max(0, Math.min(255, Math.round((10 * Math.log10(power[row] + 1e-12) + 62) * 255 / 68)));
      pixels.data.set([...COLOURS[level], 255], 4 * (ROWS - 1 - row));
    }
    this.image.getContext("2d").putImageData(pixels, this.columns++, 0);
  }

  #widen() {
    const copy = document.createElement("canvas");
    copy.width = this.image.width; copy.height = ROWS;
    copy.getContext("2d").drawImage(this.image, 0, 0);
    this.image.width *= 2;
    this.image.getContext("2d").drawImage(copy, 0, 0);
  }

  // position: where it plays, in seconds; negative for nowhere.
  draw(position) {
    const seconds = Math.max(LEAST_SECONDS, this.columns / COLUMNS_PER_SECOND), shown = this.columns / (seconds * COLUMNS_PER_SECOND);
    const [wave, width, height] = surface(this.waveform);
    const middle = height / 2, gain = middle * .92 / Math.max(.05, this.loudest), step = width * shown / Math.max(1, this.columns);
    wave.fillStyle = "#3a3560";
    wave.fillRect(0, middle - .5, width, 1);
    const gradient = wave.createLinearGradient(0, 0, width, 0);
    gradient.addColorStop(0, "#9d86ff");
    gradient.addColorStop(1, "#2fd4c2");
    wave.fillStyle = gradient;
    for (let x = 0; x < width * shown; x++) {
      const from = Math.floor(x / step), to = Math.max(from + 1, Math.ceil((x + 1) / step));
      let least = 0, greatest = 0;
      for (let i = from; i < to && i < this.columns; i++) { least = Math.min(least, this.peaks[2 * i]); greatest = Math.max(greatest, this.peaks[2 * i + 1]); }
      wave.fillRect(x, middle - greatest * gain, 1, Math.max(1, (greatest - least) * gain));
    }
    const [spectrogram, wide, high] = surface(this.spectrogram);
    if (this.columns > 0) spectrogram.drawImage(this.image, 0, 0, this.columns, ROWS, 0, 0, wide * shown, high);
    if (position < 0) return;
    for (const [context, w, h] of [[wave, width, height], [spectrogram, wide, high]]) {
      context.fillStyle = "#ffffffcc";
      context.fillRect(Math.min(1, position / seconds) * w, 0, Math.max(1, w / 500), h);
    }
  }
}

// The canvas' context at the resolution of the screen, empty.
function surface(canvas) {
  const scale = window.devicePixelRatio || 1, width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  return [context, width, height];
}

const HANN = Float32Array.from({ length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos(2 * Math.PI * i / WINDOW));

// The mel scale, 0 to 12 kHz: where each row begins, in bins.
const EDGES = Float32Array.from({ length: ROWS + 1 }, (_, i) => {
  const top = 2595 * Math.log10(1 + RATE / 2 / 700);
  return 700 * (10 ** (i / ROWS * top / 2595) - 1) / RATE * WINDOW;
});

// Power in each row.
function spectrum(window) {
  const re = new Float32Array(WINDOW), im = new Float32Array(WINDOW);
  for (let i = 0; i < WINDOW; i++) re[i] = window[i] * HANN[i];
  fft(re, im);
  const rows = new Float32Array(ROWS);
  for (let row = 0; row < ROWS; row++) {
    const low = Math.floor(EDGES[row]), high = Math.max(low + 1, Math.ceil(EDGES[row + 1]));
    for (let bin = low; bin < high; bin++) rows[row] = Math.max(rows[row], (re[bin] ** 2 + im[bin] ** 2) / (WINDOW * 8));
  }
  return rows;
}

// Radix 2, in place (Cooley and Tukey).
function fft(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) { [re[i], re[j]] = [re[j], re[i]]; [im[i], im[j]] = [im[j], im[i]]; }
  }
  for (let size = 2; size <= n; size <<= 1) {
    const angle = -2 * Math.PI / size;
    for (let k = 0; k < size / 2; k++) {
      const c = Math.cos(angle * k), s = Math.sin(angle * k);
      for (let a = k; a < n; a += size) {
        const b = a + size / 2, r = re[b] * c - im[b] * s, i = re[b] * s + im[b] * c;
        re[b] = re[a] - r; im[b] = im[a] - i;
        re[a] += r; im[a] += i;
      }
    }
  }
}
