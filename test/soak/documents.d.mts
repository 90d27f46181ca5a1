export declare function compare(
  before: ReadonlyMap<string, number>,
  document: object,
): { readonly counters: Map<string, number>; readonly problems: readonly string[] };
