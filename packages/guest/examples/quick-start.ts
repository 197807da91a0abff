import { encodeFrame, frameReader, frameTypes, programInitrd, userProgram } from "@ringside/guest";

const initrd = programInitrd({
  argv: ["/bin/bench", "sieve", "10"],
  env: [],
  files: [{ path: "/bin/bench", mode: 0o755, data: userProgram("bin/bench") }],
});
console.log(new TextDecoder().decode(initrd.subarray(0, 6))); // => 070701

const reader = frameReader({
  frame: (frame) => console.log(frame.type === "exit" ? `exit ${frame.waitStatus}` : frame.type),
});
reader.push(Uint8Array.of(0xf5, 3, 4, 0, 0, 0, 0, 0)); // => exit 0
console.log(encodeFrame(frameTypes.stdinEnd, new Uint8Array())[0]?.length); // => 4
