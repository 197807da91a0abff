/**
 * The registers of an x86-64 as gdb knows them, and the description that it is sent.
 *
 * Debugging with GDB, appendix G "Target Descriptions", section "i386 Features". Registers that gdb has no feature for
 * stand in one of our own: `info registers system` shows them.
 */

export interface TargetRegister {
  /** Its name in gdb. */
  readonly name: string;
  /** Its name in the contract's debugger. */
  readonly source: string;
  readonly bits: number;
  readonly type: string;
  /** What `info registers` shows it with. */
  readonly group?: "float" | "vector" | "system";
}

interface Feature {
  readonly name: string;
  /** Types that its registers use. */
  readonly types?: string;
  readonly registers: readonly TargetRegister[];
}

const register = (
  name: string,
  bits: number,
  type: string,
  source: string = name,
): TargetRegister => ({ name, source, bits, type });

const flagsType = `<flags id="i386_eflags" size="4"><field name="CF" start="0" end="0"/><field name="" start="1" end="1"/>\
<field name="PF" start="2" end="2"/><field name="AF" start="4" end="4"/><field name="ZF" start="6" end="6"/>\
<field name="SF" start="7" end="7"/><field name="TF" start="8" end="8"/><field name="IF" start="9" end="9"/>\
<field name="DF" start="10" end="10"/><field name="OF" start="11" end="11"/><field name="NT" start="14" end="14"/>\
<field name="RF" start="16" end="16"/><field name="VM" start="17" end="17"/><field name="AC" start="18" end="18"/>\
<field name="VIF" start="19" end="19"/><field name="VIP" start="20" end="20"/><field name="ID" start="21" end="21"/></flags>`;

const vectorTypes = `<vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/>\
<vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/>\
<vector id="v4i32" type="int32" count="4"/><vector id="v2i64" type="int64" count="2"/>\
<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>\
<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/>\
<field name="v2_int64" type="v2i64"/><field name="uint128" type="uint128"/></union>`;

const general = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi"].map((name) =>
  register(name, 64, "int64"),
);
const numbered = [8, 9, 10, 11, 12, 13, 14, 15].map((number) =>
  register(`r${number}`, 64, "int64"),
);
const selectors = ["cs", "ss", "ds", "es", "fs", "gs"].map((name) => register(name, 32, "int32"));
const stack = [0, 1, 2, 3, 4, 5, 6, 7].map((index) => register(`st${index}`, 80, "i387_ext"));
const floatControl = [
  ["fctrl", "fcw"],
  ["fstat", "fsw"],
  ["ftag", "ftw"],
  ["fiseg", "fcs"],
  ["fioff", "fip"],
  ["foseg", "fds"],
  ["fooff", "fdp"],
  ["fop", "fop"],
] as const;

const features: readonly Feature[] = [
  {
    name: "org.gnu.gdb.i386.core",
    types: flagsType,
    registers: [
      ...general,
      register("rbp", 64, "data_ptr"),
      register("rsp", 64, "data_ptr"),
      ...numbered,
      register("rip", 64, "code_ptr"),
      register("eflags", 32, "i386_eflags", "rflags"),
      ...selectors,
      ...stack,
      ...floatControl.map(([name, source]): TargetRegister => ({
        ...register(name, 32, "int", source),
        group: "float",
      })),
    ],
  },
  {
    name: "org.gnu.gdb.i386.sse",
    types: vectorTypes,
    registers: [
      ...Array.from({ length: 16 }, (_, number) => register(`xmm${number}`, 128, "vec128")),
      { ...register("mxcsr", 32, "int"), group: "vector" },
    ],
  },
  {
    name: "org.gnu.gdb.i386.segments",
    registers: [register("fs_base", 64, "int64"), register("gs_base", 64, "int64")],
  },
  {
    name: "org.ringside.x86.system",
    registers: [
      register("k_gs_base", 64, "int64", "kernel_gs_base"),
      ...["cr0", "cr2", "cr3", "cr4", "cr8", "efer"].map((name) => register(name, 64, "int64")),
      ...["gdtr_base", "idtr_base", "tr_base", "ldtr_base"].map((name) =>
        register(name, 64, "data_ptr"),
      ),
      ...["star", "lstar", "sfmask"].map((name) => register(name, 64, "int64")),
    ].map((each): TargetRegister => ({ ...each, group: "system" })),
  },
];

/** In the order of their numbers. */
export const targetRegisters: readonly TargetRegister[] = features.flatMap(
  ({ registers }) => registers,
);

/** The document `target.xml`. */
export const targetXml: string = `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target>\
<architecture>i386:x86-64</architecture>${features.map(featureXml).join("")}</target>`;

function featureXml({ name, types = "", registers }: Feature): string {
  const lines = registers.map(({ name, bits, type, group }) => {
    const inGroup = group === undefined ? "" : ` group="${group}"`;
    return `<reg name="${name}" bitsize="${bits}" type="${type}"${inGroup}/>`;
  });
  return `<feature name="${name}">${types}${lines.join("")}</feature>`;
}
