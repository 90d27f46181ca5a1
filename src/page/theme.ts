/** Light and dark: the system's wish unless the reader chose, which is remembered. */
import { byId, fillSwitch, store, stored } from "./dom.js";

const KEY = "temporal-slab theme";
const CHOICES = { system: "Auto", light: "Light", dark: "Dark" } as const;

/** `changed` is called whenever colours did, also when the system's wish did. */
export function startTheme(changed: () => void): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const remembered = stored("local", KEY) ?? "system";
  let chosen = remembered in CHOICES ? remembered : "system";
  const apply = (): void => {
    const theme = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
    document.documentElement.dataset.theme = theme;
    changed();
  };
  fillSwitch(byId("theme"), "theme", CHOICES, chosen, (choice) => {
    chosen = choice;
    store("local", KEY, choice === "system" ? null : choice);
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
}

/** A colour of the style sheet, for what is drawn on a canvas. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
