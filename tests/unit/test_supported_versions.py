"""The supported versions stand in one table; the rest of the project agrees with it."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.local.install import ADVICE
from tests.supported import SUPPORTED, is_supported

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_table_is_complete() -> None:
    assert SUPPORTED.keys() == {"Debian", "Python", "RabbitMQ", "PostgreSQL"}
    assert is_supported("Python", f"{sys.version_info.major}.{sys.version_info.minor}")


@pytest.mark.parametrize(
    ("product", "version", "expected"),
    [
        ("RabbitMQ", "3.9.27", False), ("RabbitMQ", "3.10.8", True), ("RabbitMQ", "3.13.7", True),
        ("RabbitMQ", "4.0.5", True), ("RabbitMQ", "5.0.0", False),
        ("PostgreSQL", "18.1", True), ("PostgreSQL", "9.6", False),
    ],
)  # fmt: skip
def test_a_version_is_compared_by_its_numbers(product: str, version: str, expected: bool) -> None:
    assert is_supported(product, version) is expected


def test_the_package_says_the_same_pythons() -> None:
    (first, last) = SUPPORTED["Python"]
    assert PROJECT["project"]["requires-python"] == f">=3.{first[1]},<3.{last[1] + 1}"
    named = [
        each.rpartition(" ")[2]
        for each in PROJECT["project"]["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", each)
    ]
    assert named == [f"3.{minor}" for minor in range(first[1], last[1] + 1)]
    oldest = f"3.{first[1]}"
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py3{first[1]}"
    assert f"--python-version {oldest} --universal" in (ROOT / "Makefile").read_text()
    script = (ROOT / "deploy/local/environment.sh").read_text()
    assert f"(3, {first[1]}) <= sys.version_info < (3, {last[1] + 1})" in script


def test_the_pages_say_the_same() -> None:
    first, last = (".".join(map(str, each)) for each in SUPPORTED["Python"])
    debian = " or ".join(str(each[0]) for each in SUPPORTED["Debian"])
    assert f"On Debian {debian} (Python {first} to {last})" in (ROOT / "README.md").read_text()
    rabbitmq = ".".join(map(str, SUPPORTED["RabbitMQ"][0]))
    assert f"(version {rabbitmq} or later)" in ADVICE
    compose = (ROOT / "deploy/local/compose.yaml").read_text()
    assert is_supported("RabbitMQ", compose.partition("image: rabbitmq:")[2].partition("-")[0])
