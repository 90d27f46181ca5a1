/** Synthetic requests: allocate a few objects in a domain, free them as the free policy says. */
import type { Job, JobContext } from "./job.js";
import { Leaks } from "./leaks.js";
import type { WorkerLeaks } from "./messages.js";
import { ObjectList } from "./object-list.js";

export class RequestJob implements Job {
  readonly #context: JobContext;
  readonly #leaks = new Leaks();
  readonly #label: string;
  /** Object lists of the last requests; with free policy lag:N there are N of them, else one. */
  readonly #recent: ObjectList[];
  #next = 0;

  constructor(context: JobContext) {
    this.#context = context;
    this.#label = `${context.plan.pattern}-request`;
    const { freePolicy, objectsMax } = context.plan;
    const lag = freePolicy.kind === "lag" ? freePolicy.requests : 1;
    this.#recent = Array.from({ length: lag }, () => new ObjectList(Math.min(objectsMax, 256)));
  }

  step(): boolean {
    const { plan, random, objects } = this.#context;
    const list = this.#recent[this.#next];
    this.#next = (this.#next + 1) % this.#recent.length;
    // With a lag, the list still holds the request of that many requests ago.
    this.#letGoAll(list);
    const domain = this.#context.openDomain(this.#label);
    const wanted = random.between(plan.objectsMin, plan.objectsMax);
    for (let i = 0; i < wanted; i++) {
      if (objects.allocate(plan.objectSize)) list.push(objects.handle, objects.length, objects.sequence);
    }
    if (plan.freePolicy.kind !== "lag") this.#letGoAll(list);
    domain.exit();
    this.#context.endRequest(domain.epoch);
    return true;
  }

  finish(): void {
    this.#context.stopHandingOver();
    for (const list of this.#recent) this.#letGoAll(list);
    this.#leaks.inspect(this.#context.objects);
  }

  leaked(): WorkerLeaks {
    return this.#leaks.summary(this.#label);
  }

  #letGoAll(list: ObjectList): void {
    const { plan, random, heap } = this.#context;
    const leakPercent = plan.freePolicy.kind === "leak" ? plan.freePolicy.percent : 0;
    for (let i = 0; i < list.count; i++) {
      if (leakPercent > 0 && random.chance(leakPercent)) this.#leaks.add(heap, list, i);
      else this.#context.letGo(list.handle(i), list.length(i), list.sequence(i));
    }
    list.clear();
  }
}
