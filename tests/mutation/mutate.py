#!/usr/bin/env python3
"""Mutation testing: are the tests able to fail?

usage: mutate.py [-j JOBS] [-k PATTERN] [FILE ...]

Changes one thing at a time in each file: a comparison, a bound, a sign, an operator, a returned value, a statement left
out.  Each mutant is compiled into a shared library of the core, and the tests run against that: the file's own, the
other unit tests, then the simulation.  A mutant that makes none of them fail has survived, and is an error, unless it
is listed in equivalent.txt with the reason why nothing can tell it from the original; mutants that compile to the
same code are not counted.  -k: only those whose name contains this.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILES = [f"src/protocol/{n}.c" for n in ("replay", "session", "handshake", "wire", "secretbox", "pending", "cookie",
                                         "seen", "receive")] + ["src/packet/mss.c", "src/channel/channel.c", "src/parent/report.c"]
CONFIG = [f"src/config/{n}.c" for n in ("lines", "reader", "table", "value", "endpoint", "checks", "config", "locate", "psk_file")]
FILES += CONFIG
CONFIG_TESTS = ["test_lines", "test_config_lines", "test_config_value", "test_config", "test_psk_file"]
# beside the test of the file's own name, and before all others
TESTS_OF = {"receive": ["test_link_drops", "test_link_packets", "test_link_sessions"], "cookie": ["test_link_load"],
            "seen": ["test_link_load"], "session": ["test_batch", "test_link_sessions"]}
TESTS_THEMSELVES = ["agrees"]  # the cipher's self-test: its data is as good as any
LAST = ["test_secretbox"]  # takes seconds
SIM = ["sim", "--seeds", "1-100"]
FLAGS = ("-std=gnu11 -D_GNU_SOURCE -Iinclude -iquote src -O1 -g0 -fPIC -w -D_FORTIFY_SOURCE=3 "
         "-fsanitize=bounds -fno-sanitize-recover=all")
TIMEOUT = 30  # of tests that take a second or two

SWAPS = {"==": ["!="], "!=": ["=="], "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"],
         "&&": ["||"], "||": ["&&"], "+=": ["-="], "-=": ["+="], "|=": ["=", "&="], "&=": ["="], "++": ["--"],
         "--": ["++"], "<<": [">>"], ">>": ["<<"], "^": ["|", "&"], "%": ["/"], "/": ["*"]}
BINARY = {"+": ["-"], "-": ["+"], "|": ["&"], "&": ["|"], "*": ["/"]}  # only with a space on both sides
TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|^[ \t]*\#(?:\\\n|[^\n])*
    |_Static_assert\(.*?;|assert\([^;]*;|[A-Za-z_]\w*|0[xX][0-9a-fA-F]+\w*|\d\w*|->|\+\+|--|<<=|>>=|<<|>>|[-+*/%&|^=!<>]=
    |&&|\|\||.|\n""", re.S | re.M | re.X)
STATEMENT = re.compile(r"^ +(?:(?:\w|->|\.|\[[^]=]*\])+(?:\+\+|--|(?: [-+|&^]?= [^=;{][^;{]*)|\([^;{]*\))|break|continue|return);",
                       re.M)


def mutations(text):
    """(start, end, replacement) of all that is tried."""
    for match in TOKEN.finditer(text):
        token, start, end = match[0], match.start(), match.end()
        spaced = text[start - 1:start] == " " and text[end:end + 1] == " "
        for other in SWAPS.get(token, []) if spaced or token in ("++", "--") else []: yield start, end, other
        for other in BINARY.get(token, []) if spaced else []: yield start, end, other
        if token == "!": yield start, end, ""
        if token in ("true", "false"): yield start, end, "false" if token == "true" else "true"
        # any negative number is a failure; a buffer may be larger, and one that is smaller overflows, or was too large
        failure = text[:start].endswith("return -")
        buffer = re.match(r" *(?:static )?uint8_t \w+\[", text[text.rfind("\n", 0, start) + 1:])
        if re.fullmatch(r"\d+|0[xX][0-9a-fA-F]+", token) and not failure and not buffer: yield from ((start, end, f"({token} {by})") for by in ("+ 1", "- 1"))
        bound = re.search(r"[<>=!]=? $", text[start - 3:start]) or re.match(r" ([<>]|[<>=!]=) ", text[end:end + 4])
        if bound and re.fullmatch(r"SW_[A-Z0-9_]+", token) and not re.search(r"[^<>=!]= $", text[start - 3:start]):
            yield from ((start, end, f"({token} {by})") for by in ("+ 1", "- 1"))
        if token == "return":
            value = re.match(r"return ([^;]+);", text[start:])
            if value and not re.fullmatch(r"true|false|\d+", value[1]):
                yield start, start + value.end(), "return 0;"
                if not value[1].startswith("-"): yield start, start + value.end(), f"return -1;"
    for match in STATEMENT.finditer(text):
        declared = re.match(r" +(?:const |static |struct |enum |unsigned |u?int\d*_t |size_t |bool |char )", match[0])
        if not declared and not match[0].lstrip().startswith(("return ", "assert(")): yield match.start(), match.end(), ";"
    for match in re.finditer(r"\bif \(", text):  # never, always
        depth, at = 0, match.end() - 1
        while True:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
            if depth == 0: break
        for value in "01": yield match.end(), at - 1, value


def function_of(text, at):
    names = re.findall(r"^(?!static const|struct|enum|#|/| |\}|typedef)[^\n;={]*?(\w+)\([^;{]*\{\n", text[:at], re.M)
    return names[-1] if names else "-"


def name_of(file, text, mutation):
    """What stays the same when lines move: file, function, and the line before and after."""
    start, end, other = mutation
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    before = " ".join(text[first:last].split())
    after = " ".join((text[first:start] + other + text[end:last]).split())
    return f"{os.path.basename(file)}: {function_of(text, start)}: {before} -> {after}"


class Bench:
    """A copy of the tree, with the tests built against a shared library."""

    def __init__(self, tests):
        self.folder, self.objects, self.tests = tempfile.mkdtemp(prefix="mutation."), {}, tests
        for part in ("src", "include", "tests"): shutil.copytree(f"{ROOT}/{part}", f"{self.folder}/{part}")
        core = [f"src/{d}/{n}" for d in ("protocol", "packet") for n in sorted(os.listdir(f"{ROOT}/src/{d}")) if n.endswith(".c")]
        core += [f"src/config/{n}" for n in sorted(os.listdir(f"{ROOT}/src/config")) if n.endswith(".c")]
        core += ["src/base/address.c", "src/base/error.c", "src/channel/channel.c", "src/parent/report.c"]
        for file in core: self.objects[file] = self.compile(file, file.replace("/", "_") + ".o")
        self.codes = {file: self.code(compiled) for file, compiled in self.objects.items()}
        self.library(self.objects)
        shared = [f"tests/unit/{n}" for n in os.listdir(f"{ROOT}/tests/unit") if n.endswith(".c") and not n.startswith("test_")]
        rest = ["src/base/log.c", "src/engine/batch.c", "src/engine/workers.c"]
        rest = [f for f in rest if os.path.exists(f"{ROOT}/{f}")]
        for test in tests: self.link(test, [f"tests/unit/{test}.c"] + shared + rest)
        self.link("sim", [f"tests/sim/{n}" for n in os.listdir(f"{ROOT}/tests/sim") if n.endswith(".c")])

    def shell(self, command):
        return subprocess.run(command, shell=True, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def compile(self, file, target):
        done = self.shell(f"cc {FLAGS} -c -o {target} {file}")
        return target if done.returncode == 0 else None

    def library(self, objects):
        done = self.shell(f"cc -shared -fsanitize=bounds -o libcore.so {' '.join(objects.values())} -lsodium")
        if done.returncode: sys.exit(done.stdout.decode())

    def link(self, target, files):
        done = self.shell(f"cc {FLAGS} -o {target} {' '.join(files)} -L. -lcore -Wl,-rpath,. -lcmocka -lsodium -lpthread")
        if done.returncode: sys.exit(done.stdout.decode())

    def fails(self, command):
        # one that allocates without end shall not take the machine along
        try: return subprocess.run(["sh", "-c", 'ulimit -c 0; exec "$@"', "-", "./" + command[0]] + command[1:], cwd=self.folder,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=TIMEOUT).returncode != 0
        except subprocess.TimeoutExpired: return True

    def code(self, compiled):
        return self.shell(f"objcopy -O binary -j '.rodata*' -j .data {compiled} /dev/stdout; objdump -dr {compiled} | tail -n +4").stdout

    def judge(self, file, mutant):
        """equivalent, does not compile, unit, sim or survived."""
        original = open(f"{ROOT}/{file}").read()
        with open(f"{self.folder}/{file}", "w") as f: f.write(mutant)
        try:
            changed = self.compile(file, "mutant.o")
            if not changed: return "does not compile"
            if self.code(changed) == self.codes[file]: return "same code"
            self.library({**self.objects, file: changed})
            if file in CONFIG: return "unit" if any(self.fails([t]) for t in CONFIG_TESTS) else "survived"
            own = os.path.basename(file)[:-2]
            first = [t for t in ["test_" + own] + TESTS_OF.get(own, []) if t in self.tests and t not in LAST]
            if any(self.fails([t]) for t in first + [t for t in self.tests if t not in first + LAST]): return "unit"
            if "secretbox" in file and any(self.fails([t]) for t in LAST): return "unit"
            if self.fails(SIM): return "sim"
            return "survived"
        finally:
            with open(f"{self.folder}/{file}", "w") as f: f.write(original)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-j", type=int, default=os.cpu_count())
    parser.add_argument("-k", default="")
    parser.add_argument("file", nargs="*")
    arguments = parser.parse_args()
    listed = {}
    for line in open(f"{ROOT}/tests/mutation/equivalent.txt"):
        if line.startswith(("#", "  ")) or not line.strip(): continue
        listed[line.strip()] = True
    tests = sorted(n[:-2] for n in os.listdir(f"{ROOT}/tests/unit") if re.fullmatch(
        r"test_(link\w*|receive|replay|session|handshake|wire|secretbox|pending|cookie|seen|mss|channel|batch|key|report|lines|config\w*|psk_file)\.c", n))
    local, benches = threading.local(), []

    def run(task):
        if not hasattr(local, "bench"):
            local.bench = Bench(tests)
            benches.append(local.bench)
        file, text, (start, end, other) = task
        return task, local.bench.judge(file, text[:start] + other + text[end:])

    tasks = []
    for file in arguments.file or FILES:
        text = open(f"{ROOT}/{file}").read()
        tasks += [(file, text, m) for m in sorted(set(mutations(text)))
                  if arguments.k in name_of(file, text, m) and function_of(text, m[0]) not in TESTS_THEMSELVES]
    table, survivors = {}, 0
    try:
        with concurrent.futures.ThreadPoolExecutor(arguments.j) as pool:
            for (file, text, mutation), verdict in pool.map(run, tasks):
                name = name_of(file, text, mutation)
                if verdict == "survived" and name in listed: verdict = "equivalent"
                row = table.setdefault(file, dict.fromkeys(("unit", "sim", "equivalent", "survived"), 0))
                if verdict in row: row[verdict] += 1
                if verdict == "survived":
                    survivors += 1
                    print(f"{file}:{text.count(chr(10), 0, mutation[0]) + 1}: survived:\n{name}", flush=True)
    finally:
        for bench in benches: shutil.rmtree(bench.folder)
    print(f"\n| file | mutants | killed by unit tests | by the simulation | equivalent | survived |\n|---|---|---|---|---|---|")
    for file, row in table.items():
        print(f"| {file} | {sum(row.values())} | {row['unit']} | {row['sim']} | {row['equivalent']} | {row['survived']} |")
    sys.exit(survivors > 0)


if __name__ == "__main__": main()
