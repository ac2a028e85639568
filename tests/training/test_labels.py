import numpy as np

from speechprune_lib.training.labels import BLANK, frame_labels, timed_tokens


def test_words_share_their_time_by_letters_and_punctuation_follows(tokenizer):
    words = [("The", 0.0, 0.3), ("cat.", 0.4, 0.7)]
    tokens = timed_tokens(words, tokenizer)
    ids = tokenizer.convert_tokens_to_ids(["The", "cat", "."])
    assert [t for t, _, _ in tokens] == ids
    np.testing.assert_allclose([(s, e) for _, s, e in tokens], [(0.0, 0.3), (0.4, 0.7), (0.7, 0.78)])


def test_a_word_of_two_tokens_is_split_where_its_letters_are():
    class TwoPieces:
        def __call__(self, text, **_):
            assert text == " unbend"
            return {"input_ids": [7, 8], "offset_mapping": [(0, 3), (3, 7)]}

    tokens = timed_tokens([("unbend", 1.0, 1.6)], TwoPieces())  # 0.1 s a letter: "un" 0.2 s, "bend" 0.4 s
    np.testing.assert_allclose([(s, e) for _, s, e in tokens], [(1.0, 1.2), (1.2, 1.6)])
    assert [t for t, _, _ in tokens] == [7, 8]


def test_frames_take_the_token_spoken_in_them():
    labels = frame_labels([(5, 0.04, 0.12), (6, 0.2, 0.21)], 8)
    assert labels.tolist() == [BLANK, 5, 5, BLANK, BLANK, 6, BLANK, BLANK]
