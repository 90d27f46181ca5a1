/** The live page, made from src/page by scripts/build-page.mjs: one HTML document without references to others. */
export declare const livePage: string;
