/** Where commands get stats documents from. */
export { chooseSource, sourceFromText } from "./choose.js";
export { withoutMark } from "./document.js";
export { type OneSample, openSource, sampleBoth, sampleOnce } from "./open.js";
export { SOURCE_HELP, SOURCE_OPTIONS, SOURCE_POSITIONAL, TOKEN_OPTIONS } from "./options.js";
export type { Sample, SampleSource } from "./types.js";
