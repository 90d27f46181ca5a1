interface SectionLike {
  readonly key: string;
  readonly fields: readonly { readonly name: string; readonly type: string; readonly kind: string }[];
}

export declare function countersOf(document: object, sections: readonly SectionLike[]): Map<string, number>;
export declare function wentBack(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): string[];
export declare function impossible(document: object): string[];
