"""One source compiled for several instruction sets must leave no symbol that a linker could take for another's.

The objects are those of the C++ tests (`make core-test`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from firth import _core

BUILD = Path(__file__).parents[1] / "build" / "core" / "CMakeFiles"

pytestmark = [
    pytest.mark.skipif(not shutil.which("nm"), reason="needs nm of binutils"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads the symbols of ELF files"),
]


def nm(*arguments: str | Path) -> list[list[str]]:
    """Lines of nm, in the file's order: name, type and what else it tells."""
    command = ["nm", "-p", "-P", *map(str, arguments)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split(" ") for line in lines]


def defined(path: Path) -> dict[str, str]:
    """Symbols that others can link to, weak ones among them, each with what it is called in the source.

    Left out are the pointers (DW.ref.*) to what unwinds a stack, which are data and the same in all objects.
    """
    readable = subprocess.run(["nm", "-p", "-C", path], check=True, capture_output=True, text=True).stdout
    return {
        name: source[19:]
        for (name, kind, *_), source in zip(nm(path), readable.splitlines(), strict=True)
        if kind in "ABCDGIRSTVWuiv" and not name.startswith("DW.ref.")
    }


@pytest.fixture(scope="module")
def objects() -> dict[str, Path]:
    """The loop's object by instruction set."""
    found = {
        path.parts[-3][len("loop_") : -len(".dir")]: path for path in BUILD.glob("loop_*.dir/cpp/train.cpp.o")
    }
    if not found:
        pytest.skip("needs the objects that `make core-test` builds")
    return found


def test_an_instruction_set_defines_nothing_outside_its_namespace(objects):
    for isa, path in objects.items():
        own = re.compile(rf"_Z(T[VTIS]|GV|Z)*N[KVrRO]*5firth{len(isa)}{isa}[0-9]")
        names = defined(path)
        assert any(name.startswith(f"_ZN5firth{len(isa)}{isa}11learn_float") for name in names)
        assert [source for name, source in names.items() if not own.match(name)] == []


def test_instruction_sets_share_no_symbol(objects):
    for one, other in combinations(objects.values(), 2):
        assert defined(one).keys() & defined(other).keys() == set()


def test_nothing_is_initialised_before_the_choice(objects):
    for path in objects.values():
        assert [name for name, *_ in nm(path) if "_GLOBAL__" in name or "__cxx_global" in name] == []


def test_the_module_exports_its_entry_alone():
    assert [name for name, *_ in nm("-D", "--defined-only", Path(_core.__file__))] == ["PyInit__core"]
