/**
 * Defends: a token is never shown, reaches only the server it was given for, and is refused before anything is sent when
 * no header can carry it.
 * Method: commands with any texts as tokens (fast-check), against two servers that keep what they were sent.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseOptions } from "../../../src/cli/args.js";
import { diffCommand } from "../../../src/cli/diff/command.js";
import { doctorCommand } from "../../../src/cli/doctor/command.js";
import { TOKEN_OPTIONS } from "../../../src/cli/sources/options.js";
import { statsCommand } from "../../../src/cli/stats/command.js";
import { stringifyStats } from "../../../src/stats/index.js";
import { ourDocument } from "../../stats/document/fixtures.js";
import { type DocumentFolder, documentFolder } from "../documents.js";
import { runCommand } from "../screen/streams.js";

let folder: DocumentFolder;
let servers: Server[];
let [here, there] = ["", ""];
/** The header of each request. */
let sent: (string | undefined)[] = [];

beforeAll(async () => {
  folder = documentFolder();
  servers = [0, 1].map(() =>
    createServer(({ headers }, response) => {
      sent.push(headers.authorization);
      response.end(stringifyStats(ourDocument()));
    }),
  );
  const listening = servers.map(async (server) => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  [here = "", there = ""] = await Promise.all(listening);
});
beforeEach(() => {
  sent = [];
});
afterAll(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  folder.remove();
});

describe("a token", () => {
  const RULE = "a token is made of printable ASCII characters without spaces";

  it.each(["--token", "$TSLAB_TOKEN"])(
    "of %s is sent as it is, or refused without showing it",
    async (name) => {
      const token = fc.oneof(fc.string({ minLength: 1 }), fc.string({ unit: "binary", minLength: 1 }));
      await fc.assert(
        fc.asyncProperty(token, async (text) => {
          sent = [];
          const { code, err } = await (name === "--token"
            ? runCommand(statsCommand, ["--url", here, `--token=${text}`])
            : runCommand(statsCommand, ["--url", here], { env: { TSLAB_TOKEN: text } }));
          const fits = [...text].every((character) => character > " " && character < "\u007f");
          expect({ code, err, sent }).toEqual(
            fits
              ? { code: 0, err: "", sent: [`Bearer ${text}`] }
              : { code: 2, err: `${name}: ${RULE}`, sent: [] },
          );
        }),
      );
    },
  );

  it("is not looked at where nothing is asked for with it", async () => {
    const outcome = await runCommand(statsCommand, [folder.file("stats.json")], {
      env: { TSLAB_TOKEN: "a\n" },
    });
    expect(outcome).toMatchObject({ code: 0, err: "" });
  });

  it("given twice is not shown", () => {
    expect(() => parseOptions(["--token", "hush", "--token", "secret"], TOKEN_OPTIONS)).toThrow(
      /^--token: given twice; leave one of them out$/,
    );
  });
});

describe("two documents", () => {
  it.each([
    ["diff", () => runCommand(diffCommand, [here, there, "--token", "secret"]), "--token"],
    [
      "diff",
      () => runCommand(diffCommand, [here, there], { env: { TSLAB_TOKEN: "secret" } }),
      "$TSLAB_TOKEN",
    ],
    [
      "doctor",
      () => runCommand(doctorCommand, ["--url", here, "--since", there, "--token", "secret"]),
      "--token",
    ],
  ])("of two servers: %s sends neither the token", async (_, run, name) => {
    const { code, out, err } = await run();
    expect({ code, out, sent }).toEqual({ code: 2, out: "", sent: [] });
    expect(err).toContain(`${name}: a token is for one server, and these are two: http://`);
    expect(err).not.toContain("secret");
  });

  it("of one server, or with a file: the token is sent", async () => {
    const options = ["--token", "secret"];
    await runCommand(diffCommand, [here, `${here}/stats.json`, ...options]);
    await runCommand(diffCommand, [folder.file("before.json"), here, ...options]);
    await runCommand(doctorCommand, ["--url", here, "--since", here, ...options]);
    expect(sent).toEqual(Array.from({ length: 5 }, () => "Bearer secret"));
  });

  it("of two servers without a token are read", async () => {
    expect(await runCommand(diffCommand, [here, there])).toMatchObject({ code: 0, err: "" });
    expect(sent).toEqual([undefined, undefined]);
  });

  it("cannot both be standard input", async () => {
    for (const world of [{}, { env: { TSLAB_SOURCE: "-" } }]) {
      const args = "env" in world ? [] : ["-"];
      const outcome = await runCommand(doctorCommand, [...args, "--since", "-"], { input: "{}", ...world });
      expect(outcome).toEqual({
        code: 2,
        out: "",
        err: "--since and the document itself cannot both be standard input; name a file for one of them",
      });
    }
  });
});
