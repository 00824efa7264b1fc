"""dlt's run context: its settings are ours, and nobody else's.

By itself dlt reads `.dlt/config.toml` and `.dlt/secrets.toml` of the working folder and of the user's own folder,
imports a module that is called like the working folder, and takes a variable of the environment for each of its
settings, by its bare name too (`WORKERS`, `CREDENTIALS`). None of them must decide anything about the books. Asking
the environment 4,000 times an evening also took a tenth of a small one.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.provider import ConfigProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import RunContext

#: By name: no two settings that a landing asks for share one. No telemetry of a broker's books; no gzip of files that
#: live for a second; and what is loaded is not kept a second time: the archive has it as it came. Its log would put a
#: traceback beside our sentence.
SETTINGS = {
    "dlthub_telemetry": "false",
    "log_level": "CRITICAL",
    "add_dlt_load_id": "true",
    "disable_compression": "true",
    "restore_from_destination": "false",
    "delete_completed_jobs": "true",
}


class OurSettings(ConfigProvider):
    """What dlt asks for its settings: the ones above, and no others."""

    def get_value(
        self,
        key: str,
        hint: type[Any],  # noqa: ARG002
        pipeline_name: str | None,  # noqa: ARG002
        *sections: str,  # noqa: ARG002
    ) -> tuple[str | None, str]:
        """A setting, or None for dlt's own default; and its name."""
        return SETTINGS.get(key), key

    @property
    def name(self) -> str:
        """Its name in what dlt says of itself."""
        return "daybook"

    @property
    def supports_secrets(self) -> bool:
        """True, though there are none: else dlt looks at the type of every setting, whether it is one, a fifth of a
        small sync."""
        return True

    @property
    def supports_sections(self) -> bool:
        """False: asked for each section of a setting, one after the other, it would be asked 6,000 times an evening."""
        return False


class HomeContext(RunContext):
    """dlt's idea of a project: all of its folders are the one given, and no file there is read as a setting."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder
        self._global_dir = str(folder)

    @property
    def run_dir(self) -> str:
        """The folder, whatever DLT_PROJECT_DIR says."""
        return str(self.folder)

    @property
    def local_dir(self) -> str:
        """The folder, whatever DLT_LOCAL_DIR says."""
        return str(self.folder)

    @property
    def data_dir(self) -> str:
        """The folder, whatever DLT_DATA_DIR says."""
        return str(self.folder)

    @property
    def module(self) -> ModuleType | None:
        """None: the folder belongs to no Python module."""
        return None

    def initial_providers(self) -> list[ConfigProvider]:
        """Ours alone."""
        return [OurSettings()]


def settle_in(folder: Path) -> None:
    """Make a folder dlt's own in this process, before dlt has looked anywhere."""
    container = Container()
    if PluggableRunContext in container:
        current = container[PluggableRunContext].context
        if isinstance(current, HomeContext) and current.folder == folder:
            return
    container[PluggableRunContext] = PluggableRunContext(HomeContext(folder))
