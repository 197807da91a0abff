/**
 * The 8042 keyboard controller of a PC/AT, with nothing plugged in.
 *
 * IBM Personal Computer AT Technical Reference, "Keyboard Controller": status register, commands, output port. Bit 0 of
 * the output port resets the processor, which is how many systems restart.
 *
 * Differs from the 8042 of a PS/2: the auxiliary port is not wired. Its test says that the clock line is stuck low, and
 * its loop gives 0xff, so that nobody waits for an answer.
 */
import type { AccessBytes, PortDevice, PortRange } from "../ports.ts";

const dataPort = 0x60;
const commandPort = 0x64;

/** Status register. */
const outputFull = 0x01;
const systemFlag = 0x04;
const wasCommand = 0x08;
const notInhibited = 0x10;
const transmitTimeout = 0x20;

/** Command byte. */
const keyboardDisabled = 0x10;

/** What the controller answers in the keyboard's place when that says nothing. */
const resend = 0xfe;

export class KeyboardController implements PortDevice {
  readonly name = "keyboard-controller";
  readonly ports: readonly PortRange[] = [
    { base: dataPort, count: 1, widthBytes: 1 },
    { base: commandPort, count: 1, widthBytes: 1 },
  ];
  readonly #onReset: () => void;
  #output: number | undefined;
  #timedOut = false;
  #commandByte = keyboardDisabled;
  /** The command that takes the next byte at the data port. */
  #awaits: number | undefined;
  #lastWasCommand = false;
  #passedSelfTest = false;

  /** @param onReset The output port's reset line is pulled. */
  constructor(onReset: () => void) {
    this.#onReset = onReset;
  }

  reset(): void {
    this.#output = undefined;
    this.#timedOut = false;
    this.#commandByte = keyboardDisabled;
    this.#awaits = undefined;
    this.#lastWasCommand = false;
    this.#passedSelfTest = false;
  }

  readPort(port: number, _sizeBytes: AccessBytes): number {
    if (port === commandPort) return this.#status();
    const byte = this.#output ?? 0;
    this.#output = undefined;
    this.#timedOut = false;
    return byte;
  }

  writePort(port: number, _sizeBytes: AccessBytes, value: number): void {
    this.#lastWasCommand = port === commandPort;
    if (this.#lastWasCommand) this.#command(value);
    else this.#data(value);
  }

  #status(): number {
    return (
      notInhibited |
      (this.#output === undefined ? 0 : outputFull) |
      (this.#passedSelfTest ? systemFlag : 0) |
      (this.#lastWasCommand ? wasCommand : 0) |
      (this.#timedOut ? transmitTimeout : 0)
    );
  }

  #command(value: number): void {
    this.#awaits = undefined;
    switch (value) {
      case 0x20:
        this.#output = this.#commandByte;
        break;
      case 0xaa: // self-test
        this.#passedSelfTest = true;
        this.#output = 0x55;
        break;
      case 0xa9: // test of the auxiliary port: clock stuck low
        this.#output = 1;
        break;
      case 0xab: // test of the keyboard port: no error
        this.#output = 0;
        break;
      case 0xad:
        this.#commandByte |= keyboardDisabled;
        break;
      case 0xae:
        this.#commandByte &= ~keyboardDisabled;
        break;
      case 0xd0: // output port: not reset, A20 open
        this.#output = 0x03;
        break;
      case 0x60:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        this.#awaits = value;
        break;
      default:
        // 0xf0 to 0xff pulse the low bits of the output port that are 0 in the command.
        if (value >= 0xf0 && (value & 1) === 0) this.#onReset();
    }
  }

  #data(value: number): void {
    const command = this.#awaits;
    this.#awaits = undefined;
    switch (command) {
      case 0x60:
        this.#commandByte = value;
        break;
      case 0xd1:
        if ((value & 1) === 0) this.#onReset();
        break;
      case 0xd2: // as if the keyboard had sent it
        this.#output = value;
        break;
      case 0xd3: // the auxiliary port's loop
        this.#output = 0xff;
        break;
      default:
        this.#commandByte &= ~keyboardDisabled;
        this.#output = resend;
        this.#timedOut = true;
    }
  }
}
