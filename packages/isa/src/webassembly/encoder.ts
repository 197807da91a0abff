/**
 * Writes WebAssembly binary modules: sections, types, and function bodies as bytes.
 *
 * WebAssembly Core Specification 2.0 §5, "Binary Format".
 */
import type { ValueType } from "../semantics.ts";
import { wasmOperation } from "./operations.ts";

const VALUE_TYPES: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};
const EMPTY_BLOCK = 0x40;
/** 4 GiB. */
const MEMORY_PAGES_MAXIMUM = 0x1_0000;

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

function unsigned(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

function signed(bytes: number[], value: bigint): void {
  let rest = value;
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) {
      bytes.push(low);
      return;
    }
    bytes.push(low | 0x80);
  }
}

function name(bytes: number[], text: string): void {
  const encoded = new TextEncoder().encode(text);
  unsigned(bytes, encoded.length);
  bytes.push(...encoded);
}

/** A branch target: the number of open blocks when it was opened. */
export type Label = number;

/** One function's code. Locals are numbered after the parameters, by type, in the order they are asked for. */
export class FunctionBody {
  readonly bytes: number[] = [];
  readonly #parameterCount: number;
  readonly #locals: ValueType[] = [];
  #depth = 0;

  constructor(parameterCount: number) {
    this.#parameterCount = parameterCount;
  }

  /** A new local of the function. */
  local(type: ValueType): number {
    this.#locals.push(type);
    return this.#parameterCount + this.#locals.length - 1;
  }

  get(local: number): void {
    this.bytes.push(0x20);
    unsigned(this.bytes, local);
  }

  set(local: number): void {
    this.bytes.push(0x21);
    unsigned(this.bytes, local);
  }

  tee(local: number): void {
    this.bytes.push(0x22);
    unsigned(this.bytes, local);
  }

  i32(value: number): void {
    this.bytes.push(0x41);
    signed(this.bytes, BigInt(value | 0));
  }

  i64(value: bigint): void {
    this.bytes.push(0x42);
    signed(this.bytes, BigInt.asIntN(64, value));
  }

  constant(type: ValueType, value: bigint): void {
    if (type === "i32") this.i32(Number(BigInt.asIntN(32, value)));
    else this.i64(value);
  }

  v128(low: bigint, high: bigint): void {
    this.op("v128.const", { sixteen: [...littleEndian(low), ...littleEndian(high)] });
  }

  /** An instruction without a memory operand. */
  op(
    operation: string,
    immediates: { readonly lane?: number; readonly sixteen?: readonly number[] } = {},
  ): void {
    const { encoding, immediates: shape } = wasmOperation(operation);
    this.bytes.push(...encoding);
    if (shape === "lane") this.bytes.push(immediates.lane ?? 0);
    if (shape === "sixteen") this.bytes.push(...(immediates.sixteen ?? []));
  }

  /** A load or store at a fixed offset from the address on the stack. Alignment is only a hint and says 1. */
  memory(operation: string, offset: number): void {
    this.bytes.push(...wasmOperation(operation).encoding, 0);
    unsigned(this.bytes, offset);
  }

  select(type: ValueType): void {
    if (type === "v128") this.bytes.push(0x1c, 1, VALUE_TYPES.v128);
    else this.bytes.push(0x1b);
  }

  drop(): void {
    this.bytes.push(0x1a);
  }

  block(): Label {
    this.bytes.push(0x02, EMPTY_BLOCK);
    return this.#open();
  }

  loop(): Label {
    this.bytes.push(0x03, EMPTY_BLOCK);
    return this.#open();
  }

  if(result?: ValueType): Label {
    this.bytes.push(0x04, result === undefined ? EMPTY_BLOCK : VALUE_TYPES[result]);
    return this.#open();
  }

  else(): void {
    this.bytes.push(0x05);
  }

  end(): void {
    this.#depth -= 1;
    this.bytes.push(0x0b);
  }

  #open(): Label {
    this.#depth += 1;
    return this.#depth;
  }

  #relative(label: Label): number {
    return this.#depth - label;
  }

  branch(label: Label): void {
    this.bytes.push(0x0c);
    unsigned(this.bytes, this.#relative(label));
  }

  branchIf(label: Label): void {
    this.bytes.push(0x0d);
    unsigned(this.bytes, this.#relative(label));
  }

  branchTable(labels: readonly Label[], otherwise: Label): void {
    this.bytes.push(0x0e);
    unsigned(this.bytes, labels.length);
    for (const label of labels) unsigned(this.bytes, this.#relative(label));
    unsigned(this.bytes, this.#relative(otherwise));
  }

  call(functionIndex: number): void {
    this.bytes.push(0x10);
    unsigned(this.bytes, functionIndex);
  }

  /** Tail call of the table's function at the index on the stack; every engine that the packages support has it. */
  returnCallIndirect(typeIndex: number): void {
    this.bytes.push(0x13);
    unsigned(this.bytes, typeIndex);
    this.bytes.push(0x00);
  }

  return(): void {
    this.bytes.push(0x0f);
  }

  unreachable(): void {
    this.bytes.push(0x00);
  }

  /** Body with its local declarations, as the code section holds it. */
  encode(): number[] {
    const head: number[] = [];
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count += 1;
      else runs.push({ type, count: 1 });
    }
    unsigned(head, runs.length);
    for (const { type, count } of runs) {
      unsigned(head, count);
      head.push(VALUE_TYPES[type]);
    }
    return [...head, ...this.bytes, 0x0b];
  }
}

function littleEndian(value: bigint): number[] {
  const bytes: number[] = [];
  for (let shift = 0n; shift < 64n; shift += 8n) bytes.push(Number((value >> shift) & 0xffn));
  return bytes;
}

/** A module under construction. Imports come first, then functions, in the order they are declared. */
export class ModuleBuilder {
  readonly #types: FunctionType[] = [];
  readonly #typeIndex = new Map<string, number>();
  readonly #imports: { readonly module: string; readonly name: string; readonly type: number }[] =
    [];
  readonly #functions: { readonly type: number; body: FunctionBody | undefined }[] = [];
  readonly #exports: { readonly name: string; readonly index: number }[] = [];

  /** Index of a function type, for indirect calls. */
  typeIndex(type: FunctionType): number {
    const key = `${type.parameters.join(",")}>${type.results.join(",")}`;
    const known = this.#typeIndex.get(key);
    if (known !== undefined) return known;
    this.#types.push(type);
    this.#typeIndex.set(key, this.#types.length - 1);
    return this.#types.length - 1;
  }

  importFunction(module: string, functionName: string, type: FunctionType): number {
    if (this.#functions.length > 0) throw new RangeError("Imports are declared before functions.");
    this.#imports.push({ module, name: functionName, type: this.typeIndex(type) });
    return this.#imports.length - 1;
  }

  declareFunction(type: FunctionType): number {
    this.#functions.push({ type: this.typeIndex(type), body: undefined });
    return this.#imports.length + this.#functions.length - 1;
  }

  define(functionIndex: number, body: FunctionBody): void {
    const declared = this.#functions[functionIndex - this.#imports.length];
    if (declared === undefined) throw new RangeError(`No function ${functionIndex} was declared.`);
    declared.body = body;
  }

  export(exportName: string, functionIndex: number): void {
    this.#exports.push({ name: exportName, index: functionIndex });
  }

  /**
   * The module's bytes. It imports `host.memory`, of any size up to 4 GiB but with a declared maximum, and `host.table`,
   * a table of functions.
   */
  encode(): Uint8Array<ArrayBuffer> {
    const sections: number[][] = [];
    const section = (id: number, content: number[]): void => {
      const bytes = [id];
      unsigned(bytes, content.length);
      sections.push(bytes, content);
    };

    const types: number[] = [];
    unsigned(types, this.#types.length);
    for (const { parameters, results } of this.#types) {
      types.push(0x60);
      unsigned(types, parameters.length);
      types.push(...parameters.map((type) => VALUE_TYPES[type]));
      unsigned(types, results.length);
      types.push(...results.map((type) => VALUE_TYPES[type]));
    }
    section(1, types);

    const imports: number[] = [];
    unsigned(imports, this.#imports.length + 2);
    name(imports, "host");
    name(imports, "memory");
    imports.push(0x02, 0x01);
    unsigned(imports, 1);
    unsigned(imports, MEMORY_PAGES_MAXIMUM);
    name(imports, "host");
    name(imports, "table");
    imports.push(0x01, 0x70, 0x00, 0x01);
    for (const imported of this.#imports) {
      name(imports, imported.module);
      name(imports, imported.name);
      imports.push(0x00);
      unsigned(imports, imported.type);
    }
    section(2, imports);

    const functions: number[] = [];
    unsigned(functions, this.#functions.length);
    for (const { type } of this.#functions) unsigned(functions, type);
    section(3, functions);

    const exports: number[] = [];
    unsigned(exports, this.#exports.length);
    for (const exported of this.#exports) {
      name(exports, exported.name);
      exports.push(0x00);
      unsigned(exports, exported.index);
    }
    section(7, exports);

    let size = 0;
    const bodies = this.#functions.map(({ body }) => {
      if (body === undefined) throw new RangeError("A declared function has no body.");
      const encoded = body.encode();
      const length: number[] = [];
      unsigned(length, encoded.length);
      size += length.length + encoded.length;
      return { length, encoded };
    });
    const count: number[] = [];
    unsigned(count, bodies.length);
    const codeHeader = [10];
    unsigned(codeHeader, size + count.length);

    const parts = [
      [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      ...sections,
      codeHeader,
      count,
    ];
    for (const { length, encoded } of bodies) parts.push(length, encoded);
    const total = parts.reduce((sum, part) => sum + part.length, 0);
    const out = new Uint8Array(total);
    let at = 0;
    for (const part of parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}
