"""Lines of Chinese words with parts of speech, invented, as People's Daily's, MSRA's and LTP's."""

import pytest

from spacy_bertcrf.corpora.joining import Joining

DAILY = """19980101-01-001-001/m  新年/t  讲话/n  （/w  附/v  图片/n  １/m  张/q  ）/w
19980101-01-001-002/m  主席/n  江/nr  泽民/nr  在/p  北京/ns  ，/w

19980101-01-002-001/m  通过/p  [中央/n  广播/vn  电台/n]nt  说/v
"""


def test_peoples_daily(read):
    """Else a person is two, an organization is its first word, and each text begins with a date."""
    export = read(DAILY, name="199801.txt")
    assert export.format == "word-pos"
    assert [doc.text for doc in export.docs] == [
        "新年讲话（附图片１张）",
        "主席江泽民在北京，",
        "通过中央广播电台说",
    ]
    assert export.entities == [
        [],
        [("江泽民", "PER"), ("北京", "LOC")],
        [("中央广播电台", "ORG")],
    ]
    assert export.problems == []
    assert "nr → PER" in export.notes["Tag set"]


@pytest.mark.parametrize(
    ("line", "persons"),
    [
        ("江/nr 泽民/nr 李/nr 鹏/nr", ["江泽民", "李鹏"]),
        ("江/nr 泽民/nr 、/w 克林顿/nr 叶利钦/nr", ["江泽民", "克林顿", "叶利钦"]),
        ("江/nr 泽民/nr 、/w 桥本/nr 龙太郎/nr", ["江泽民", "桥本龙太郎"]),
        ("江/nr 泽民/nr 、/w 普京/nr 李/nr 鹏/nr", ["江泽民", "普京", "李鹏"]),
        ("江泽民/nr 李鹏/nr 、/w 普京/nr 朱镕基/nr", ["江泽民", "李鹏", "普京", "朱镕基"]),
        ("邓/nrf 小平/nrg 说/v", ["邓小平"]),
    ],
)
def test_which_words_are_one_person(read, line, persons):
    """Else two persons become one, or one two."""
    export = read(f"记者/n {line} 说/v\n")
    assert [name for name, _ in export.entities[0]] == persons


@pytest.mark.parametrize(
    "line",
    [
        "[人民/n 日报/n]nt 说/v 北京/ns",
        "[人民/n 日报/n]/nt 说/v 北京/nsf",
        "[ 人民/n 日报/n ]nt 说/v 北京/ns",
    ],
)
def test_brackets_of_all_versions(read, line):
    """Else in some versions of the corpus brackets are words, or organizations are lost."""
    export = read(line + "\n")
    assert export.entities == [[("人民日报", "ORG"), ("北京", "LOC")]]
    assert export.docs[0].text == "人民日报说北京"


def test_brackets_and_slashes_that_are_words(read):
    """Else text vanishes, or an entity opens at a bracket that the author wrote."""
    export = read("[/w 北京/ns ]/w 2/3/m //w http://a.b/n 着{zhe5}/u\n")
    assert export.docs[0].text == "[北京]2/3/http://a.b着"
    assert export.entities == [[("北京", "LOC")]]


def test_nested_names(read):
    """Else the place in an organization's name is lost without a word."""
    export = read("[北京/ns 大学/n]nt 说/v\n", spans_key="sc")
    spans = [(span.text, span.label_) for span in export.docs[0].spans["sc"]]
    assert sorted(spans) == [("北京", "LOC"), ("北京大学", "ORG")]
    assert read("[北京/ns 大学/n]nt 说/v\n").problems == [("nested entities", 1)]


def test_msras_lines(read):
    """Else phrases are words with unknown tags, and a name of two words loses the first."""
    export = read("我们在/o 纽约/ns 见/o New York Times/nt 的/o 张三/nr 李四/nr\n")
    assert export.docs[0].text == "我们在纽约见New York Times的张三李四"
    assert export.entities == [
        [("纽约", "LOC"), ("New York Times", "ORG"), ("张三", "PER"), ("李四", "PER")]
    ]
    assert export.notes["Tag set"].startswith("MSRA's")


@pytest.mark.parametrize("separator", ["/", "_"])
def test_ltps_tags(read, separator):
    """Else each year is an organization."""
    line = "今年/nt 张三/nh 在/p 北京/ns 的/u 电台/ni 说/v"
    export = read(line.replace("/", separator) + "\n")
    assert export.entities == [[("张三", "PER"), ("北京", "LOC"), ("电台", "ORG")]]
    assert "nt is time" in export.notes["Tag set"]
    assert "nt is time" in export.evidence


def test_documents(read):
    """Else paragraphs cannot be joined to articles."""
    export = read(DAILY)
    joined = read(DAILY, joining=Joining(documents=True))
    assert (len(export.docs), len(joined.docs)) == (3, 2)


def test_what_is_wrong_is_told(read):
    """Else a word without its tag is known to be no entity, and half a compound is nothing."""
    export = read(
        "北京/ns 说/v 张三\n[中央/n 电台/n 说/v 话/n 在/p 北京/ns\n中央/n 电台/n]nt 说/v\n"
    )
    assert export.unknown[0] == list("张三")
    assert [len(tokens) for tokens in export.unknown[1:]] == [7, 4]
    assert export.problems == [
        ("word without a tag", 1),
        ("bracket without its other half", 2),
        ("bracket without its other half", 3),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Anna/NNP lives/VBZ in/IN Bonn/NNP\n",
        "我/r 爱/v 你/r\n",
        "他 和/或 她 在 北京\n",
        "他在北京\n",
    ],
)
def test_what_is_none(recognised, text):
    """Else a corpus of parts of speech is read as one without entities."""
    assert "word-pos" not in recognised(text)


def test_parts_of_speech_alone(read):
    """Else the reader is sure that nothing is an entity."""
    with pytest.raises(ValueError, match="no tag of names"):
        read("我/r 爱/v 你/r\n", format="word-pos")


def test_names_side_by_side_in_msras_lines(read):
    """Else two persons are one, with the tags for labels: phrases look like tagged words."""
    export = read("当/o 希望工程救助的儿童/o 成长/o\n江泽民/nr 李鹏/nr 在/o 中国/ns 北京/ns 。/o\n")
    assert export.format == "word-pos"
    assert export.entities == [
        [],
        [("江泽民", "PER"), ("李鹏", "PER"), ("中国", "LOC"), ("北京", "LOC")],
    ]


def test_the_wide_space_is_a_word(read):
    """Else its tag becomes a part of the text and of the name behind it."""
    export = read("据/p \u3000/w 北京/ns 报道/v 今天/t\n")
    assert export.docs[0].text == "据\u3000北京报道今天"
    assert export.entities == [[("北京", "LOC")]]
