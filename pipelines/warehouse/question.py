"""What may be asked of the published copy: one SELECT, or EXPLAIN of one. Decided by DuckDB's own parser."""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb

from pipelines.errors import ConfigurationError
from pipelines.warehouse.tables import is_lake

_WORD = re.compile(rb"[\w$\x80-\xff]+|(?s:.)")
#: What DuckDB's parser takes for spaces beyond ASCII's, and its tokenizer for letters.
_SPACES = re.compile("[\u00a0\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff]+")
_SELECT, _EXPLAIN = duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN

#: What a query of a lake may not name, whatever it is to it: functions that its extensions bring, which heed no setting
#: of DuckDB's. They reach other servers, or what the lake is kept in, or write files; or they run a text as a query.
_NAME = re.compile(rb'"((?:[^"]|"")*)"|[\w$\x80-\xff]+')
_UPKEEP = {
    "add_data_files", "cleanup_old_files", "commit", "delete_orphaned_files", "expire_snapshots", "flush_inlined_data",
    "merge_adjacent_files", "rewrite_data_files", "scan", "set_commit_message", "set_option",
}  # fmt: skip
_KEPT_FROM_A_LAKE = (
    {"query", "json_execute_serialized_sql", "pg_clear_cache", "checkpoint", "force_checkpoint"}
    | {f"ducklake_{name}" for name in _UPKEEP}
    | _UPKEEP - {"commit", "scan"}
)


def ask(con: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyRelation:
    """The answer to one question, not computed yet. Raises ConfigurationError for anything else, duckdb.Error for what
    DuckDB doesn't understand."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigurationError("The query is not UTF-8 text.") from None
    statements = con.extract_statements(text)
    if not statements:
        raise ConfigurationError("The query is empty: give one SELECT.")
    written = [each for each in statements if each.query.strip()]
    if len(written) > 1 or (written and len(written) < len(statements)):
        raise ConfigurationError("That is more than one statement: give one SELECT at a time.")
    if not _only_reads(con, text, statements):
        raise ConfigurationError(f"The published books are read-only, and {_kind(written)} is not a SELECT.")
    if is_lake(con) and (name := _name_kept_from_a_lake(text)):
        raise ConfigurationError(f"The published books are read-only, and a query of a lake may not use {name}.")
    answer = con.sql(text)
    if answer is None:
        raise ConfigurationError("A PIVOT is explained only with its values: name them with IN (...).")
    return answer


def _name_kept_from_a_lake(text: str) -> str | None:
    """The first name in a query that none may use; texts are no names."""
    raw = text.encode()
    for offset, kind in duckdb.tokenize(text):  # offsets are of bytes
        found = None if kind == duckdb.token_type.string_const else _NAME.match(raw, offset)
        if found is not None:
            name = (found[0] if found[1] is None else found[1].replace(b'""', b'"')).decode().lower()
            if name in _KEPT_FROM_A_LAKE or name.startswith("postgres_"):
                return name
    return None


def _kind(written: Sequence[duckdb.Statement]) -> str:
    """What a statement that was refused is called."""
    if not written or written[0].type == _EXPLAIN:
        return "what you want explained"
    return "PRAGMA" if written[0].type == _SELECT else str(written[0].type.name)


def _only_reads(con: duckdb.DuckDBPyConnection, text: str, statements: Sequence[duckdb.Statement]) -> bool:
    if any(each.type == _EXPLAIN for each in statements):
        # EXPLAIN ANALYZE runs what it explains, whatever that is
        written = next((each.query for each in statements if each.query.strip()), text)
        explained = _explained(written)
        return _is_select(explained, con.extract_statements(explained))
    return _is_select(text, statements)


def _is_select(text: str, statements: Sequence[duckdb.Statement]) -> bool:
    """Whether what was parsed is one SELECT, as it is written."""
    kinds = [each.type for each in statements]
    if all(not each.query.strip() for each in statements):
        # a PIVOT without IN: DuckDB makes a temporary type of its values, and a SELECT; neither has a text
        return kinds[-1:] == [_SELECT] and set(kinds[:-1]) == {duckdb.StatementType.CREATE}
    return kinds == [_SELECT] and not _is_rewritten(text)


def _is_rewritten(text: str) -> bool:
    """A PRAGMA is handed out as the SELECT that DuckDB makes of it."""
    return next((word for word in _words(text) if word not in ("", ";")), "") == "pragma"


def _explained(text: str) -> str:
    """What an EXPLAIN explains; empty where that can't be told."""
    words = _words(text)
    begins = 1
    if words[1:2] in (["analyze"], ["analyse"]):
        begins = 2
    elif words[1:2] == ["("] and words[2:3] in (["analyze"], ["analyse"], ["format"]) and ")" in words:
        begins = words.index(")") + 1
    if words[:1] != ["explain"] or begins >= len(words):
        return ""
    return text.encode()[duckdb.tokenize(text)[begins][0] :].decode()


def _words(text: str) -> list[str]:
    """The first word of each token of a statement in lower case, without its comments: or else a single character, and
    nothing of a token that is all spaces."""
    raw = text.encode()
    found = (_WORD.match(raw, offset) for offset, _ in duckdb.tokenize(text))  # offsets are of bytes
    return [_SPACES.sub(" ", word[0].decode()).strip().partition(" ")[0].lower() for word in found if word]
