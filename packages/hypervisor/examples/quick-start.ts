import { HostMemory } from "@ringside/isa";
import { GuestMemory, MonitorWork } from "@ringside/hypervisor";
import { FrameAllotter } from "@ringside/machine";

const memory = HostMemory.create({ physicalBytes: 16 << 20 });
const work = new MonitorWork();
const guest = new GuestMemory({
  memory,
  frames: new FrameAllotter({ base: 0, sizeBytes: 16 << 20 }),
  sizeBytes: 4 << 20,
  work,
});
guest.write(0x1000, new TextEncoder().encode("hello"));
console.log(work.flat()); // => { 'monitor.guestWords': 1, 'monitor.pagesCleared': 1 }
