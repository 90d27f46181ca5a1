/** Every scenario, by subject. */

import type { AnyScenario } from "../explorer/explore.js";
import { COUNTS } from "./counts.js";
import { DEATHS } from "./deaths.js";
import { DISCARDS } from "./discards.js";
import { DOMAINS } from "./domains.js";
import { EPOCHS } from "./epochs.js";
import { KEEPERS } from "./keepers.js";
import { OBJECTS } from "./objects.js";
import { OWNERS } from "./owners.js";
import { PERMITS } from "./permits.js";
import { POINTED_EPOCHS } from "./pointed-epochs.js";
import { POINTED_SLABS } from "./pointed-slabs.js";
import { REGRESSIONS } from "./regressions.js";
import { RELEASE_DEATHS } from "./release-deaths.js";
import { RELEASES } from "./releases.js";
import { RINGS } from "./rings.js";
import { SEATS } from "./seats.js";
import { SLABS } from "./slabs.js";
import { UNORDERED } from "./unordered.js";

export const SCENARIOS: readonly AnyScenario[] = [
  ...OBJECTS,
  ...EPOCHS,
  ...DISCARDS,
  ...SLABS,
  ...DOMAINS,
  ...UNORDERED,
  ...KEEPERS,
  ...SEATS,
  ...DEATHS,
  ...COUNTS,
  ...POINTED_EPOCHS,
  ...POINTED_SLABS,
  ...REGRESSIONS,
  ...RELEASES,
  ...RELEASE_DEATHS,
  ...OWNERS,
  ...PERMITS,
  ...RINGS,
];
