/**
 * Ports: IN, OUT, INS and OUTS.
 *
 * Intel SDM Vol. 2A, "IN—Input From Port"; "INS/INSB/INSW/INSD—Input from Port to String"; Vol. 2B, "OUT—Output to Port";
 * "OUTS/OUTSB/OUTSW/OUTSD—Output String to Port"; Vol. 1 §19.5, "Protected-Mode I/O".
 */
import { opcodes, type Classification, type Encoding, type Instruction } from "../dsl.ts";
import { checkPorts } from "../exceptions/port-permission.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { recheckWhenPending } from "./control-registers.ts";
import { advance, destinationAddress, RDI, RSI, sourceAddress } from "./string-element.ts";

const RDX = 2;

const io: Classification = {
  privilege: "io",
  sensitive: "control",
  why: "It reaches the machine's devices.",
};

type PortBytes = 1 | 2 | 4;

function bytesOf(bits: number): PortBytes {
  return bits === 8 ? 1 : bits === 16 ? 2 : 4;
}

function portRead(m: SemanticsBuilder, port: Value, bytes: PortBytes): Value {
  return m.fromI32Unsigned(
    m.helper("portRead", [m.toI32(port), m.toI32(m.constant(bytes))], "i32"),
  );
}

function portWrite(m: SemanticsBuilder, port: Value, bytes: PortBytes, value: Value): void {
  m.helper("portWrite", [m.toI32(port), m.toI32(m.constant(bytes)), m.toI32(value)]);
}

export const input: Instruction = {
  mnemonic: "in",
  reference: "Intel SDM Vol. 2A, IN—Input From Port",
  classification: io,
  counted: true,
  encodings: opcodes`
    Opcode    | Instruction  | Access
    E4 ib     | IN AL, imm8  | w r
    o16 E5 ib | IN AX, imm8  | w r
    o32 E5 ib | IN EAX, imm8 | w r
    REX.W E5 ib | IN EAX, imm8 | w r
    EC        | IN AL, DX    | w r
    o16 ED    | IN AX, DX    | w r
    o32 ED    | IN EAX, DX   | w r
    REX.W ED    | IN EAX, DX   | w r
  `,
  semantics(m, destination, source) {
    const bytes = bytesOf(destination.bits);
    const port = m.read(source);
    m.call(checkPorts, port, m.constant(bytes));
    m.write(destination, portRead(m, port, bytes));
    recheckWhenPending(m);
  },
};

export const output: Instruction = {
  mnemonic: "out",
  reference: "Intel SDM Vol. 2B, OUT—Output to Port",
  classification: io,
  counted: true,
  encodings: opcodes`
    Opcode    | Instruction   | Access
    E6 ib     | OUT imm8, AL  | r r
    o16 E7 ib | OUT imm8, AX  | r r
    o32 E7 ib | OUT imm8, EAX | r r
    REX.W E7 ib | OUT imm8, EAX | r r
    EE        | OUT DX, AL    | r r
    o16 EF    | OUT DX, AX    | r r
    o32 EF    | OUT DX, EAX   | r r
    REX.W EF    | OUT DX, EAX   | r r
  `,
  semantics(m, destination, source) {
    const bytes = bytesOf(source.bits);
    const port = m.read(destination);
    m.call(checkPorts, port, m.constant(bytes));
    portWrite(m, port, bytes, m.read(source));
    recheckWhenPending(m);
  },
};

/** Recorded processors ask for the right to use the port even when a REP prefix counts zero. */
function mayUsePort(m: SemanticsBuilder, bytes: PortBytes): void {
  m.call(checkPorts, m.register(RDX, 16), m.constant(bytes));
}

function stringInput(bytes: PortBytes, encodings: readonly Encoding[]): Instruction {
  return {
    mnemonic: "ins",
    reference: "Intel SDM Vol. 2A, INS/INSB/INSW/INSD—Input from Port to String",
    classification: io,
    counted: true,
    repeatable: "rep",
    addressSized: true,
    encodings,
    precondition: (m) => mayUsePort(m, bytes),
    semantics(m) {
      const port = m.register(RDX, 16);
      const linear = destinationAddress(m);
      // A read of a port can have effects, so the fault comes first.
      m.probeWrite(linear, bytes);
      m.store(linear, bytes, portRead(m, port, bytes));
      advance(m, RDI, bytes);
      recheckWhenPending(m);
    },
  };
}

function stringOutput(bytes: PortBytes, encodings: readonly Encoding[]): Instruction {
  return {
    mnemonic: "outs",
    reference: "Intel SDM Vol. 2B, OUTS/OUTSB/OUTSW/OUTSD—Output String to Port",
    classification: io,
    counted: true,
    repeatable: "rep",
    addressSized: true,
    encodings,
    precondition: (m) => mayUsePort(m, bytes),
    semantics(m) {
      const port = m.register(RDX, 16);
      portWrite(m, port, bytes, m.load(sourceAddress(m), bytes));
      advance(m, RSI, bytes);
      recheckWhenPending(m);
    },
  };
}

export const insb: Instruction = stringInput(
  1,
  opcodes`
    Opcode | Instruction |
    6C     | INSB        |
  `,
);

export const insw: Instruction = stringInput(
  2,
  opcodes`
    Opcode | Instruction |
    o16 6D | INSW        |
  `,
);

export const insd: Instruction = stringInput(
  4,
  opcodes`
    Opcode   | Instruction |
    o32 6D   | INSD        |
    REX.W 6D | INSD        |
  `,
);

export const outsb: Instruction = stringOutput(
  1,
  opcodes`
    Opcode | Instruction |
    6E     | OUTSB       |
  `,
);

export const outsw: Instruction = stringOutput(
  2,
  opcodes`
    Opcode | Instruction |
    o16 6F | OUTSW       |
  `,
);

export const outsd: Instruction = stringOutput(
  4,
  opcodes`
    Opcode   | Instruction |
    o32 6F   | OUTSD       |
    REX.W 6F | OUTSD       |
  `,
);
