/**
 * The WebAssembly JavaScript interface (W3C "WebAssembly JavaScript Interface"), which Node and browsers share.
 *
 * TypeScript has it only inside its DOM library, which packages do not load.
 */
declare namespace WebAssembly {
  type ImportExportKind = "function" | "global" | "memory" | "table" | "tag";
  type ValueType = "anyfunc" | "externref" | "f32" | "f64" | "i32" | "i64" | "v128";
  type ExportValue = Function | Global | Memory | Table;
  type ImportValue = ExportValue | number | bigint;
  type Imports = Record<string, Record<string, ImportValue>>;
  type Exports = Record<string, ExportValue>;

  interface Module {
    readonly [Symbol.toStringTag]: string;
  }
  var Module: {
    /** @throws {CompileError} when `bytes` are not a valid module. */
    new (bytes: ArrayBufferView | ArrayBuffer): Module;
    exports(module: Module): { name: string; kind: ImportExportKind }[];
    imports(module: Module): { module: string; name: string; kind: ImportExportKind }[];
    customSections(module: Module, sectionName: string): ArrayBuffer[];
  };

  interface Instance {
    readonly exports: Exports;
  }
  var Instance: {
    /** @throws {LinkError} when an import is missing or has the wrong type. */
    new (module: Module, imports?: Imports): Instance;
  };

  interface MemoryDescriptor {
    /** In pages of 64 KiB. */
    initial: number;
    maximum?: number;
    shared?: boolean;
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
    /** Grows by `delta` pages of 64 KiB and gives the size before. Detaches the old {@link buffer}. */
    grow(delta: number): number;
  }
  var Memory: {
    /** @throws {RangeError} when the host has no such amount of memory. */
    new (descriptor: MemoryDescriptor): Memory;
  };

  interface TableDescriptor {
    element: "anyfunc" | "externref";
    initial: number;
    maximum?: number;
  }
  interface Table {
    readonly length: number;
    get(index: number): unknown;
    set(index: number, value?: unknown): void;
    grow(delta: number, value?: unknown): number;
  }
  var Table: { new (descriptor: TableDescriptor, value?: unknown): Table };

  interface Global<T = number | bigint> {
    value: T;
    valueOf(): T;
  }
  var Global: {
    new <T = number | bigint>(
      descriptor: { value: ValueType; mutable?: boolean },
      value?: T,
    ): Global<T>;
  };

  interface CompileError extends Error {}
  var CompileError: { new (message?: string): CompileError };
  interface LinkError extends Error {}
  var LinkError: { new (message?: string): LinkError };
  interface RuntimeError extends Error {}
  var RuntimeError: { new (message?: string): RuntimeError };

  function validate(bytes: ArrayBufferView | ArrayBuffer): boolean;
  function compile(bytes: ArrayBufferView | ArrayBuffer): Promise<Module>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
}
