// The search of the site runs in a worker, and a browser starts none for a page that was opened as a file. There the
// same script runs in a hidden frame, and messages go both ways as they do with a worker.
"use strict";

class FrameWorker extends EventTarget {
  constructor(url) {
    super();
    this.onmessage = null;
    this.frame = document.createElement("iframe");
    this.frame.hidden = true;
    document.body.append(this.frame);
    const inside = this.frame.contentWindow;
    this.listener = (event) => {
      if (event.source !== inside) return;
      const message = new MessageEvent("message", { data: event.data });
      this.dispatchEvent(message);
      if (this.onmessage) this.onmessage(message);
    };
    window.addEventListener("message", this.listener);
    this.started = this.start(inside, String(url));
  }

  async start(inside, url) {
    inside.document.open();
    inside.document.write("<!doctype html><body></body>");
    inside.document.close();
    const forward = inside.document.createElement("script");
    forward.textContent =
      'self.postMessage = (message) => parent.postMessage(message, "*");' +
      "self.importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise((done) => {" +
      'const script = document.createElement("script"); script.src = url; script.onload = done;' +
      "document.body.append(script); })), Promise.resolve());";
    inside.document.body.append(forward);
    await new Promise((done, failed) => {
      const script = inside.document.createElement("script");
      script.src = url;
      script.onload = done;
      script.onerror = failed;
      inside.document.body.append(script);
    });
    return inside;
  }

  async postMessage(data) {
    const inside = await this.started;
    inside.dispatchEvent(new MessageEvent("message", { data: structuredClone(data) }));
  }

  terminate() {
    window.removeEventListener("message", this.listener);
    this.frame.remove();
  }
}

if (location.protocol === "file:") window.Worker = FrameWorker;
