export declare const DEATH_CODE: number;
export declare function dieAtAccess(number: number): void;
