"""The types that the package tells are those that it has."""

import ast
import importlib.util
import inspect
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import wildrayzer
from wildrayzer import _core

FOLDER = pathlib.Path(wildrayzer.__file__).parent


def run(*arguments):
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


class Typing(unittest.TestCase):
    def test_the_package_is_typed(self):
        self.assertTrue((FOLDER / "py.typed").exists())
        for name in wildrayzer.__all__:
            self.assertTrue(hasattr(wildrayzer, name), name)
        for owner in (wildrayzer.Reconstructor, wildrayzer.Scene):
            for name, member in vars(owner).items():
                function = member.fget if isinstance(member, property) else member
                if not inspect.isfunction(function):
                    continue
                told = {*function.__annotations__}
                self.assertEqual({*inspect.signature(function).parameters} - {"self"}, told - {"return"}, name)
                self.assertTrue("return" in told, name)
                self.assertTrue(name.startswith("_") or function.__doc__, name)

    def test_signatures_of_the_compiled_half(self):
        """pybind11 writes them into the documentation."""
        stub = ast.parse((FOLDER / "_core.pyi").read_text())
        owners = {"": [node for node in stub.body if isinstance(node, ast.FunctionDef)]}
        owners.update({node.name: node.body for node in stub.body if isinstance(node, ast.ClassDef)})
        compared = 0
        for owner, functions in owners.items():
            scope = getattr(_core, owner) if owner else _core
            declared = {node.name for node in functions if isinstance(node, ast.FunctionDef)}
            names = {name for name in vars(scope) if not name.startswith("_")}
            classes = set(owners) if not owner else set()
            self.assertEqual(names - {"version"} - classes, declared - {"__init__"}, owner)
            for node in functions:
                function = getattr(scope, node.name, None) if isinstance(node, ast.FunctionDef) else None
                if function is None or isinstance(function, property) or node.name == "__init__":
                    continue
                arguments = re.match(r"\w+\((.*)\) -> ", function.__doc__)[1]
                actual = re.findall(r"(?:^|, )(\w+): ", arguments)
                told = [argument.arg for argument in node.args.args]
                self.assertEqual(["self", *actual[1:]] if owner else actual, told, node.name)
                compared += 1
        self.assertGreater(compared, 10)

    @unittest.skipUnless(importlib.util.find_spec("mypy"), "mypy is not installed (Debian's package mypy)")
    def test_mypy(self):
        status, printed = run("mypy", "--strict", "--cache-dir=/dev/null", "-p", "wildrayzer")
        self.assertEqual(status, 0, printed)
        with tempfile.NamedTemporaryFile("w") as allowed:
            allowed.write("wildrayzer._core.Model\nwildrayzer._core.Scene\n")  # their metaclass, pybind11's; not their members
            allowed.flush()
            status, printed = run("mypy.stubtest", "wildrayzer._core", "--allowlist", allowed.name)
        self.assertEqual(status, 0, printed)


if __name__ == "__main__":
    unittest.main()
