/** Programs of other projects that tests use for real: found, or in CI installed from Debian. */
import { spawnSync } from "node:child_process";

export interface Program {
  /** How to start it; absent when there is none. */
  readonly command?: string;
  /** Why there is none, for the line a skipped test prints. */
  readonly missing?: string;
}

export interface Wanted {
  /** Names to try, in this order; empty ones are passed over. */
  readonly names: readonly string[];
  /** Debian package that brings one of them. */
  readonly package: string;
  /** Arguments with which it says that it is there and ends with 0; `--version` unless given. */
  readonly probe?: readonly string[];
}

/** In CI a missing program is installed; elsewhere nothing is installed behind anybody's back. */
export function findProgram(wanted: Wanted): Program {
  const found = () => wanted.names.find((name) => name !== "" && answers(name, wanted.probe));
  const command = found();
  if (command !== undefined) return { command };
  const [name = ""] = wanted.names.filter((given) => given !== "");
  if ((process.env.CI ?? "") === "") {
    return { missing: `no ${name}: install Debian's ${wanted.package}` };
  }
  // Two test files may want something at the same time.
  const apt = (...args: string[]) =>
    spawnSync("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=240", ...args], {
      encoding: "utf8",
      timeout: 300_000,
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  apt("update");
  const { status, stderr } = apt("install", "-y", "--no-install-recommends", wanted.package);
  const installed = found();
  if (installed !== undefined) return { command: installed };
  return { missing: `apt-get install ${wanted.package} ended with ${status}: ${(stderr ?? "").slice(-200)}` };
}

/** For titles of tests that are skipped without the program. */
export function unlessMissing(title: string, ...programs: readonly Program[]): string {
  const missing = programs.flatMap((program) => program.missing ?? []);
  return missing.length === 0 ? title : `${title} (SKIPPED: ${missing.join("; ")})`;
}

function answers(command: string, probe: readonly string[] = ["--version"]): boolean {
  return spawnSync(command, probe, { timeout: 30_000 }).status === 0;
}

export const findChromium = (): Program =>
  findProgram({
    names: [process.env.CHROMIUM ?? "", "chromium-headless-shell", "chromium", "google-chrome"],
    package: "chromium-headless-shell",
  });
export const findPrometheus = (): Program => findProgram({ names: ["prometheus"], package: "prometheus" });
export const findPromtool = (): Program => findProgram({ names: ["promtool"], package: "prometheus" });
export const findNodeExporter = (): Program =>
  findProgram({ names: ["prometheus-node-exporter"], package: "prometheus-node-exporter" });
export const findJq = (): Program => findProgram({ names: ["jq"], package: "jq" });
