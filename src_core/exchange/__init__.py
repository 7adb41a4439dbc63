"""Files into a project and out of it."""

from src_core.exchange.export import FORMATS, export_project
from src_core.exchange.intake import Intake, add_files, import_rows, import_table

__all__ = [
    "FORMATS",
    "Intake",
    "add_files",
    "export_project",
    "import_rows",
    "import_table",
]
