"""Write docs/reference from the argument specs of the roles and the documentation of the modules.

With --check nothing is written; the exit status is 1 if a page is not what would be written.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from migrid.provision.options import options, variable_name

PROJECT = Path(__file__).resolve().parents[2]
OPTIONS = PROJECT / "src/migrid/provision/options.toml"
REFERENCE = PROJECT / "docs" / "reference"
NOTE = "<!-- Made by bin/reference from {source}. -->"
TYPES = {"str": "text", "int": "whole number", "bool": "true or false", "dict": "dictionary", "raw": "any value"}
PLURALS = {"str": "texts", "int": "whole numbers", "dict": "dictionaries"}

Document = dict[str, Any]


def main() -> int:
    pages = dict(role_pages()) | dict(module_pages())
    pages["options.md"] = page("Options of MiG's generator", OPTIONS, fates())
    pages["README.md"] = index(pages)
    outdated = sorted(name for name in pages.keys() | present() if pages.get(name) != content(name))
    if "--check" in sys.argv[1:]:
        for name in outdated:
            print(f"docs/reference/{name} is not current: run bin/reference and commit it.")
        return int(bool(outdated))
    for name in outdated:
        write(name, pages.get(name))
    return 0


def present() -> set[str]:
    return {path.name for path in REFERENCE.glob("*.md")}


def content(name: str) -> str | None:
    path = REFERENCE / name
    return path.read_text(encoding="utf-8") if path.exists() else None


def write(name: str, text: str | None) -> None:
    """Write a page, or remove the one whose role or module is no more."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    if text is None:
        (REFERENCE / name).unlink()
    else:
        (REFERENCE / name).write_text(text, encoding="utf-8")


def index(pages: dict[str, str]) -> str:
    links = [f"- [{page.partition('# ')[2].splitlines()[0]}]({name})" for name, page in sorted(pages.items())]
    return "\n".join(["# Reference", "", NOTE.format(source="the pages beside it"), "", *links, ""])


def role_pages() -> Iterator[tuple[str, str]]:
    for path in sorted(PROJECT.glob("roles/*/meta/argument_specs.yml")):
        role = path.parts[-3]
        specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
        sections = [section for name, spec in specs.items() for section in entry_point(role, name, spec)]
        yield f"role_{role}.md", page(f"Role {role}", path, sections)


def entry_point(role: str, name: str, spec: Document) -> Iterator[str]:
    if name != "main":
        yield f"## {role}: {name}"
    yield from introduction(spec)
    for option, details in spec.get("options", {}).items():
        yield from variable(option, details)


def variable(name: str, details: Document) -> Iterator[str]:
    yield f"### {name}"
    yield f"*{properties(details)}*"
    yield from paragraphs(details)
    yield items(details.get("options"))


def fates() -> Iterator[str]:
    """What became of each option of MiG's configuration generator."""
    known = options()
    yield "What became of each option of MiG's `generateconfs.py`. `mig import-site` goes by this table."
    yield "## Variables"
    yield "\n".join(f"- `--{name}` is `{variable_name(name)}`." for name in sorted(known.variable))
    yield "## Another name"
    yield "\n".join(f"- `--{name}` is `--{later}` now." for name, later in sorted(known.successor.items()))
    yield "## Not there yet"
    yield "Accepted only in the value that turns the part off."
    yield "\n".join(f"- `--{name}` (`{plain(off)}`): {part}." for name, (off, part) in sorted(known.not_yet.items()))
    yield "## Not needed"
    yield "\n".join(f"- `--{name}`: {why}." for name, why in sorted(known.not_needed.items()))
    yield "## To decide anew"
    yield "\n".join(f"- `--{name}`: {what}." for name, what in sorted(known.decide.items()))


def module_pages() -> Iterator[tuple[str, str]]:
    for path in sorted(PROJECT.glob("library/*.py")):
        yield f"module_{path.stem}.md", page(f"Module {path.stem}", path, module(constants(path)))


def constants(path: Path) -> dict[str, str]:
    """The texts that a Python file assigns at its top level."""
    assignments = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): str(getattr(node.value, "value", "")) for node in assignments}


def module(texts: dict[str, str]) -> Iterator[str]:
    documentation = yaml.safe_load(texts["DOCUMENTATION"])
    yield from introduction(documentation)
    yield from section("Parameters", items(documentation.get("options")))
    yield from section("Examples", f"```yaml\n{texts['EXAMPLES'].strip()}\n```" if "EXAMPLES" in texts else "")
    yield from section("Return values", items(yaml.safe_load(texts.get("RETURN", ""))))


def section(heading: str, text: str) -> Iterator[str]:
    if text:
        yield f"## {heading}"
        yield text


def page(title: str, source: Path, sections: Iterator[str] | list[str]) -> str:
    note = NOTE.format(source=source.relative_to(PROJECT))
    return "\n\n".join([f"# {title}", note, *(section for section in sections if section)]) + "\n"


def introduction(document: Document) -> Iterator[str]:
    yield markdown(document["short_description"]).rstrip(".") + "."
    yield from paragraphs(document)


def paragraphs(document: Document) -> Iterator[str]:
    description = document.get("description", [])
    yield from map(markdown, [description] if isinstance(description, str) else description)


def items(options: Document | None, indent: str = "") -> str:
    """A list with an item for each option, and below it the options that it has in turn."""
    lines = []
    for name, option in (options or {}).items():
        lines.append(f"{indent}- `{name}` ({properties(option)}): {' '.join(paragraphs(option))}")
        nested = option.get("options") or option.get("suboptions") or option.get("contains")
        lines.extend(filter(None, [items(nested, indent + "  ")]))
    return "\n".join(lines)


def properties(option: Document) -> str:
    """The type of an option, and what else can be said of its value in a few words."""
    kind: str = option.get("type", "str")
    words = [TYPES.get(kind, kind)]
    if "elements" in option:
        words[0] += f" of {PLURALS.get(option['elements'], option['elements'])}"
    if option.get("required"):
        words.append("required")
    if "choices" in option:
        words.append("one of " + ", ".join(f"`{choice}`" for choice in option["choices"]))
    if option.get("default") is not None:
        words.append(f"default `{plain(option['default'])}`")
    return ", ".join(words)


def plain(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.removesuffix("\n...\n").strip()


def markdown(text: str) -> str:
    """Ansible's markup as Markdown's."""
    text = re.sub(r"\b(?:C|V|O|RV|E|M|P)\(([^)]*)\)", r"`\1`", text)
    text = re.sub(r"\bL\(([^,]*),\s*([^)]*)\)", r"[\1](\2)", text)
    text = re.sub(r"\bU\(([^)]*)\)", r"<\1>", text)
    text = re.sub(r"\bB\(([^)]*)\)", r"**\1**", text)
    return re.sub(r"\bI\(([^)]*)\)", r"*\1*", text).strip()


if __name__ == "__main__":
    sys.exit(main())
