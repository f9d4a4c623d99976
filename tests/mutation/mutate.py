#!/usr/bin/env python3
"""Mutation testing: checks that the tests can fail.

usage: mutate.py [-j JOBS] [-k PATTERN] [--quick] [--changed REVISION | FILE ...]

Makes one change at a time in each file: to a comparison, a bound, a sign, an operator or a returned value, or it removes
a statement. Each mutant is compiled into a small shared library that precedes the one of all sources, and tests run
against the two until one fails. A mutant under which no test fails has survived, which is an error unless equivalent.txt lists it with the reason
why its behaviour is that of the original. Mutants that compile to the same code are not counted.

A test is run for a file if its text, or the text of a helper that it includes, names a function that the file's directory
exports, and something that it names leads to the file, through whatever the sources name. Those tests run first that have
killed the most mutants of the file for the time they take, then those that name a function of the file itself, fast ones
before slow ones, and the simulation last.
-k: only mutants whose name contains PATTERN. --quick: of the simulation one seed of each scenario, which finds most of what
it can find. --changed: only files that differ from REVISION.
"""
import argparse
import collections
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOT_MUTATED = ["src/protocol/drop.c", "src/config/regular_file.c"]  # tables of texts; errors that the kernel does not report on demand
FILES = [file for pattern in ("src/protocol/*.c", "src/packet/*.c", "src/packet/packet.h", "src/engine/outbox.c", "src/engine/backlog.c", "src/engine/drain.c", "src/engine/shaper.c",
                              "src/channel/channel.c", "src/config/*.c", "src/parent/facts.h", "src/parent/report.c",
                              "src/parent/outcome.c", "src/parent/degradation.c", "src/parent/loss.c", "src/parent/sentence.c", "src/parent/last_peer.c")
         for file in sorted(glob.glob(pattern, root_dir=ROOT)) if file not in NOT_MUTATED]
TESTS_THEMSELVES = ["agrees"]  # the cipher's self-test: its data is arbitrary
SIM = ["./sim", "--seeds", "1-100"]
QUICK_SIM = ["./sim", "--scenario", "", "--seed", "1"]
PACKAGES = ["libsodium", "libuv", "libnl-route-3.0", "jansson"]
CFLAGS, LIBS = (subprocess.run(["pkg-config", what] + PACKAGES, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
                for what in ("--cflags", "--libs"))
FLAGS = ("-std=gnu11 -D_GNU_SOURCE -DSALTWAY_VERSION='\"mutant\"' -Iinclude -iquote src -O1 -g0 -fPIC -w -D_FORTIFY_SOURCE=3 "
         "-fsanitize=bounds -fno-sanitize-recover=all")
TIMEOUT = 60  # seconds, plus 20 times the processor time of the test: for a mutant that waits for ever

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
    """Yields (start, end, replacement) of each mutation."""
    for match in TOKEN.finditer(text):
        token, start, end = match[0], match.start(), match.end()
        spaced = text[start - 1:start] == " " and text[end:end + 1] == " "
        for other in SWAPS.get(token, []) if spaced or token in ("++", "--") else []: yield start, end, other
        for other in BINARY.get(token, []) if spaced else []: yield start, end, other
        if token == "!": yield start, end, ""
        if token in ("true", "false"): yield start, end, "false" if token == "true" else "true"
        # any negative number is a failure; a larger buffer is no error, and a smaller one overflows or was too large before
        failure = text[:start].endswith("return -")
        buffer = re.match(r" *(?:static )?(?:uint8_t|char) \w+\[", text[text.rfind("\n", 0, start) + 1:])
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
    """Returns the name of a mutant, which stays the same when lines move: file, function, and the line before and after."""
    start, end, other = mutation
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    before = " ".join(text[first:last].split())
    after = " ".join((text[first:start] + other + text[end:last]).split())
    return f"{os.path.basename(file)}: {function_of(text, start)}: {before} -> {after}"


def read(file):
    with open(f"{ROOT}/{file}") as f: return f.read()


def files_of(pattern):
    return sorted(glob.glob(pattern, root_dir=ROOT))


def exports(files):
    """Returns the names of the public functions that these files define."""
    return {name for file in files for name in re.findall(r"^(?!static (?!inline))\w[^\n;={]*?\b(sw_\w+)\([^;{]*\{", read(file), re.M)}


def names_in(text):
    """Returns the words of a text, but not the names of its structures: functions may have the same."""
    return set(re.findall(r"\w+", re.sub(r"\b(struct|enum) \w+", "", text)))


def words_of(test):
    """Returns the words of a test and of the helpers that it includes."""
    if test == "sim": return names_in("".join(read(f) for f in files_of("tests/sim/*.c")))
    text = read(f"tests/unit/{test}.c")
    for helper in re.findall(r'#include "(\w+)\.h"', text):
        if os.path.exists(f"{ROOT}/tests/unit/{helper}.c"): text += read(f"tests/unit/{helper}.c")
    return names_in(text)


def reached_from(words, sources):
    """Returns the sources that these words lead to. `sources`: of each source the names that it exports, and its words."""
    reached, new = set(), {file for file, (names, _) in sources.items() if names & words}
    while new:
        reached |= new
        words = set().union(*(sources[file][1] for file in new))
        new = {file for file, (names, _) in sources.items() if names & words} - reached
    return reached


def processor_time():
    """The seconds that all processes started here have used, however busy the machine is."""
    times = os.times()
    return times.children_user + times.children_system


class Bench:
    """A copy of the tree, with all tests linked to one shared library."""

    def __init__(self, tests, built=None):
        self.folder = tempfile.mkdtemp(prefix="mutation.")
        self.kills = built.kills if built else collections.Counter()
        if built:
            shutil.copytree(built.folder, self.folder, dirs_exist_ok=True)
            self.objects, self.codes, self.needs = built.objects, built.codes, built.needs
            return
        for part in ("src", "include", "tests"): shutil.copytree(f"{ROOT}/{part}", f"{self.folder}/{part}")
        sources = [f for f in files_of("src/*/*.c") if f != "src/cli/main.c"]
        self.objects = {file: file.replace("/", "_") + ".o" for file in sources}
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda file: self.must(self.compile(file, self.objects[file])), sources))
            self.codes = {file: self.code(compiled) for file, compiled in self.objects.items()}
            self.needs = {file: self.shell(f"cat {compiled[:-2]}.d").stdout.decode().split() for file, compiled in self.objects.items()}
            self.must(self.shell(f"cc -shared -fsanitize=bounds -o libcore.so {' '.join(self.objects.values())} {LIBS}"))
            self.must(self.shell("cc -shared -o libmutant.so -x c /dev/null"))
            helpers = [f for f in files_of("tests/unit/*.c") if not os.path.basename(f).startswith("test_")]
            list(pool.map(lambda file: self.must(self.compile(file, file[:-2] + ".o")), helpers))
            helpers = [file[:-2] + ".o" for file in helpers]
            list(pool.map(lambda test: self.link(test, files_of("tests/sim/*.c") if test == "sim"
                                                 else [f"tests/unit/{test}.c"] + helpers), tests))

    def shell(self, command):
        return subprocess.run(command, shell=True, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def must(self, done):
        if done.returncode: sys.exit(done.stdout.decode())

    def compile(self, file, target):
        return self.shell(f"cc {FLAGS} {CFLAGS} -MMD -c -o {target} {file}")

    def link(self, target, files):
        self.must(self.shell(f"cc {FLAGS} {CFLAGS} -o {target} {' '.join(files)} -L. -Wl,--no-as-needed -lmutant -lcore "
                             f"-Wl,-rpath,. -lcmocka {LIBS} -lpthread"))

    def fails(self, test, timeout, processor_time):
        command = SIM if test == "sim" else ["./" + test]
        # a mutant that allocates or loops for ever must not exhaust the machine; the first failure is enough
        limits = f'ulimit -c 0; ulimit -v 8000000; ulimit -t {processor_time:.0f}; export CMOCKA_TEST_ABORT=1; exec "$@"'
        try: return subprocess.run(["sh", "-c", limits, "-"] + command, cwd=self.folder,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout).returncode != 0
        except subprocess.TimeoutExpired: return True

    def code(self, compiled):
        return self.shell(f"objcopy -O binary -j '.rodata*' -j .data {compiled} /dev/stdout; objdump -dr {compiled} | tail -n +4").stdout

    def judge(self, file, mutant, tests):
        """Returns the verdict on a mutant: "same code", "unit", "sim", "survived" or "does not compile"."""
        original = read(file)
        with open(f"{self.folder}/{file}", "w") as f: f.write(mutant)
        try:
            users = [source for source, needed in self.needs.items() if file in needed] # several, if the file is a header
            mutants = {source: f"mutant{i}.o" for i, source in enumerate(users)}
            if any(self.compile(source, target).returncode for source, target in mutants.items()): return "does not compile"
            if all(self.code(target) == self.codes[source] for source, target in mutants.items()): return "same code"
            self.must(self.shell(f"ld -shared -o libmutant.so {' '.join(mutants.values())}"))
            rate = lambda test: (test[0] == "sim", -self.kills[file, test[0]] / test[1])
            for test, seconds in sorted(tests, key=rate):
                if not self.fails(test, TIMEOUT + 20 * seconds, 3 + 4 * seconds): continue
                self.kills[file, test] += 1
                return "sim" if test == "sim" else "unit"
            return "survived"
        finally:
            with open(f"{self.folder}/{file}", "w") as f: f.write(original)


def changed_since(revision):
    names = subprocess.run(["git", "diff", "--name-only", revision], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout
    return [f for f in FILES if f in names.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-j", type=int, default=os.cpu_count())
    parser.add_argument("-k", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--changed", metavar="REVISION")
    parser.add_argument("file", nargs="*")
    arguments = parser.parse_args()
    if arguments.quick: SIM[:] = QUICK_SIM
    files = changed_since(arguments.changed) if arguments.changed else arguments.file or FILES
    listed = {line.strip() for line in read("tests/mutation/equivalent.txt").splitlines()
              if line.strip() and not line.startswith(("#", "  "))}

    words = {os.path.basename(f)[:-2]: None for f in files_of("tests/unit/test_*.c")} | {"sim": None}
    words = {test: words_of(test) for test in words}
    sources = {file: (exports([file]), names_in(read(file))) for file in files_of("src/*/*.[ch]")}
    reached = {test: reached_from(words[test], sources) for test in words}
    chosen = {}
    for file in files:
        own, folder = exports([file]), exports(files_of(os.path.dirname(file) + "/*.c"))
        chosen[file] = [(not words[t] & own, t) for t in words if words[t] & folder and file in reached[t]]
        if not chosen[file]: sys.exit(f"{file}: no test names a function of its directory and leads to it")
    first = Bench({t for tests in chosen.values() for _, t in tests})
    local, benches, seconds = threading.local(), [first], {}
    free = [first]
    for test in {t for tests in chosen.values() for _, t in tests}:
        start = processor_time()
        if first.fails(test, 600, 600): sys.exit(f"{test} fails without a mutation")
        seconds[test] = max(processor_time() - start, 0.01)  # the resolution
    for file, tests in chosen.items():
        chosen[file] = [(t, seconds[t]) for _, _, _, t in sorted((t == "sim", other, seconds[t], t) for other, t in tests)]

    def run(task):
        if not hasattr(local, "bench"):
            local.bench = free.pop() if free else Bench([], first)
            if local.bench is not first: benches.append(local.bench)
        file, text, (start, end, other) = task
        return task, local.bench.judge(file, text[:start] + other + text[end:], chosen[file])

    tasks, names = [], set()
    for file in files:
        text = read(file)
        every = [(file, text, m) for m in sorted(set(mutations(text))) if function_of(text, m[0]) not in TESTS_THEMSELVES]
        names |= {name_of(file, text, m) for _, _, m in every}
        tasks += [task for task in every if arguments.k in name_of(*task)]
    stale = {name for name in listed - names if name.split(":")[0] in {os.path.basename(f) for f in files}}
    for name in sorted(stale): print(f"equivalent.txt lists a mutant that no longer exists:\n{name}")
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
    print("\n| file | mutants | killed by unit tests | by the simulation | equivalent | survived |\n|---|---|---|---|---|---|")
    for file, row in table.items():
        print(f"| {file} | {sum(row.values())} | {row['unit']} | {row['sim']} | {row['equivalent']} | {row['survived']} |")
    sys.exit(survivors > 0 or bool(stale))


if __name__ == "__main__": main()
