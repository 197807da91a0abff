/**
 * Task switches, which VT-x leaves to the hypervisor: the emulator's processor does them on the guest's tables.
 *
 * Intel SDM Vol. 3C §26.4.2, "Treatment of Task Switches".
 */
import { SEGMENTS, segmentSlots, type VirtualEvent } from "@ringside/isa";
import type { GuestStep } from "@ringside/hypervisor";
import { interruption, INTERRUPTION_TYPE } from "@ringside/isa-vmx";
import type { ExitContext } from "./exit-handlers.ts";

const resume: GuestStep = { kind: "resume" };
const taskRegister = segmentSlots(SEGMENTS.indexOf("tr")).selector;

/** An instruction of the guest, or an event that met a task gate, switches tasks. */
export function switchTask(context: ExitContext): GuestStep {
  const vectoring = context.vmcs.readNumber("IDT_VECTORING_INFORMATION");
  return interruption(vectoring).isValid ? deliver(context, vectoring) : execute(context);
}

function execute({ cpu, emulator, events, vmcs }: ExitContext): GuestStep {
  const task = vmcs.readNumber("GUEST_TR_SELECTOR");
  const emulation = emulator.emulate(cpu.whole);
  if (emulation.kind === "event")
    throw new Error("Bug in ringside: a task switch left for a monitor, please report.");
  if (emulation.kind === "fault") {
    // The new task may have met it, and is then the one that it is delivered to.
    if (emulator.state.getNumber(taskRegister) !== task) cpu.whole.store(emulator.state);
    events.raise(emulation);
  }
  return resume;
}

function deliver({ cpu, emulator, vmcs, physical }: ExitContext, vectoring: number): GuestStep {
  const event = eventOf(vectoring, vmcs.readNumber("IDT_VECTORING_ERROR_CODE"), physical.cr2);
  if (event.kind === "software") {
    const next = vmcs.read("GUEST_RIP") + vmcs.read("EXIT_INSTRUCTION_LENGTH");
    vmcs.write("GUEST_RIP", BigInt.asUintN(32, next));
  }
  const result = emulator.deliver(cpu.whole, event);
  return result.kind === "delivered" ? resume : { kind: "crashed", why: result.why };
}

function eventOf(vectoring: number, errorCode: number, linear: bigint): VirtualEvent {
  const { vector, type, hasErrorCode } = interruption(vectoring);
  switch (type) {
    case INTERRUPTION_TYPE.EXTERNAL_INTERRUPT:
      return { kind: "external", vector };
    case INTERRUPTION_TYPE.NMI:
      return { kind: "nmi", vector };
    case INTERRUPTION_TYPE.HARDWARE_EXCEPTION:
      return {
        kind: "exception",
        vector,
        linear,
        ...(hasErrorCode ? { errorCode } : {}),
      };
    default:
      return { kind: "software", vector };
  }
}
