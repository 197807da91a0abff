import { expect, test } from "vitest";
import { Timeline } from "./timeline.ts";

test("gives events by deadline, equal ones in the order of scheduling", () => {
  const clock = { now: 0 };
  const timeline = new Timeline(clock);
  timeline.schedule("b", "x", 20);
  timeline.schedule("a", "x", 10);
  timeline.schedule("c", "x", 20);
  expect(timeline.takeDue()).toBeUndefined();
  clock.now = 20;
  expect(
    [timeline.takeDue(), timeline.takeDue(), timeline.takeDue()].map((e) => e?.device),
  ).toEqual(["a", "b", "c"]);
  expect(timeline.nextDeadline).toBe(Infinity);
});

test("replaces an event of the same name, and cancels", () => {
  const timeline = new Timeline({ now: 0 });
  timeline.schedule("a", "x", 10);
  timeline.schedule("a", "y", 15);
  timeline.schedule("a", "x", 30);
  expect(timeline.events.map((e) => [e.event, e.deadline])).toEqual([
    ["y", 15],
    ["x", 30],
  ]);
  timeline.cancel("a", "y");
  expect(timeline.nextDeadline).toBe(30);
});

test("says when the next deadline moves closer", () => {
  const timeline = new Timeline({ now: 0 });
  const earlier: number[] = [];
  timeline.onEarlier = (deadline) => earlier.push(deadline);
  timeline.schedule("a", "x", 10);
  timeline.schedule("b", "x", 20);
  timeline.schedule("b", "x", 5);
  expect(earlier).toEqual([10, 5]);
});
