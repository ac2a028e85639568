"""Writers of transcripts: one verb, `write`, behind an endpoint or a local model; and items written by hand."""

from .base import Writer, WriterError, WriterUnavailableError

__all__ = ["Writer", "WriterError", "WriterUnavailableError"]
