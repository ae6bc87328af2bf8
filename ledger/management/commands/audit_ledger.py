import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from ledger.services.audit import Finding, audit, invariants


class Command(BaseCommand):
    help = "Prove that the books balance. Exits with 1 and the offending rows if they do not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = audit() if options["json"] else self._audit_with_progress()
        broken = [finding for finding in findings if finding.violations]
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(findings), default=str, indent=2))
        else:
            self._print(findings)
        if broken:
            sys.exit(1)

    def _audit_with_progress(self) -> list[Finding]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("Checking", total=len(invariants()))

            def show(finding: Finding) -> None:
                progress.update(task, advance=1, description=finding.invariant.name)

            return audit(on_checked=show)

    def _print(self, findings: list[Finding]) -> None:
        table = Table("Invariant", "Violations", "Rule")
        for finding in findings:
            mark = f"[red]{finding.violations}" if finding.violations else "[green]0"
            table.add_row(finding.invariant.name, mark, finding.invariant.rule)
        console = Console()
        console.print(table)
        for finding in findings:
            for row in finding.rows:
                console.print(f"[red]{finding.invariant.name}[/] {row}")
        broken = sum(1 for finding in findings if finding.violations)
        console.print(f"[red]{broken} invariants are broken." if broken else "The books balance.")


def _as_json(findings: list[Finding]) -> dict[str, Any]:
    return {
        "clean": not any(finding.violations for finding in findings),
        "findings": [
            {
                "invariant": finding.invariant.name,
                "rule": finding.invariant.rule,
                "violations": finding.violations,
                "rows": finding.rows,
            }
            for finding in findings
        ],
    }
