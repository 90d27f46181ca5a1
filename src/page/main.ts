/** The live page: listens to the service's events and draws them, at most once per frame. */
import { Announcer } from "./announce.js";
import { Chart } from "./chart.js";
import { CURVE_PLANS } from "./curve-plans.js";
import { byId } from "./dom.js";
import { Figures } from "./figures.js";
import { drawHealth, Header } from "./header.js";
import { Leaks } from "./leaks.js";
import { Ring } from "./ring.js";
import { SlabMap } from "./slab-map.js";
import { Store } from "./store.js";
import { Stream } from "./stream.js";
import { startTheme } from "./theme.js";
import { TokenForm } from "./token.js";

const store = new Store();
const announcer = new Announcer();
const token = new TokenForm(() => stream.start());
// Beside the page, wherever it is mounted; also when its address lacks the last slash.
const url = new URL(`${location.pathname.replace(/\/?$/, "/")}events`, location.origin).href;
const stream = new Stream({ url, token: () => token.token, happen: (happening) => store.happen(happening) });

const ring = new Ring();
const header = new Header(announcer, () => {
  stream.paused = !stream.paused;
});
const charts = CURVE_PLANS.map((plan) => new Chart(plan));
byId("curves").append(...charts.map(({ element }) => element));
const figures = new Figures();
const slabs = new SlabMap();
const leaks = new Leaks(announcer, (epoch) => ring.choose(epoch, true));

const parts: readonly { draw(state: Store["state"]): void }[] = [
  header,
  { draw: drawHealth },
  token,
  figures,
  ring,
  slabs,
  leaks,
];

let due = false;
function draw(): void {
  due = false;
  for (const part of parts) part.draw(store.state);
  if (store.history.length === 0) return;
  for (const chart of charts) chart.draw(store.history, store.restartMarks);
}

function drawSoon(): void {
  if (due) return;
  due = true;
  // A hidden tab has no frames, and nothing to see.
  if (document.visibilityState === "hidden") draw();
  else requestAnimationFrame(draw);
}

store.onChange(drawSoon);
startTheme(() => {
  for (const chart of charts) chart.recolour();
});
document.addEventListener("visibilitychange", () => {
  stream.hidden = document.visibilityState === "hidden";
});
// Counts down to the next attempt.
setInterval(() => {
  if (store.state.connection.kind === "reconnecting") drawSoon();
}, 1000);
stream.hidden = document.visibilityState === "hidden";
