"""Images from files and masks to files: a table of readers and one of exporters."""

from src_core.imaging.base import (
    MAX_DECODED_BYTES,
    Exporter,
    ExportItem,
    Picture,
    Reader,
    ReadOptions,
    Reference,
)
from src_core.imaging.dicom import Filed, Found, file_away
from src_core.imaging.find import find_sources
from src_core.imaging.fit import Fitted
from src_core.imaging.read import READERS, can_read, load_mask, read_image, read_mask
from src_core.imaging.sources import Source, which
from src_core.imaging.space import affine_of, side_words
from src_core.imaging.table import RowProblem, TableRow, parse_table, read_table
from src_core.imaging.turn import Turn
from src_core.imaging.write import EXPORTERS, export
from src_core.imaging.write_mask import write_labels, write_mask

__all__ = [
    "EXPORTERS",
    "MAX_DECODED_BYTES",
    "READERS",
    "ExportItem",
    "Exporter",
    "Filed",
    "Fitted",
    "Found",
    "Picture",
    "ReadOptions",
    "Reader",
    "Reference",
    "RowProblem",
    "Source",
    "TableRow",
    "Turn",
    "affine_of",
    "can_read",
    "export",
    "file_away",
    "find_sources",
    "load_mask",
    "parse_table",
    "read_image",
    "read_mask",
    "read_table",
    "side_words",
    "which",
    "write_labels",
    "write_mask",
]
