"""Free words of other tools as llmgenie's: statuses, priorities, times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from llmgenie_mcp.workflow import Workflow

TODO, DOING, BLOCKED, DONE, DROPPED = "todo", "in_progress", "blocked", "done", "cancelled"

_MEANINGS: dict[str, str] = {
    TODO: "todo to_do open new pending backlog planned plan ready queued proposed approved idea draft future later "
    "deferred postponed someday not_started unstarted triage icebox reopened pinned created accepted next "
    "новая новый новое открыта открыто открыт запланировано запланирована запланирован план к_выполнению сделать "
    "ожидает в_очереди очередь идея черновик предложено предложена отложено отложена отложен не_начато не_начата бэклог "
    "готово_к_работе позже",
    DOING: "in_progress inprogress doing started active wip working current in_review review testing in_development "
    "implementing hooked ongoing verifying qa to_review under_review "
    "в_работе в_процессе делается выполняется начато начата начат в_разработке на_проверке на_ревью ревью "
    "тестируется в_тестировании проверка на_тестировании активна активно",
    BLOCKED: "blocked on_hold hold paused waiting stuck stalled suspended "
    "заблокировано заблокирована заблокирован блокировано блок приостановлено приостановлена на_паузе пауза ждёт ждет",
    DONE: "done closed completed complete finished resolved fixed merged shipped released implemented verified deployed "
    "сделано сделана сделан готово готова готов завершено завершена завершён завершен выполнено выполнена "
    "выполнен закрыто закрыта закрыт решено решена решён решен реализовано реализована исправлено исправлена внедрено",
    DROPPED: "cancelled canceled rejected wontfix wont_fix won_t_fix not_planned dropped abandoned obsolete duplicate invalid "
    "tombstone deleted archived declined superseded discarded "
    "отменено отменена отменён отменен отклонено отклонена отклонён отклонен удалено удалена архив в_архиве неактуально "
    "не_актуально дубликат",
}
"""What is said for each meaning, in lower case with _ between words: of the tools' documentation and of files seen."""
_MEANING = {word: meaning for meaning, said in _MEANINGS.items() for word in said.split()}
_TRIGGERS = {DOING: "claim", BLOCKED: "block", DONE: "complete", DROPPED: "cancel"}

_PRIORITIES: dict[str, str] = {
    "critical": "critical p0 0 urgent blocker highest immediate критический критично критическая "
    "критичный срочно срочный срочная блокер наивысший",
    "high": "high p1 1 major important высокий высокая высоко важно важный важная",
    "medium": "medium p2 2 normal moderate default med средний средняя средне обычный обычная нормальный",
    "low": "low p3 3 p4 4 minor lowest trivial backlog низкий низкая низко неважно",
}
_PRIORITY = {word: priority for priority, said in _PRIORITIES.items() for word in said.split()}
_PUNCTUATION = re.compile(r"[^\w]+")


def plain_word(said: str) -> str:
    """A word without case, marks and kinds of spaces: `✅ In-Progress` is `in_progress`."""
    return _PUNCTUATION.sub("_", said.strip().casefold()).strip("_")


def means_done(said: str) -> bool:
    """Whether a tool's status says that the work is done."""
    return _MEANING.get(plain_word(said)) == DONE


def state_of(said: str, workflow: Workflow) -> tuple[str, bool]:
    """The state that a tool's status stands for, and whether that is known; else the initial one.

    Args:
        said: the status as the file words it.
        workflow: the project's workflow of tasks.
    """
    if said in workflow.states:
        return said, True
    word = plain_word(said)
    for state in workflow.states:
        if plain_word(state) == word:
            return state, True
    meaning = _MEANING.get(word)
    if meaning is None:
        return workflow.initial, False
    if meaning in workflow.states:
        return meaning, True
    if meaning == TODO:
        return workflow.initial, True
    # A project may call its states otherwise; what its triggers lead to tells which is which.
    trigger = _TRIGGERS[meaning]
    for name in workflow.states:
        if (found := workflow.transitions(name).get(trigger)) is not None:
            return found.target, True
    return workflow.initial, False


def priority_of(said: object) -> str | None:
    """One of llmgenie's priorities; None when the word is not known."""
    if isinstance(said, Mapping):
        said = said.get("name") or said.get("value")
    if said is None or isinstance(said, bool):
        return None
    return _PRIORITY.get(plain_word(str(said)))


def time_of(said: Any) -> str | None:
    """A date or time as RFC 3339 in UTC; what names no zone is taken for UTC. None when it is none."""
    if not isinstance(said, str) or not 8 <= len(said.strip()) <= 40:
        return None
    text = said.strip()
    if re.fullmatch(r"\d\d?\.\d\d?\.\d{4}.*", text):
        day, month, rest = text.split(".", 2)
        text = f"{rest[:4]}-{int(month):02}-{int(day):02}{rest[4:]}"
    try:
        found = datetime.fromisoformat(text.replace(" UTC", "Z"))
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found.isoformat(timespec="milliseconds" if found.microsecond % 1000 == 0 else "microseconds").replace(
        "+00:00", "Z"
    )
