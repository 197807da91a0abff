#!/usr/bin/env python3
"""
Runs the programs of programs.json and compares what they print and how they end with what is expected.

    run-programs.py [--on linux | namespace | qemu] [--record] [--kernel FILE] [--verbose] [NAME...]

linux       directly on this host (the default; tests and benchmarks only). It is what is right by definition.
namespace   under /init in namespaces of their own on this host, hostile programs included. Needs root.
qemu        under /init on the guest kernel in QEMU.

--record writes what the tests and benchmarks print on this Linux host to expected/. NAME is a program or a category.
"""
import argparse
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
USER = os.path.dirname(HERE)


def selected(options):
    with open(os.path.join(USER, "programs.json")) as file:
        programs = json.load(file)["programs"]
    sources = {name[:-2] for folder in ("tests", "hostile") for name in os.listdir(os.path.join(USER, folder)) if name.endswith(".c")}
    missing = sources - {os.path.basename(program["file"]) for program in programs}
    if missing:
        sys.exit("not in programs.json: " + ", ".join(sorted(missing)))
    if not options.names:
        return programs
    return [program for program in programs if program["name"] in options.names or program["category"] in options.names]


def may_run(program, options):
    if program["category"] != "hostile":
        return True
    if options.on == "linux":
        return False
    return options.on == "qemu" or program["native"] not in ("never", "unprivileged", "limited")


def run(program, options):
    """The exit status as a shell has it (124: it did not end) and what was printed."""
    binary = os.path.join(USER, "build", program["file"])
    environment = program.get("env", [])
    timeout = 10 if program.get("ending") == "limit" else options.timeout
    if options.on == "linux":
        command = [binary] + program["args"]
    else:
        guest = "/bin/" + os.path.basename(program["file"])
        command = [os.path.join(HERE, "guest.py"), "--timeout", str(timeout), "--file", binary + ":" + guest]
        command += ["--namespace"] if options.on == "namespace" else ["--kernel", options.kernel, "--memory", str(options.memory)]
        for variable in environment:
            command += ["--env", variable]
        command += ["--", guest] + program["args"]
    variables = dict(variable.split("=", 1) for variable in environment) if options.on == "linux" else None
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables, timeout=timeout + 20)
    except subprocess.TimeoutExpired:
        return 124, b"", b"no end"
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return status, done.stdout, done.stderr


def difference(expected, got):
    for number, (left, right) in enumerate(zip(expected.split(b"\n") + [b"(end)"], got.split(b"\n") + [b"(end)"]), 1):
        if left != right:
            return f"line {number}: expected '{left.decode(errors='replace')}', got '{right.decode(errors='replace')}'"
    return "the length differs"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", choices=["linux", "namespace", "qemu"], default="linux")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--kernel", default=os.path.join(os.path.dirname(USER), "images", "kernel.elf"))
    parser.add_argument("--memory", type=int, default=128)
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()

    failed = []
    count = 0
    for program in selected(options):
        if not may_run(program, options):
            continue
        count += 1
        start = time.monotonic()
        status, output, errors = run(program, options)
        wanted = program.get("status", 124)
        problems = []
        if status not in (wanted if isinstance(wanted, list) else [wanted]):
            problems.append(f"status {status}, expected {wanted}")
        if "output" in program:
            path = os.path.join(USER, program["output"])
            if options.record and not problems:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(output)
            with open(path, "rb") as file:
                expected = file.read()
            if expected != output:
                problems.append(difference(expected, output))
        print(f"{'FAIL' if problems else 'ok  '} {program['name']} ({time.monotonic() - start:.1f} s)" + "".join("\n     " + problem for problem in problems))
        if problems or options.verbose:
            sys.stdout.write("".join("     | " + line + "\n" for line in errors.decode(errors="replace").splitlines()[-12:]))
        sys.stdout.flush()
        if problems:
            failed.append(program["name"])
    print(f"{count - len(failed)} of {count} as expected" + (": not " + ", ".join(failed) if failed else ""))
    return 1 if failed else 0


sys.exit(main())
