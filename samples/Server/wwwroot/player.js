// Plays samples while they arrive, and keeps them.

export const RATE = 24000;

export class Player {
  #context = null;
  #next = 0;        // when the next piece begins, in the context's time
  #begun = 0;       // when the first began
  #sources = new Set();
  #pieces = [];
  length = 0;       // samples so far

  // Must be called from a click or a key: browsers allow sound only then.
  start() {
    this.stop();
    this.#context ??= new AudioContext({ sampleRate: RATE });
    this.#context.resume();
    this.#pieces = [];
    this.#next = 0;
    this.length = 0;
  }

  add(samples) {
    this.#pieces.push(samples);
    this.length += samples.length;
    const buffer = this.#context.createBuffer(1, samples.length, RATE);
    buffer.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(this.#context.destination);
    // A little later than now, so that the next piece comes in time.
    const at = Math.max(this.#next, this.#context.currentTime + 0.06);
    if (this.#next === 0) this.#begun = at;
    source.start(at);
    this.#next = at + buffer.duration;
    this.#sources.add(source);
    source.onended = () => this.#sources.delete(source);
  }

  // Where it plays, in seconds; negative when it does not.
  get position() {
    if (this.#next === 0 || this.#sources.size === 0) return -1;
    return Math.max(0, this.#context.currentTime - this.#begun);
  }

  stop() {
    for (const source of this.#sources) { source.onended = null; source.stop(); }
    this.#sources.clear();
  }

  samples() {
    const all = new Float32Array(this.length);
    let at = 0;
    for (const piece of this.#pieces) { all.set(piece, at); at += piece.length; }
    return all;
  }
}

// Samples as a WAV file of 16 bits.
export function toWav(samples, rate = RATE) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, value) => [...value].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * samples.length, true); text(8, "WAVE");
  text(12, "fmt "); view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * samples.length, true);
  for (let i = 0; i < samples.length; i++)
    view.setInt16(44 + 2 * i, Math.max(-32768, Math.min(32767, Math.round(samples[i] * 32768))), true);
  return new Blob([view], { type: "audio/wav" });
}

// Any recording that the browser can read, as mono samples of the model's rate.
export async function decode(blob) {
  const context = new OfflineAudioContext(1, 1, RATE);
  const buffer = await context.decodeAudioData(await blob.arrayBuffer());
  const mono = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const samples = buffer.getChannelData(channel);
    for (let i = 0; i < mono.length; i++) mono[i] += samples[i] / buffer.numberOfChannels;
  }
  return mono;
}
