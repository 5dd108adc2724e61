// The choice of a priority: three names, and a number where somebody else set one.

import { PRIORITIES } from "../../domain/job.ts";
import { make, setAttribute } from "./elements.ts";

const NAMES = [
  ["high", "High priority"],
  ["normal", "Normal priority"],
  ["low", "Low priority"],
] as const;

export interface PriorityChoice {
  readonly element: HTMLSelectElement;
  show(priority: number, model: string): void;
}

/** A choice that says what was chosen. */
export function makePriority(onChoose: (name: string) => void): PriorityChoice {
  const named = NAMES.map(([value, text]) => make("option", { text, attributes: { value } }));
  const other = make("option", { attributes: { value: "other" } });
  const element = make("select", { children: named });
  element.addEventListener("change", () => {
    if (element.value !== "other") onChoose(element.value);
  });
  const show = (priority: number, model: string): void => {
    setAttribute(element, "aria-label", `Priority of ${model}`);
    const name = NAMES.find(([value]) => PRIORITIES[value] === priority)?.[0];
    other.textContent = `Priority ${priority}`;
    if (name === undefined && !other.isConnected) element.append(other);
    if (name !== undefined) other.remove();
    const value = name ?? "other";
    if (element.value !== value) element.value = value;
  };
  return { element, show };
}
