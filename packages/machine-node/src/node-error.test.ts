import { SharedFolderError } from "@ringside/machine";
import { expect, test } from "vitest";
import { attempt } from "./node-error.ts";

test.each([
  ["EMFILE", "ENFILE"],
  ["ENFILE", "ENFILE"],
  ["ENOENT", "ENOENT"],
  ["EXDEV", "EXDEV"],
  ["ETXTBSY", "EBUSY"],
  ["EPERM", "EPERM"],
  ["ENAMETOOLONG", "ENAMETOOLONG"],
  ["what nobody knows", "EIO"],
])("%s of the host is the machine's %s", (code, expected) => {
  const failing = (): never => {
    throw Object.assign(new Error("It failed."), { code });
  };
  expect(() => attempt(failing)).toThrow(SharedFolderError);
  expect(() => attempt(failing)).toThrow(expect.objectContaining({ code: expected }));
});
