/** `tslab completion`: prints the script that completes command lines in a shell. */
import type { ParsedOptions } from "../args.js";
import { type Command, type CommandStreams, EXIT_OK } from "../command.js";
import { COMMANDS } from "../commands.js";
import { bashScript } from "./bash.js";
import { fishScript } from "./fish.js";
import { type CompletionModel, completionModel } from "./model.js";
import { zshScript } from "./zsh.js";

const SCRIPTS: Readonly<Record<string, (model: CompletionModel) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export const completionCommand: Command = {
  name: "completion",
  summary: "a script that completes tslab's command lines in your shell",
  description: [
    "Prints the script; load it where your shell is set up:",
    "  bash   source <(tslab completion bash)         in ~/.bashrc",
    "  zsh    source <(tslab completion zsh)          in ~/.zshrc, after compinit",
    "  fish   tslab completion fish | source          in ~/.config/fish/config.fish",
  ].join("\n"),
  options: {},
  positionals: [{ name: "SHELL", help: "bash, zsh or fish", choices: ["bash", "zsh", "fish"] }],
  examples: [{ run: "tslab completion bash > tslab.bash" }, { run: "tslab completion fish" }],
  run,
};

async function run({ positionals }: ParsedOptions, streams: CommandStreams): Promise<number> {
  const [shell = ""] = positionals;
  const script = SCRIPTS[shell] as (model: CompletionModel) => string;
  streams.out.write(script(await completionModel(COMMANDS)));
  return EXIT_OK;
}
