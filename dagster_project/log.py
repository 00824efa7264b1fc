"""What Dagster's runs log to a terminal, made printable: `daybook serve` shows it, and it may quote the broker."""

import copy
import logging

import dagster as dg

from models.printable import printable_lines


class Printable(logging.Formatter):
    """A formatter behind another one: it gets no letter that a terminal would obey."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the colours that are the formatter's own."""
        plain = copy.copy(record)  # other handlers have the same record, and the event log keeps texts to the letter
        plain.msg, plain.args = printable_lines(record.getMessage()), None
        return self._inner.format(plain)


def _console(context: dg.InitLoggerContext) -> logging.Logger:
    """Dagster's own logger of a run's terminal, of letters that can be printed."""
    made = dg.colored_console_logger.logger_fn(context)
    for handler in made.handlers:
        handler.setFormatter(Printable(handler.formatter or logging.Formatter()))
    return made


console = dg.LoggerDefinition(_console, dg.colored_console_logger.config_schema, "For a terminal.")
