"""Which parts of Opal a changed file belongs to; too much is deployed rather than too little."""

import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from infra.deploy.changes import PARTS, RULES, SCORING, changed_files, changed_parts, parts_of
from tests.project.source_tree import ROOT, imported_names, modules, tracked_files

EVERYTHING_DEPLOYED = {"app", "scoring", "infra"}


@pytest.mark.parametrize(
    ("file", "parts"),
    [
        ("src/opal/web_api/jobs.py", {"app"}),
        ("src/opal/database/migrations/versions/0010_more.py", {"app"}),
        ("src/opal/marketplaces/rules/bol.toml", {"app"}),
        ("src/opal/scoring/score.py", {"app", "scoring"}),
        ("src/opal/images/blur.py", {"app", "scoring"}),
        ("src/opal/errors/base.py", {"app", "scoring"}),
        ("azureml/score.py", {"scoring"}),
        ("azureml/deployment.yml", {"scoring"}),
        ("infra/main.bicep", {"infra"}),
        ("infra/prod.bicepparam", {"infra"}),
        ("infra/modules/roles.bicep", {"infra"}),
        ("infra/deploy/template.py", {"infra"}),
        ("infra/deploy/smoke.py", {"scoring"}),
        ("infra/prices.toml", {"docs"}),
        ("infra/scaling/results.json", {"docs"}),
        ("infra/limits.toml", {"docs"}),
        ("infra/service_times.py", {"docs"}),
        ("infra/service_times.toml", {"docs"}),
        ("docs/azure.md", {"docs"}),
        ("README.md", {"docs"}),
        ("benchmarks/README.md", set()),
        ("tests/unit/test_blur.py", set()),
        ("requirements/runtime.txt", {"app", "scoring"}),
        ("requirements/dev.txt", set()),
        ("requirements/azureml.txt", {"scoring"}),
        ("Dockerfile", {"app", "scoring"}),
        (".github/workflows/ci.yml", set()),
        ("pyproject.toml", EVERYTHING_DEPLOYED),
        ("something/new.py", EVERYTHING_DEPLOYED),
    ],
)
def test_a_file_belongs_to_its_parts(file: str, parts: set[str]) -> None:
    assert parts_of(file) == parts


def test_parts_of_several_files_add_up() -> None:
    assert changed_parts(["docs/api.md", "infra/main.bicep"]) == {"docs", "infra"}
    assert changed_parts(["tests/unit/test_blur.py"]) == set()
    assert changed_parts([]) == set()


def test_every_part_that_a_rule_names_is_one() -> None:
    assert {part for _, parts in RULES for part in parts} == set(PARTS)


def test_whatever_the_scoring_image_imports_makes_it_anew() -> None:
    known = {module.name: module for module in modules()}
    waiting, seen = ["opal.scoring.app", "opal.scoring.score"], set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in known:
            continue
        seen.add(name)
        waiting += [name.rpartition(".")[0]]
        for imported, _ in imported_names(known[name]):
            waiting += [imported, imported.rpartition(".")[0]]
    files = [str(known[name].path.relative_to(ROOT)) for name in seen]
    assert not [file for file in files if "scoring" not in parts_of(file)]
    # And what is listed is needed, or else each change of it would make the image for nothing.
    tops = {file.split("/")[2] for file in files}
    assert {pattern.split("/")[2] for pattern in SCORING} == tops


def test_no_file_of_the_project_is_left_to_the_last_rule_unawares() -> None:
    unnamed = {
        str(file.relative_to(ROOT))
        for file in tracked_files()
        if next(pattern for pattern, _ in RULES if _fits(str(file.relative_to(ROOT)), pattern)) == "*"
    }
    assert unnamed <= {"pyproject.toml"}


def test_files_are_counted_from_the_commit_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _git("init", "--quiet")
    (tmp_path / "old name.py").write_text("1")
    _git("add", ".")
    _git("commit", "--quiet", "--message", "first")
    first = _git("rev-parse", "HEAD").strip()
    (tmp_path / "old name.py").rename(tmp_path / "new.py")
    _git("add", ".")
    _git("commit", "--quiet", "--message", "second")
    assert set(changed_files(first) or ()) == {"old name.py", "new.py"}
    assert changed_files("HEAD") == []
    # Nothing runs yet, or something that this repository does not know: everything counts.
    assert changed_files("") is None
    assert changed_files("0" * 40) is None


def _fits(file: str, pattern: str) -> bool:

    return fnmatchcase(file, pattern)


def _git(*words: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    return subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True).stdout
