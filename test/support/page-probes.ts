// Looks at a page from inside: expressions that the browser evaluates, and what they answer.

import type { Page } from "playwright-core";

/** A text that is hard to read on what is behind it. */
export interface PaleText {
  readonly text: string;
  readonly ratio: number;
}

/** Every text that is shown, with less contrast than WCAG 2.2 wants (1.4.3: 4.5 to 1). */
export async function paleTexts(page: Page): Promise<PaleText[]> {
  return page.evaluate(`(() => {
    ${COLOURS}
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const pale = [];
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent.trim();
      const element = walker.currentNode.parentElement;
      const box = element.getBoundingClientRect();
      if (text === "" || box.width === 0 || !element.checkVisibility({ opacityProperty: true })) continue;
      const value = ratio(rgb(getComputedStyle(element).color), ground(element));
      if (value < 4.5) pale.push({ text, ratio: value });
    }
    return pale;
  })()`);
}

/** Buttons and fields whose edge is less than 3 to 1 against what is around them (1.4.11). */
export async function paleEdges(page: Page): Promise<PaleText[]> {
  return page.evaluate(`(() => {
    ${COLOURS}
    return [...document.querySelectorAll("button, input, select")]
      .filter((element) => element.checkVisibility())
      .map((element) => ({
        text: element.id || element.textContent,
        ratio: ratio(rgb(getComputedStyle(element).borderTopColor), ground(element.parentElement)),
      }))
      .filter((one) => one.ratio < 3);
  })()`);
}

/** By how many pixels the page is wider than its window. */
export async function overflowOf(page: Page): Promise<number> {
  return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
}

/** Where the keyboard is. */
export interface FocusSpot {
  /** What a screen reader calls it, roughly. */
  readonly name: string;
  readonly tag: string;
  /** Whether one can see that it is there: an outline, inside the window. */
  readonly isSeen: boolean;
  readonly isInDialog: boolean;
}

export async function focusSpot(page: Page): Promise<FocusSpot> {
  return page.evaluate(`(() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return {
      name: element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent.trim(),
      tag: element.tagName.toLowerCase(),
      isSeen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 &&
        box.width > 0 && box.bottom > 0 && box.top < innerHeight,
      isInDialog: element.closest("dialog") !== null,
    };
  })()`);
}

/** Elements that do something and have no name. */
export async function namelessControls(page: Page): Promise<string[]> {
  return page.evaluate(`[...document.querySelectorAll("button, input, select, progress, [role=img], section, dialog")]
    .filter((element) => element.checkVisibility())
    .filter((element) => {
      const labelled = document.getElementById(element.getAttribute("aria-labelledby") ?? "")?.textContent;
      const label = element.getAttribute("aria-label") ?? labelled ?? element.labels?.[0]?.textContent;
      return !(label ?? (element.tagName === "BUTTON" ? element.textContent : ""))?.trim();
    })
    .map((element) => element.outerHTML)`);
}

/** Relative luminance and contrast as WCAG 2.2 defines them, over the nearest ground that is not see-through. */
const COLOURS = `
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ratio = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };`;
