// Making and changing elements of the page. Whatever text comes along is text, never markup.

/** What an element is made with. */
export interface Parts {
  readonly class?: string;
  readonly text?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly children?: readonly Node[];
}

const SVG = "http://www.w3.org/2000/svg";

/** A new element. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  parts: Parts = {},
): HTMLElementTagNameMap[Tag] {
  return fill(document.createElement(tag), parts);
}

/** A new element of a drawing. */
export function draw<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  parts: Parts = {},
): SVGElementTagNameMap[Tag] {
  return fill(document.createElementNS(SVG, tag), parts);
}

/** A button that does something. */
export function makeButton(
  text: string,
  { onClick, ...parts }: Omit<Parts, "text"> & { onClick(): void },
): HTMLButtonElement {
  const button = make("button", { text, ...parts, attributes: { type: "button", ...parts.attributes } });
  button.addEventListener("click", onClick);
  return button;
}

/** An element of the document. @throws Error when it is not there, or of another kind */
export function find<Kind extends Element>(id: string, kind: abstract new () => Kind): Kind {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} #${id}`);
}

/** Changes a text where it is another one: what did not change is not read out again, and keeps its selection. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Changes an attribute where it is another one; null takes it away. */
export function setAttribute(element: Element, name: string, value: string | null): void {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

/** A row of a list that is kept while its data changes, so that focus and selection stay. */
export interface Row<Data> {
  readonly element: HTMLElement;
  update(data: Data): void;
}

/**
 * Shows data as rows of a list, one for each key, in this order. Rows that are left keep their elements; where the
 * focus was in a row that goes, `orphaned` gets it.
 */
export class RowList<Data> {
  readonly list: HTMLElement;
  readonly #make: (data: Data) => Row<Data>;
  readonly #orphaned: HTMLElement;
  readonly #rows = new Map<string, Row<Data>>();

  constructor(list: HTMLElement, options: { make(data: Data): Row<Data>; readonly orphaned: HTMLElement }) {
    this.list = list;
    this.#make = options.make;
    this.#orphaned = options.orphaned;
  }

  show(entries: ReadonlyMap<string, Data>): void {
    const hadFocus = this.list.contains(document.activeElement);
    for (const [key, row] of this.#rows) {
      if (entries.has(key)) continue;
      row.element.remove();
      this.#rows.delete(key);
    }
    let before: Element | null = this.list.firstElementChild;
    for (const [key, data] of entries) {
      const row = this.#rows.get(key) ?? this.#add(key, data);
      row.update(data);
      if (row.element === before) before = before.nextElementSibling;
      else this.list.insertBefore(row.element, before);
    }
    if (hadFocus && !this.list.contains(document.activeElement)) this.#orphaned.focus();
  }

  #add(key: string, data: Data): Row<Data> {
    const row = this.#make(data);
    this.#rows.set(key, row);
    return row;
  }
}

function fill<Made extends Element>(element: Made, parts: Parts): Made {
  if (parts.class !== undefined) element.setAttribute("class", parts.class);
  for (const [name, value] of Object.entries(parts.attributes ?? {})) element.setAttribute(name, value);
  if (parts.text !== undefined) element.textContent = parts.text;
  element.append(...(parts.children ?? []));
  return element;
}
