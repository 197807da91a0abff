/**
 * Decoded instructions as text in Intel syntax. What it writes, the assembler reads back.
 */
import type { CodeMode, Decoded, Form, FormOperand, MemoryAddress } from "../decoder/decoded.ts";
import { generalRegisterName, registerName, SEGMENT_NAMES } from "../decoder/register-names.ts";

const SIZE_NAMES: ReadonlyMap<number, string> = new Map([
  [8, "byte"],
  [16, "word"],
  [32, "dword"],
  [48, "fword"],
  [64, "qword"],
  [80, "tbyte"],
  [128, "xmmword"],
]);

/**
 * The text of an instruction that lies at `address`.
 *
 * Branch targets and RIP-relative operands are written as the addresses that they name.
 *
 * @param sizeMatters Whether other forms differ from this one in nothing but the operand size, which is then written.
 */
export function formatInstruction(decoded: Decoded, address: bigint, sizeMatters: boolean): string {
  const { form } = decoded;
  const prefixes: string[] = [];
  if (decoded.lock) prefixes.push("lock");
  if (form.repeat !== "none") prefixes.push(form.repeat);
  if (sizeMatters && form.operandSize !== undefined) prefixes.push(`o${form.operandSize}`);
  const end = address + BigInt(decoded.lengthBytes);
  const { memory } = decoded;
  if (memory === undefined) {
    if (form.instruction.addressSized === true) {
      if (form.addressWidth !== form.mode) prefixes.push(`a${form.addressWidth}`);
      const segment =
        decoded.segmentOverride === -1 ? undefined : SEGMENT_NAMES[decoded.segmentOverride];
      if (segment !== undefined) prefixes.push(segment);
    }
  } else if (memory.addressWidth !== form.mode && memory.base < 0 && memory.index < 0) {
    prefixes.push(`a${memory.addressWidth}`);
  }
  const operands = form.operands
    .filter(({ source }) => source !== "implicit-memory")
    .map((operand) => formatOperand(decoded, operand, end));
  const head = [...prefixes, form.mnemonic].join(" ");
  return operands.length === 0 ? head : `${head} ${operands.join(", ")}`;
}

/** Key of what text says of a form beside its operand size. */
export function textKey(form: Form): string {
  return `${form.mode} ${form.mnemonic} ${form.operands.map(({ kind, bits, source, value }) => `${kind}${bits}${source === "fixed" ? `=${value}` : ""}`).join(",")}`;
}

/** Whether a form has the operand size that code of its mode has without a prefix. */
export function hasUsualSize(form: Form): boolean {
  const { operandSize, encoding, mode } = form;
  if (operandSize === undefined) return true;
  if (operandSize === 64) return !encoding.opcode.includes("REX.W");
  return operandSize === (mode === 16 ? 16 : 32);
}

function formatOperand(decoded: Decoded, operand: FormOperand, end: bigint): string {
  const { form } = decoded;
  switch (operand.source) {
    case "reg":
    case "rm":
    case "opcode":
      return registerName(operand.kind, decoded.registers[operand.index] ?? 0, operand.bits);
    case "fixed":
      return operand.kind === "constant"
        ? `${operand.value}`
        : registerName(operand.kind, operand.value, operand.bits);
    case "memory":
      return decoded.memory === undefined
        ? ""
        : formatMemory(decoded, decoded.memory, operand, end);
    case "immediate":
      return formatNumber(decoded.immediate);
    case "immediate2":
      return formatNumber(BigInt(decoded.immediate2));
    case "far-pointer":
      return `${formatNumber(BigInt(decoded.immediate2))}:${formatNumber(decoded.immediate)}`;
    case "relative":
      return formatNumber(
        BigInt.asUintN(targetBits(form.mode, operand.bits), end + decoded.relative),
      );
    case "implicit-memory":
      return "";
  }
}

/** Where RIP wraps: offsets of 16 bits are for 16-bit operand size. */
function targetBits(mode: CodeMode, offsetBits: number): number {
  return mode === 64 ? 64 : offsetBits === 16 ? 16 : mode;
}

function formatMemory(
  decoded: Decoded,
  memory: MemoryAddress,
  operand: FormOperand,
  end: bigint,
): string {
  const isFar = decoded.form.encoding.instruction.includes(":") && operand.access === "n";
  const size = SIZE_NAMES.get(operand.bits);
  const words = [...(isFar ? ["far"] : []), ...(size === undefined ? [] : [size, "ptr"])];
  const segment = decoded.segmentOverride === -1 ? "" : `${SEGMENT_NAMES[memory.segment] ?? ""}:`;
  const head = words.length === 0 ? "" : `${words.join(" ")} `;
  return `${head}${segment}[${formatAddress(memory, end)}]`;
}

function formatAddress(memory: MemoryAddress, end: bigint): string {
  const { base, index, scaleShift, displacement, addressWidth } = memory;
  if (base === -2) return `rel ${formatNumber(BigInt.asUintN(addressWidth, end + displacement))}`;
  const parts: string[] = [];
  if (base >= 0) parts.push(generalRegisterName(base, addressWidth));
  if (index >= 0) {
    const name = generalRegisterName(index, addressWidth);
    // With the scale, an index alone stays one.
    parts.push(scaleShift === 0 && base >= 0 ? name : `${name}*${1 << scaleShift}`);
  }
  if (parts.length === 0) return formatNumber(BigInt.asUintN(addressWidth, displacement));
  const text = parts.join("+");
  if (displacement === 0n) return text;
  return displacement < 0n
    ? `${text}-${formatNumber(-displacement)}`
    : `${text}+${formatNumber(displacement)}`;
}

function formatNumber(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
