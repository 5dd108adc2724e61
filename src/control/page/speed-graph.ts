// The speed of everything together over the last minute, as a drawing.

import { formatRate } from "../../domain/size.ts";
import { draw, make, setAttribute, setText } from "./elements.ts";

const SPAN_MS = 60_000;
const WIDTH = 600;
const HEIGHT = 96;
/** No graph is scaled to less than this: what is slow should look slow. */
const LOWEST_TOP = 100_000;
/** For those who want less motion, the graph moves on this often only. */
const CALM_MS = 5_000;

interface Sample {
  readonly atMs: number;
  readonly bytesPerSec: number;
}

/** A graph that is fed samples. */
export class SpeedGraph {
  readonly element: HTMLElement;
  readonly #area = draw("path", { class: "area" });
  readonly #line = draw("path", { class: "curve" });
  readonly #top = make("span", { class: "scale" });
  readonly #picture: SVGSVGElement;
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #samples: Sample[] = [];
  #drawnAtMs = Number.NEGATIVE_INFINITY;

  constructor() {
    const grid = [0, 0.5, 1].map((share) => {
      const y = String(1 + share * (HEIGHT - 2));
      return draw("line", { class: "grid", attributes: { x1: "0", x2: String(WIDTH), y1: y, y2: y } });
    });
    this.#picture = draw("svg", {
      attributes: { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
      children: [...grid, this.#area, this.#line],
    });
    const times = ["60 s ago", "now"].map((text) => make("span", { text }));
    this.element = make("div", {
      class: "graph",
      children: [
        this.#top,
        this.#picture,
        make("div", { class: "times", attributes: { "aria-hidden": "true" }, children: times }),
      ],
    });
    this.#top.setAttribute("aria-hidden", "true");
    this.add(performance.now(), 0);
  }

  add(atMs: number, bytesPerSec: number): void {
    const first = this.#samples.findIndex((sample) => sample.atMs > atMs - SPAN_MS);
    // One sample older than the minute stays: it is where the curve enters.
    this.#samples = [...this.#samples.slice(Math.max(0, first - 1)), { atMs, bytesPerSec }];
    if (this.#calm.matches && atMs - this.#drawnAtMs < CALM_MS) return;
    this.#drawnAtMs = atMs;
    this.#draw({ atMs, bytesPerSec });
  }

  #draw({ atMs, bytesPerSec }: Sample): void {
    const highest = Math.max(...this.#samples.map((sample) => sample.bytesPerSec));
    const top = roundUp(Math.max(LOWEST_TOP, highest));
    const points = this.#samples.map((sample) => {
      const x = WIDTH - ((atMs - sample.atMs) / SPAN_MS) * WIDTH;
      const y = HEIGHT - 1 - (sample.bytesPerSec / top) * (HEIGHT - 2);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    });
    const start = points[0]?.split(",")[0] ?? "0";
    setAttribute(this.#line, "d", `M${points.join("L")}`);
    setAttribute(this.#area, "d", `M${start},${HEIGHT}L${points.join("L")}L${WIDTH},${HEIGHT}Z`);
    setText(this.#top, formatRate(top));
    const now = bytesPerSec > 0 ? `now ${formatRate(bytesPerSec)}` : "now nothing";
    const peak = `at most ${formatRate(highest)}`;
    setAttribute(this.#picture, "aria-label", `Speed over the last minute: ${now}, ${peak}`);
  }
}

/** The next of 1, 2, 5, 10, 20, 50, …: so that the scale does not tremble. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((one) => one * power >= value) ?? 10;
  return step * power;
}
