import random
from itertools import islice

import pytest

from speechprune_lib.training import texts


def test_facts_answer_their_question_in_their_sentence():
    for fact in islice(texts.facts(random.Random(0)), 400):
        assert "{" not in fact.sentence + fact.question + fact.answer
        assert fact.answer.lower() in fact.sentence.lower()
        assert fact.question.endswith("?")


def test_facts_repeat_with_their_seed():
    first, second = (list(islice(texts.facts(random.Random(5)), 50)) for _ in range(2))
    assert first == second


def test_plain_text_is_ascii():
    assert texts.plain("caf\u00e9\n  `tis") == "cafe 'tis"


def test_definitions_become_sentences():
    assert texts._definition("oak", "(botany) a tree with acorns; 'x'") == "Oak means a tree with acorns."
    assert texts._definition("x-ray", "a wave") == ""


def test_without_wordnet_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "WORDNET", tmp_path)
    texts.wordnet_sentences.cache_clear()
    with pytest.raises(FileNotFoundError, match="apt-get install wordnet-base"):
        texts.wordnet_sentences()
