/**
 * Turns the allocator's sources into ones that can be stopped before every access to shared words.
 *
 * Every function that touches a typed array that may be shared, plainly or through Atomics, becomes a generator, and
 * so does every function that calls one. An access tells the machine what it is about to do, yields if the machine
 * wants another worker to go on here, and then has the machine do it:
 *
 *   m[i]                 ->  (G.read(m, i) && (yield), G.get())
 *   m[i] = v             ->  (G.write(m, i, v) && (yield), G.put())
 *   Atomics.add(m, i, v) ->  (G.atomic(4, m, i, v, 0) && (yield), G.rmw())
 *   f(x)                 ->  (yield* f(x))                where f became a generator
 *   visit(x)             ->  (yield* G.call(visit(x)))    where only the run tells what is called
 *
 * The compiler's own types decide what is an access and what is called, so nothing depends on names. What cannot be
 * transformed is an error, never left out silently. The rest of the text is the shipped one, character for character.
 */
import ts from "typescript";

/** Numbers of the atomic operations, shared with the machine. */
export const ATOMIC_OPS = ["load", "store", "compareExchange", "or", "and", "add", "exchange"] as const;

/** Array methods that call back, in the generator version the machine provides. */
const CALLING_METHODS = new Set(["map", "filter", "forEach", "some", "every", "find", "findIndex"]);

const SHARED_ARRAYS = new Set(["Int32Array", "Uint8Array"]);

type Body = ts.FunctionLikeDeclaration & { readonly body: ts.ConciseBody };

export interface Instrumented {
  /** Transformed text by file name. */
  readonly texts: ReadonlyMap<string, string>;
  /** How many accesses were made stoppable. */
  readonly accesses: number;
}

/**
 * @param program the sources
 * @param isInstrumented whether a file is to be transformed; the others are not and must not call back
 */
export function instrument(program: ts.Program, isInstrumented: (file: string) => boolean): Instrumented {
  const files = program.getSourceFiles().filter((file) => isInstrumented(file.fileName));
  const steps = new Steps(program.getTypeChecker(), files);
  const texts = new Map<string, string>();
  let accesses = 0;
  for (const file of files) {
    const edits = new Edits(steps, file);
    texts.set(file.fileName, edits.text());
    accesses += edits.accesses;
  }
  return { texts, accesses };
}

function isBody(node: ts.Node): node is Body {
  return ts.isFunctionLike(node) && (node as Body).body !== undefined;
}

/** Innermost function around a node, or undefined at the top of a module. */
function functionAround(node: ts.Node): Body | undefined {
  for (let at = node.parent; at !== undefined; at = at.parent) {
    if (isBody(at)) return at;
    // Field initialisers run in the constructor, module code in none: neither can yield.
    if (ts.isPropertyDeclaration(at)) return undefined;
  }
  return undefined;
}

function fail(node: ts.Node, why: string): never {
  const file = node.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(node.getStart());
  throw new Error(`${file.fileName}:${line + 1}: ${why}: ${node.getText().slice(0, 80)}`);
}

/** Which functions have to become generators. */
class Steps {
  private readonly stepping = new Set<Body>();
  private readonly callers = new Map<Body, Set<Body>>();
  readonly checker: ts.TypeChecker;

  constructor(checker: ts.TypeChecker, files: readonly ts.SourceFile[]) {
    this.checker = checker;
    const found: Body[] = [];
    const own = new Set(files);
    const visit = (node: ts.Node): void => {
      const around = functionAround(node);
      if (around !== undefined && !ts.isConstructorDeclaration(around)) {
        if (this.isAccess(node) || (ts.isCallExpression(node) && this.callee(node) === "unknown")) {
          found.push(around);
        }
      }
      const called = this.calledBody(node);
      if (called !== undefined && own.has(called.getSourceFile()) && around !== undefined) {
        const callers = this.callers.get(called) ?? new Set();
        callers.add(around);
        this.callers.set(called, callers);
      }
      // A callback handed to an array method runs inside the function that hands it over.
      if (isBody(node) && arrayMethodAround(node) !== undefined && around !== undefined) {
        this.callers.set(node, new Set([around]));
      }
      ts.forEachChild(node, visit);
    };
    files.forEach(visit);
    for (let body = found.pop(); body !== undefined; body = found.pop()) {
      if (this.stepping.has(body)) continue;
      this.stepping.add(body);
      if (!ts.isConstructorDeclaration(body)) found.push(...(this.callers.get(body) ?? []));
    }
  }

  isStepping(body: ts.Node): boolean {
    return this.stepping.has(body as Body) && !ts.isConstructorDeclaration(body);
  }

  /** A typed array that may be shared. Whether it is shows when it is used. */
  isArray(node: ts.Expression): boolean {
    const name = this.checker.getTypeAtLocation(node).getSymbol()?.getName();
    return name !== undefined && SHARED_ARRAYS.has(name);
  }

  isAccess(node: ts.Node): boolean {
    if (ts.isElementAccessExpression(node)) return this.isArray(node.expression);
    return ts.isCallExpression(node) && (this.atomicOp(node) >= 0 || this.isFill(node));
  }

  isFill(node: ts.CallExpression): boolean {
    const { expression } = node;
    return (
      ts.isPropertyAccessExpression(expression) &&
      expression.name.text === "fill" &&
      this.isArray(expression.expression)
    );
  }

  atomicOp(node: ts.CallExpression): number {
    const { expression } = node;
    if (!ts.isPropertyAccessExpression(expression) || expression.expression.getText() !== "Atomics")
      return -1;
    const op = (ATOMIC_OPS as readonly string[]).indexOf(expression.name.text);
    return op >= 0 ? op : fail(node, "an atomic operation the machine does not know");
  }

  /** The function a call or a getter's use leads to, where it is known. */
  calledBody(node: ts.Node): Body | undefined {
    if (ts.isCallExpression(node)) {
      const callee = this.callee(node);
      return typeof callee === "object" ? callee : undefined;
    }
    if (ts.isPropertyAccessExpression(node)) {
      const declared = this.checker.getSymbolAtLocation(node)?.valueDeclaration;
      if (declared !== undefined && ts.isGetAccessorDeclaration(declared) && isBody(declared))
        return declared;
    }
    return undefined;
  }

  /** "library": a function of the language or the runtime; "unknown": a callback or a member of an interface. */
  callee(node: ts.CallExpression): Body | "library" | "unknown" {
    const declared = this.checker.getResolvedSignature(node)?.declaration;
    if (declared === undefined || ts.isJSDocSignature(declared)) return "unknown";
    if (declared.getSourceFile().fileName.includes("/node_modules/")) return "library";
    if (declared.getSourceFile().isDeclarationFile) return "library";
    return isBody(declared) ? declared : "unknown";
  }
}

/** The array method call `node` is the callback of. */
function arrayMethodAround(node: ts.Node): ts.CallExpression | undefined {
  const { parent } = node;
  if (!ts.isCallExpression(parent) || !ts.isPropertyAccessExpression(parent.expression)) return undefined;
  const method = parent.expression.name.text;
  const isFrom = method === "from" && parent.expression.expression.getText() === "Array";
  if (isFrom) return parent.arguments[1] === node ? parent : undefined;
  return CALLING_METHODS.has(method) && parent.arguments[0] === node ? parent : undefined;
}

/** Rewrites one file from the inside out, as text, so that everything else stays as it was written. */
class Edits {
  private readonly steps: Steps;
  private readonly file: ts.SourceFile;
  accesses = 0;

  constructor(steps: Steps, file: ts.SourceFile) {
    this.steps = steps;
    this.file = file;
  }

  text(): string {
    return this.of(this.file);
  }

  /** Text of a node with everything in it rewritten. */
  private of(node: ts.Node): string {
    return this.rewritten(node) ?? this.children(node);
  }

  /** Text of a node whose own shape stays, with its parts rewritten. `skip` leaves out children. */
  private children(node: ts.Node, replace?: (child: ts.Node) => string | undefined): string {
    const source = this.file.text;
    let text = "";
    let at = node.getFullStart();
    ts.forEachChild(node, (child) => {
      text += source.slice(at, child.getFullStart());
      text += replace?.(child) ?? this.of(child);
      at = child.getEnd();
    });
    return text + source.slice(at, node.getEnd());
  }

  private lead(node: ts.Node): string {
    return this.file.text.slice(node.getFullStart(), node.getStart());
  }

  private rewritten(node: ts.Node): string | undefined {
    if (ts.isBinaryExpression(node) && this.isSharedElement(node.left)) return this.assignment(node);
    if ((ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) && isCounting(node)) {
      return this.isSharedElement(node.operand)
        ? fail(node, "a read and a write in one expression cannot be told apart")
        : undefined;
    }
    if (this.isSharedElement(node)) {
      return this.access(
        node,
        `G.read(${this.of(node.expression)}, ${this.of(node.argumentExpression)})`,
        "get",
      );
    }
    if (ts.isCallExpression(node)) return this.call(node);
    if (ts.isPropertyAccessExpression(node)) return this.getter(node);
    if (ts.isNewExpression(node)) return this.view(node);
    if (isBody(node) && this.steps.isStepping(node)) return this.generator(node);
    return undefined;
  }

  private isSharedElement(node: ts.Node): node is ts.ElementAccessExpression {
    return ts.isElementAccessExpression(node) && this.mayStep(node) && this.steps.isArray(node.expression);
  }

  /** Constructors cannot stop: what they touch are words that nobody changes. Neither can module code. */
  private mayStep(node: ts.Node): boolean {
    const around = functionAround(node);
    return around !== undefined && this.steps.isStepping(around);
  }

  private access(node: ts.Node, announce: string, perform: string): string {
    this.accesses++;
    return `${this.lead(node)}(${announce} && (yield), G.${perform}())`;
  }

  private assignment(node: ts.BinaryExpression): string | undefined {
    const { left, operatorToken, right } = node;
    if (!this.isSharedElement(left)) return undefined;
    const operator = operatorToken.kind;
    if (operator < ts.SyntaxKind.FirstAssignment || operator > ts.SyntaxKind.LastAssignment) return undefined;
    if (operator !== ts.SyntaxKind.EqualsToken) {
      fail(node, "a read and a write in one expression cannot be told apart");
    }
    const parts = [left.expression, left.argumentExpression, right].map((part) => this.of(part)).join(", ");
    return this.access(node, `G.write(${parts})`, "put");
  }

  private call(node: ts.CallExpression): string | undefined {
    if (!this.mayStep(node)) {
      if (this.steps.isStepping(this.steps.calledBody(node) ?? node)) {
        fail(node, "called where nothing can stop (a constructor, a field, a module)");
      }
      return undefined;
    }
    const op = this.steps.atomicOp(node);
    if (op >= 0) {
      const operands = node.arguments.map((argument) => this.of(argument));
      while (operands.length < 4) operands.push("0");
      return this.access(node, `G.atomic(${op}, ${operands.join(", ")})`, "rmw");
    }
    const callbacks = this.arrayMethod(node);
    if (callbacks !== undefined) return callbacks;
    if (this.steps.isFill(node)) {
      this.accesses++;
      const array = (node.expression as ts.PropertyAccessExpression).expression;
      const operands = [array, ...node.arguments].map((part) => this.of(part)).join(", ");
      return `${this.lead(node)}(yield* G.fill(${operands}))`;
    }
    const callee = this.steps.callee(node);
    if (callee === "library") return undefined;
    if (callee === "unknown") return `${this.lead(node)}(yield* G.call(${this.children(node).trimStart()}))`;
    return this.steps.isStepping(callee)
      ? `${this.lead(node)}(yield* ${this.children(node).trimStart()})`
      : undefined;
  }

  /** `array.map(callback)` where the callback stops. */
  private arrayMethod(node: ts.CallExpression): string | undefined {
    const callback = node.arguments.find((argument) => isBody(argument) && this.steps.isStepping(argument));
    if (callback === undefined || this.steps.callee(node) !== "library") return undefined;
    if (arrayMethodAround(callback) !== node)
      fail(node, "a callback that stops, for a function that does not");
    const { expression, name } = node.expression as ts.PropertyAccessExpression;
    const array = name.text === "from" ? node.arguments[0] : expression;
    if (array === undefined) return fail(node, "no array");
    return `${this.lead(node)}(yield* G.${name.text}(${this.of(array)}, ${this.of(callback)}))`;
  }

  /** A view of the heap's words: everybody gets the machine's own array. */
  private view(node: ts.NewExpression): string | undefined {
    const [buffer] = node.arguments ?? [];
    if (node.expression.getText() !== "Int32Array" || buffer === undefined) return undefined;
    const type = this.steps.checker.getTypeAtLocation(buffer).getSymbol()?.getName();
    if (type !== "SharedArrayBuffer") return undefined;
    return `${this.lead(node)}G.words(${this.children(node).trimStart()})`;
  }

  private getter(node: ts.PropertyAccessExpression): string | undefined {
    const getter = this.steps.calledBody(node);
    if (getter === undefined || !this.steps.isStepping(getter)) return undefined;
    if (!this.mayStep(node)) fail(node, "read where nothing can stop");
    return `${this.lead(node)}(yield* ${this.of(node.expression).trimStart()}.${GETTER}${node.name.text}())`;
  }

  private generator(node: Body): string {
    if (ts.isArrowFunction(node)) {
      const parameters = node.parameters.map((parameter) => this.of(parameter)).join(", ");
      const body = ts.isBlock(node.body) ? this.of(node.body) : `{ return ${this.of(node.body)}; }`;
      const text = `(function* (${parameters}) ${body.trimStart()})`;
      return this.lead(node) + (usesThis(node.body) ? `${text}.bind(this)` : text);
    }
    if (ts.isFunctionDeclaration(node) || ts.isFunctionExpression(node)) {
      return this.named(node, "function*", ts.SyntaxKind.FunctionKeyword);
    }
    if (ts.isMethodDeclaration(node)) {
      return this.children(node, (child) =>
        child === node.name ? `${this.lead(child)}*${child.getText()}` : undefined,
      );
    }
    if (ts.isGetAccessorDeclaration(node)) {
      const text = this.children(node, (child) =>
        child === node.name ? ` *${GETTER}${child.getText()}` : undefined,
      );
      return text.replace(/\bget\s+\*/, "*");
    }
    return fail(node, "a function of this kind cannot become a generator");
  }

  private named(node: Body, keyword: string, kind: ts.SyntaxKind): string {
    const token = node.getChildren().find((child) => child.kind === kind);
    if (token === undefined) return fail(node, "no keyword");
    const text = this.children(node);
    const at = token.getStart() - node.getFullStart();
    return text.slice(0, at) + keyword + text.slice(at + token.getWidth());
  }
}

/** Getters that stop become methods of this name. */
export const GETTER = "getStepping_";

function isCounting(node: ts.PrefixUnaryExpression | ts.PostfixUnaryExpression): boolean {
  return node.operator === ts.SyntaxKind.PlusPlusToken || node.operator === ts.SyntaxKind.MinusMinusToken;
}

function usesThis(node: ts.Node): boolean {
  if (node.kind === ts.SyntaxKind.ThisKeyword) return true;
  return (
    ts.forEachChild(node, (child) =>
      isBody(child) && !ts.isArrowFunction(child) ? false : usesThis(child),
    ) ?? false
  );
}
