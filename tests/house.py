"""Count what the house rules are about: `python tests/house.py [folder of the package]`, lincoln/ by default.

Everything is read from the source by `ast`; nothing is imported. tests/test_house.py holds the rules to these counts.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

FLOORS: list[set[str]] = [
    {"errors"},
    {"_util"},
    {"init"},
    {"ops", "data", "schedules", "metrics"},
    {"layers"},
    {"losses"},
    {"optim"},
    {"engine"},
    {"checkpoint"},
    {"training"},
    {"callbacks", "steps"},
    {"trainer"},
    {"models"},
    {"estimators"},
    {"plots", "interop", "checking", "inspection"},
]
"""Parts of the package, the lowest first. A part imports from itself and from lower floors only."""
GROUND = {"errors", "_util", "init"}
"""All that data, schedules and metrics may import."""

NAMED_TUPLE = {"_replace", "_asdict", "_fields", "_make"}
PUBLISHED = {"_schema", "_forward_hooks", "_forward_pre_hooks", "_modules", "_getframe"}
"""Names of torch's and Python's that have no other form: an operation's arguments, a torch module's parts, a frame."""
AUTOGRAD = {"autograd", "requires_grad", "requires_grad_", "is_grad_enabled", "enable_grad", "set_grad_enabled"}
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Import:
    """One file imports another. `late` names the function it happens in, or is empty."""

    importer: str
    imported: str
    late: str = ""

    def __str__(self) -> str:
        return f"{self.importer}{f' in {self.late}' if self.late else ''} -> {self.imported}"


@dataclass(frozen=True)
class Part:
    """A class or function with its place, such as `layers/layer.py: Layer.forward`, its length and its methods."""

    place: str
    lines: int
    node: ast.AST = field(repr=False, compare=False)
    methods: int = 0


class House:
    """The source of one package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.name = self.folder.name
        paths = sorted(self.folder.rglob("*.py"))
        self.sources = {path.relative_to(self.folder).as_posix(): path.read_text() for path in paths}
        self.trees = {path: ast.parse(source) for path, source in self.sources.items()}

    @cached_property
    def file_lines(self) -> dict[str, int]:
        return {path: len(source.splitlines()) for path, source in self.sources.items()}

    @cached_property
    def classes(self) -> list[Part]:
        return [
            Part(f"{path}: {name}", _length(node), node, sum(isinstance(part, FUNCTIONS) for part in node.body))
            for path, tree in self.trees.items()
            for name, node in _definitions(tree)
            if isinstance(node, ast.ClassDef)
        ]

    @cached_property
    def functions(self) -> list[Part]:
        """Functions and methods, their length without the docstring."""
        return [
            Part(f"{path}: {name}", _length(node) - _docstring_length(node), node)
            for path, tree in self.trees.items()
            for name, node in _definitions(tree)
            if isinstance(node, FUNCTIONS)
        ]

    def inherited_methods(self, name: str) -> set[str]:
        """Names of the methods of a class, those of its bases in this package included."""
        found: set[str] = set()
        for part in self.classes:
            node = part.node
            if isinstance(node, ast.ClassDef) and part.place.endswith(f": {name}"):
                found |= {own.name for own in node.body if isinstance(own, FUNCTIONS)}
                for base in node.bases:
                    found |= self.inherited_methods(_last_name(base)) if _last_name(base) != name else set()
        return found

    @cached_property
    def layer_classes(self) -> set[str]:
        """Concrete layers: classes of this package that descend from Layer."""
        bases = {
            part.node.name: {_last_name(base) for base in part.node.bases}
            for part in self.classes
            if isinstance(part.node, ast.ClassDef)
        }
        layers = {"Layer"}
        while grown := {name for name, above in bases.items() if above & layers} - layers:
            layers |= grown
        return {name for name in layers - {"Layer"} if not name.startswith("_")}

    @cached_property
    def imports(self) -> list[Import]:
        """Imports of one file of the package by another, also for type checking only and inside functions."""
        found = {
            Import(path, imported, late)
            for path, tree in self.trees.items()
            for node, late in _with_function(tree)
            for imported in self._imported(path, node)
            if imported != path
        }
        return sorted(found, key=str)

    def _imported(self, path: str, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == self.name:
                    yield self._file(alias.name.split(".")[1:])
        if isinstance(node, ast.ImportFrom):
            if node.level:
                package = path.split("/")[:-1]
                base = package[: len(package) - node.level + 1]
            elif (node.module or "").split(".")[0] == self.name:
                base = []
            else:
                return
            names = (node.module or "").split(".")[0 if node.level else 1 :]
            for alias in node.names:
                yield self._file([*base, *filter(None, names), alias.name])

    def _file(self, names: list[str]) -> str:
        """The file of `lincoln.a.b`: a/b.py, a/b/__init__.py, or, for a name inside a module, that of lincoln.a."""
        for path in ("/".join(names) + ".py", "/".join([*names, "__init__.py"])):
            if path in self.trees:
                return path
        return self._file(names[:-1])

    def circles(self, *, without: set[Import] = frozenset()) -> list[list[str]]:
        """Groups of files that import each other, directly or by way of others."""
        edges: dict[str, set[str]] = {path: set() for path in self.trees}
        for one in self.imports:
            if one not in without:
                edges[one.importer].add(one.imported)
        reach = {path: _reachable(path, edges) for path in edges}
        groups = {tuple(sorted({path} | {p for p in reach[path] if path in reach[p]})) for path in reach}
        return sorted(list(group) for group in groups if len(group) > 1)

    def against_the_order(self) -> list[Import]:
        """Imports that do not go down the floors. The package's own __init__.py stands above all of them."""
        return [one for one in self.imports if not self._goes_down(one)]

    def _goes_down(self, one: Import) -> bool:
        upper, lower = part_of(one.importer), part_of(one.imported)
        if upper == "__init__" or upper == lower:
            return True
        if lower == "__init__":
            return False
        if upper in ("data", "schedules", "metrics"):
            return lower in GROUND
        return _floor(lower) < _floor(upper) or (upper in FLOORS[-1] and lower in FLOORS[-1])

    @cached_property
    def private_reaches(self) -> list[str]:
        """`x._name` of another class, and `_name` imported from another module of the package.

        A class's own are those it declares itself, in whichever instance (`other._name`), and those that it names by one of
        its bases (`Base._name`).
        """
        found = []
        for path, tree in self.trees.items():
            for node, inside in _with_class(tree):
                if isinstance(node, ast.Attribute) and _is_private(node.attr) and not _is_own(node, inside):
                    found.append(f"{path}:{node.lineno}: {ast.unparse(node)}")
                if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith(self.name)):
                    found += [
                        f"{path}:{node.lineno}: import of {alias.name}"
                        for alias in node.names
                        if _is_private(alias.name) and alias.name != "_util"
                    ]
        return found

    @cached_property
    def type_switches(self) -> list[str]:
        """Questions of the form "is this one of these layers", outside the places that may ask."""
        return [
            f"{path}:{node.lineno}: {ast.unparse(node)}"
            for path, tree in self.trees.items()
            if part_of(path) not in ("layers", "interop") and path != "losses/links.py"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call | ast.Compare | ast.MatchClass) and self._asks_for_a_layer(node)
        ]

    def _asks_for_a_layer(self, node: ast.Call | ast.Compare | ast.MatchClass) -> bool:
        if isinstance(node, ast.MatchClass):
            return _last_name(node.cls) in self.layer_classes
        if isinstance(node, ast.Call):
            asked: list[ast.AST] = list(node.args[1:]) if _last_name(node.func) in ("isinstance", "issubclass") else []
        else:
            sides = [node.left, *node.comparators]
            asked = [part for part in sides if isinstance(part, ast.Name | ast.Attribute | ast.Tuple | ast.Set)]
        names = {_last_name(part) for top in asked for part in ast.walk(top)}
        return bool(names & self.layer_classes)

    @cached_property
    def banners(self) -> list[str]:
        return self._lines_with(re.compile(r"^\s*#\s*[-=#*]{3,}"))

    @cached_property
    def autograd(self) -> list[str]:
        """Uses of torch's autograd outside checking/."""
        return [
            f"{path}:{node.lineno}: {ast.unparse(node)}"
            for path, tree in self.trees.items()
            if part_of(path) != "checking"
            for node in ast.walk(tree)
            if (isinstance(node, ast.Attribute) and node.attr in AUTOGRAD)
            or (isinstance(node, ast.keyword) and node.arg in AUTOGRAD)
        ]

    def _lines_with(self, pattern: re.Pattern[str]) -> list[str]:
        return [
            f"{path}:{number}: {line.strip()}"
            for path, source in self.sources.items()
            for number, line in enumerate(source.splitlines(), 1)
            if pattern.search(line)
        ]


def part_of(path: str) -> str:
    """The part that a file belongs to: `layers` for layers/linear.py, `trainer` for trainer.py."""
    return path.split("/")[0].removesuffix(".py")


def without_line(places: list[str]) -> list[str]:
    """`file: code` for each `file:12: code`, which does not change with the lines above it."""
    return [f"{path}:{code}" for path, _, code in (place.split(":", 2) for place in places)]


def _floor(part: str) -> int:
    for number, parts in enumerate(FLOORS):
        if part in parts:
            return number
    raise ValueError(f"{part} stands on no floor: add it to FLOORS in tests/house.py")


def _definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | FUNCTIONS):
            yield f"{prefix}{node.name}", node
            yield from _definitions(node, f"{prefix}{node.name}.")
        else:
            yield from _definitions(node, prefix)


def _with_function(tree: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str]]:
    for node in ast.iter_child_nodes(tree):
        yield node, function
        yield from _with_function(node, node.name if isinstance(node, FUNCTIONS) else function)


def _with_class(tree: ast.AST, inside: ast.ClassDef | None = None) -> Iterator[tuple[ast.AST, ast.ClassDef | None]]:
    for node in ast.iter_child_nodes(tree):
        yield node, inside
        yield from _with_class(node, node if isinstance(node, ast.ClassDef) else inside)


def _length(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1


def _docstring_length(node: ast.AST) -> int:
    return _length(node.body[0]) if ast.get_docstring(node) is not None else 0


def _last_name(node: ast.AST) -> str:
    """`Layer` for Layer, layers.Layer and Layer[int]."""
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in NAMED_TUPLE | PUBLISHED


def _is_own(node: ast.Attribute, inside: ast.ClassDef | None) -> bool:
    value = node.value
    if isinstance(value, ast.Call) and _last_name(value.func) == "super":
        return True
    own = {"self", "cls"} | ({inside.name, *map(_last_name, inside.bases)} if inside else set())
    return (isinstance(value, ast.Name) and value.id in own) or (inside is not None and node.attr in _declared(inside))


def _declared(cls: ast.ClassDef) -> set[str]:
    """Names of the methods and fields of a class: those in its body, and those that its methods assign to self."""
    names = {node.name for node in cls.body if isinstance(node, FUNCTIONS)}
    targets = [target for node in ast.walk(cls) for target in getattr(node, "targets", [getattr(node, "target", None)])]
    for target in (part for top in targets if top is not None for part in ast.walk(top)):
        if isinstance(target, ast.Attribute) and _last_name(target.value) in ("self", "cls"):
            names.add(target.attr)
    in_body = [target for node in cls.body for target in getattr(node, "targets", [getattr(node, "target", None)])]
    return names | {_last_name(target) for target in in_body if target is not None}


def _reachable(start: str, edges: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for path in edges[waiting.pop()] - seen:
            seen.add(path)
            waiting.append(path)
    return seen


def report(house: House) -> Iterator[str]:
    largest = max(house.classes, key=lambda part: part.lines)
    most = max(house.classes, key=lambda part: part.methods)
    file = max(house.file_lines, key=house.file_lines.__getitem__)
    yield f"{len(house.sources)} files, {sum(house.file_lines.values())} lines"
    yield f"largest class             {largest.lines} lines  ({largest.place})"
    yield f"largest file              {house.file_lines[file]} lines  ({file})"
    yield f"files over 250 lines      {sum(lines > 250 for lines in house.file_lines.values())}"
    yield f"most methods              {most.methods}  ({most.place})"
    yield f"classes over 20 methods   {sum(part.methods > 20 for part in house.classes)}"
    for name in ("Layer", "Loss", "Trainer", "NetworkEstimator"):
        own = [part.methods for part in house.classes if part.place.endswith(f": {name}")]
        yield f"methods of {name:<16}{own[0] if own else '-'}  ({len(house.inherited_methods(name))} with inherited ones)"
    circles = house.circles()
    yield f"private reaches           {len(house.private_reaches)}"
    yield f"type switches             {len(house.type_switches)}"
    yield f"import circles            {len(circles)}  ({sum(map(len, circles))} files)"
    yield f"functions over 40 lines   {sum(part.lines > 40 for part in house.functions)}"
    yield f"banners                   {len(house.banners)}"
    yield f"uses of autograd          {len(house.autograd)}  (outside checking)"


if __name__ == "__main__":
    folder = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    house = House(Path(folder) if folder else Path(__file__).parent.parent / "lincoln")
    print("\n".join(report(house)))
    if "--all" in sys.argv:
        for title in ("private_reaches", "type_switches", "banners", "autograd"):
            print(f"\n{title}", *getattr(house, title), sep="\n  ")
        print("\ncircles", *house.circles(), sep="\n  ")
        print("\nfunctions over 40 lines", *(part for part in house.functions if part.lines > 40), sep="\n  ")
