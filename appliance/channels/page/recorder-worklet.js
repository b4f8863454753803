// Hands every block of microphone samples (float, mono) to the page.

class Recorder extends AudioWorkletProcessor {
  process([input]) {
    if (input.length) this.port.postMessage(input[0].slice());
    return true;
  }
}

registerProcessor('recorder', Recorder);
