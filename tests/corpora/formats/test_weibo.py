"""Characters with their places, invented, as in Weibo NER."""

CHARACTERS = ["新", "乡", "的", "1", "9", "a", "b", "c", "d", "e", "3", "f", "g", "h", "i"]
TAGS = ["B-GPE.NAM", "I-GPE.NAM", *["O"] * 13]


def lines(characters, tags=TAGS):
    rows = zip(characters, tags, strict=False)
    return "".join(f"{char}{at}\t{tag}\n" for at, (char, tag) in enumerate(rows)) + "\n"


def test_places_are_no_part_of_the_text(read):
    """Else each character is another word at each place, and digits lose or gain some."""
    export = read(lines(CHARACTERS) + lines(["我", "们"], ["O", "O"]), name="weibo.train")
    assert export.format == "weibo"
    assert [token.text for token in export.docs[0]] == CHARACTERS
    assert export.docs[1].text == "我们"
    assert export.entities == [[("新乡", "GPE.NAM")], []]
    assert export.problems == []


WORDS = [[*"口腔溃疡"], [*"加上"], [*"100"], ["～"], ["👍🏽"], [*"张三"], ["。"]]


def test_places_within_words(read):
    """Else nearly every character of the corpus keeps a digit, and no word of it."""
    tokens = [char for word in WORDS for char in word]
    places = [at for word in WORDS for at in range(len(word))]
    tags = ["O"] * 11 + ["B-PER.NAM", "I-PER.NAM", "O"]
    rows = zip(tokens, places, tags, strict=True)
    text = "".join(f"{char}{at}\t{tag}\n" for char, at, tag in rows)
    export = read(f"{text}\n20\tO\n元0\tO\n", name="weiboNER_2nd_conll.train")
    assert export.format == "weibo"
    assert [token.text for token in export.docs[0]] == tokens
    assert export.docs[1].text == "2元"
    assert export.entities == [[("张三", "PER.NAM")], []]
    assert export.problems == []


def test_a_token_without_its_place(read):
    """Else a digit of the text is taken for a place."""
    export = read(lines(CHARACTERS).replace("h13", "h7"))
    assert export.docs[0][13].text == "h7"
    assert export.problems == [("character without its place", 14)]


def test_columns_of_numbers_are_none(recognised):
    """Else a corpus of measures loses its digits."""
    assert "weibo" not in recognised("新\tO\n乡1\tO\n的\tO\n9\tO\n")
    assert "weibo" not in recognised("a1\tO\nb2\tO\nc3\tO\n")
    assert "weibo" not in recognised("10\tO\n20\tO\n30\tO\n40\tO\n")
    assert "weibo" not in recognised("Q10\tO\nQ20\tO\nR30\tO\n")
