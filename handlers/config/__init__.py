"""Makes schedulers from configs of lehr and of other libraries, and converts configs from one library to another."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what type checkers see
    from .configure import configure_scheduler
    from .conversion import convert_config
else:  # a checker that saw this __getattr__ would accept misspelt names
    from lehr.lazy_exports import lazy_exports

    __getattr__, __dir__ = lazy_exports(
        globals(),
        {"configure": ("configure_scheduler",), "conversion": ("convert_config",)},
        brings_history=True,
    )

__all__ = ["configure_scheduler", "convert_config"]
