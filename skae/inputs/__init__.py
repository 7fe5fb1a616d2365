"""Input formats: the user's data as tensors, a batch at a time."""

from skae.inputs._arrays import as_array, as_numbers
from skae.inputs._cells import Cells, as_frame, as_objects, dense_table
from skae.inputs._columns import TableColumns
from skae.inputs._frames import aligned, check_frame
from skae.inputs._images import ImageLayout, Images, read_images
from skae.inputs._pairs import Pairs
from skae.inputs._read_sequences import SequenceLayout, read_sequences
from skae.inputs._rows import Codes, RowLayout, Rows, read_rows, read_weights
from skae.inputs._sequences import Moments, Sequences, read_lengths
from skae.inputs._tables import Table, TableFormat, TableLayout
from skae.inputs._texts import (
    TextPairs,
    Texts,
    check_not_empty,
    linked,
    read_texts,
    split_sentences,
    split_text,
)
from skae.inputs._tokenizers import (
    BEGIN,
    END,
    KINDS,
    PADDING,
    decode,
    encode,
    train_tokenizer,
    vocabulary_length,
)

__all__ = [
    "BEGIN",
    "END",
    "KINDS",
    "LAYOUTS",
    "PADDING",
    "Cells",
    "Codes",
    "ImageLayout",
    "Images",
    "Moments",
    "Pairs",
    "Rows",
    "Sequences",
    "Table",
    "TableColumns",
    "TableFormat",
    "TextPairs",
    "Texts",
    "aligned",
    "as_array",
    "as_frame",
    "as_numbers",
    "as_objects",
    "check_frame",
    "check_not_empty",
    "decode",
    "dense_table",
    "encode",
    "linked",
    "read_images",
    "read_lengths",
    "read_rows",
    "read_sequences",
    "read_texts",
    "read_weights",
    "split_sentences",
    "split_text",
    "train_tokenizer",
    "vocabulary_length",
]

#: By kind of input, what says how X is to be read.
LAYOUTS = {
    "rows": RowLayout,
    "images": ImageLayout,
    "sequences": SequenceLayout,
    "tables": TableLayout,
}
