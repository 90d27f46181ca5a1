/**
 * Making and changing elements. Texts of the application (labels, messages) only ever become text nodes: nothing here
 * parses markup. Setters touch the document only when something changed, so that a reader's place is not lost.
 */
type Child = Node | string;
type Attributes = Readonly<Record<string, string>>;

export function html<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The element of the page with that id; the page is built with the script, so it is there. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

export function inside<E extends Element = HTMLElement>(parent: Element, selector: string): E {
  const element = parent.querySelector<E>(selector);
  if (element === null) throw new Error(`the page has no ${selector} there`);
  return element;
}

export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** null takes the attribute away. */
export function setAttribute(element: Element, name: string, value: string | null): void {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

export function setHidden(element: HTMLElement, hidden: boolean): void {
  if (element.hidden !== hidden) element.hidden = hidden;
}

/** Storage that may be forbidden or full: the page then forgets, and works. */
export function stored(storage: "local" | "session", key: string): string | null {
  try {
    return (storage === "local" ? localStorage : sessionStorage).getItem(key);
  } catch {
    return null;
  }
}

export function store(storage: "local" | "session", key: string, value: string | null): void {
  try {
    const place = storage === "local" ? localStorage : sessionStorage;
    if (value === null) place.removeItem(key);
    else place.setItem(key, value);
  } catch {
    // Forgotten with the page.
  }
}

/** Lets the keyboard scroll what overflows: such a region must be in the tab order, under a name. */
export function scrollable(element: HTMLElement, name: string): HTMLElement {
  element.tabIndex = 0;
  element.setAttribute("role", "region");
  element.setAttribute("aria-label", name);
  return element;
}

/** A group of radio buttons that looks like one switch. */
export function fillSwitch(
  fieldset: HTMLElement,
  name: string,
  choices: Readonly<Record<string, string>>,
  chosen: string,
  choose: (value: string) => void,
): void {
  for (const [value, label] of Object.entries(choices)) {
    const input = html("input", { type: "radio", name, value, id: `${name}-${value}` });
    input.checked = value === chosen;
    input.addEventListener("change", () => {
      if (input.checked) choose(value);
    });
    fieldset.append(input, html("label", { for: `${name}-${value}` }, label));
  }
}
