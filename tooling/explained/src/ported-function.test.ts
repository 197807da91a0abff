import { describe, expect, test } from "vitest";
import { portedFunction } from "./ported-function.ts";

const native = [
  "void other(void) { idle(); }\n",
  '/* A store. */\nvoid idle(void) { __asm__("hlt"); }\n\nint load(u64 a) {\n    set(a);\n    return 0;\n}\n',
];
const xen = [
  "int load(u64 a) {\n    if (a) { ask(a); }\n    return 0;\n}\n\nvoid idle(void) {\n    block();\n}\n",
];

describe("portedFunction", () => {
  test("shows lines of one build, of the other, and what they share", () => {
    expect(portedFunction("load", native, xen)).toBe(
      " int load(u64 a) {\n-    set(a);\n+    if (a) { ask(a); }\n     return 0;\n }",
    );
  });

  test("takes the definition, and no call of it", () => {
    expect(portedFunction("idle", native, xen)).toBe(
      '-void idle(void) { __asm__("hlt"); }\n+void idle(void) {\n+    block();\n+}',
    );
  });

  test("says which build lacks the function", () => {
    expect(() => portedFunction("other", native, xen)).toThrow(
      "The paravirtual build has no function other.",
    );
  });
});
