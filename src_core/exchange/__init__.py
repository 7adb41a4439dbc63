"""Files into a project and out of it."""

from src_core.exchange.adding import add_files, import_rows, import_table
from src_core.exchange.export import FORMATS, NAMING, ExportOptions, export_project
from src_core.exchange.intake import Intake, IntakeOptions
from src_core.exchange.take_in import import_any, take_in

__all__ = [
    "FORMATS",
    "NAMING",
    "ExportOptions",
    "Intake",
    "IntakeOptions",
    "add_files",
    "export_project",
    "import_any",
    "import_rows",
    "import_table",
    "take_in",
]
