"""The contracts hold, and each is shown to fail when it is broken."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.db.migrations.loader import MigrationLoader

ROOT = Path(__file__).resolve().parent.parent.parent
STACK = ["loyalty", "partners", "members", "ledger", "vouchers", "promotions", "config"]
BREAKS = {
    "Apps import downwards only": ("ledger/queries/standing.py", "import promotions.models"),
    "Inside an app, calls go down": ("ledger/queries/standing.py", "import ledger.services.audit"),
    "Pure code knows no framework": ("ledger/kernel/book.py", "import django.db"),
    "Interfaces belong to their app": ("promotions/services/returns.py", "import ledger.api.urls"),
}


@pytest.mark.parametrize("contract", BREAKS)
def test_a_broken_contract_is_found(contract, tmp_path):
    for app in STACK:
        shutil.copytree(ROOT / app, tmp_path / app, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path, offence = BREAKS[contract]
    broken = tmp_path / path
    broken.write_text(broken.read_text() + f"\n{offence}\n")

    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"{contract} BROKEN" in done.stdout


def test_relations_of_models_point_downwards_and_leave_nothing_behind():
    for model in apps.get_models():
        if model._meta.app_label not in STACK:
            continue
        own = STACK.index(model._meta.app_label)
        for field in model._meta.get_fields():
            other = getattr(field.related_model, "_meta", None)
            if other is None or other.app_label not in STACK or model._meta.proxy:
                continue
            there = STACK.index(other.app_label)
            assert there <= own, f"{model.__name__}.{field.name} points upwards"


def test_migrations_depend_downwards():
    loader = MigrationLoader(None)
    for (app, name), migration in loader.disk_migrations.items():
        for needed, _ in migration.dependencies:
            if app in STACK and needed in STACK:
                assert STACK.index(needed) <= STACK.index(app), f"{app}.{name} needs {needed}"


def modules():
    for app in STACK:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def test_modules_and_functions_fit_on_their_screens():
    too_long = []
    for path in modules():
        text = path.read_text()
        if text.count("\n") > 400:
            too_long.append(str(path))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 70:
                too_long.append(f"{path}:{node.name}")
    assert not too_long


def test_no_module_has_a_name_that_says_nothing():
    names = {path.stem for path in modules()}

    assert not names & {"utils", "helpers", "common", "misc", "managers"}
